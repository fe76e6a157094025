"""`offbench solvers`: which solvers there are, and their parameters."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.shared.arguments import Json
from offbench.cli.shared.errors import say

if TYPE_CHECKING:
    from offbench.search.entries import Entry
    from offbench.search.solver import Solver


def solvers(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A solver, or the path of a file with one: show its parameters."),
    ] = None,
    json: Json = False,
) -> None:
    """List the solvers, or one solver's parameters."""
    from offbench.cli.shared.console import show_json

    if name is None:
        from offbench.search.registry import catalogue

        entries = list(catalogue().values())
        show_json([_entry_facts(entry) for entry in entries]) if json else _show_entries(entries)
    else:
        facts = _solver_facts(name)
        show_json(facts) if json else _show_solver(facts)


def _entry_facts(entry: "Entry") -> dict[str, Any]:
    return {
        "name": entry.name,
        "solves": entry.solves,
        "description": entry.description,
        "where": entry.where,
        "installed": entry.usable,
        "missing": list(entry.missing),
        "fault": entry.fault,
        "note": entry.note,
    }


def _show_entries(entries: "list[Entry]") -> None:
    from rich.table import Table

    from offbench.cli.shared.console import show

    table = Table("solver", "solves", "description", "")
    for entry in entries:
        state = f"not installed: needs {', '.join(entry.missing)}" if entry.missing else "installed"
        state = f"can't be used ({entry.where})" if entry.fault else state
        table.add_row(entry.name, entry.solves, entry.description, state, style=None if entry.usable else "dim")
    show(table, "P1 chooses servers and dispatch order, P2 (with --placement) the order for given servers.")
    for entry in entries:
        if entry.note:
            say(f"'{entry.name}' is the one of {entry.where}: {entry.note}")


def _solver_facts(name: str) -> dict[str, Any]:
    from offbench.search.registry import catalogue, describe, find

    solver = find(name)
    entry = catalogue().get(name)
    return {
        "name": solver.name,
        "solves": solver.solves,
        "description": describe(solver),
        "where": entry.where if entry is not None else name,
        "parameters": _parameters(solver),
    }


def _parameters(solver: "type[Solver]") -> list[dict[str, Any]]:
    from offbench.search.parameters import parameter_type

    properties = solver.model_json_schema().get("properties", {})
    return [
        {
            "name": name,
            "type": parameter_type(solver, name),
            "default": properties[name].get("default"),
            "required": field.is_required(),
            "range": allowed_range(properties[name]),
            "description": field.description or "",
        }
        for name, field in solver.model_fields.items()
    ]


_RULES = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
}


def allowed_range(schema: dict[str, Any]) -> str:
    """Tell in words what the JSON Schema of a parameter allows beyond its type."""
    rules = [text.format(schema[key]) for key, text in _RULES.items() if key in schema]
    items = schema.get("prefixItems") or [schema.get("items")]  # a tuple's, or a list's
    inside = dict.fromkeys(allowed_range(item) for item in items if isinstance(item, dict))
    rules += [f"each {inner}" for inner in inside if inner]
    rules += [inner for choice in schema.get("anyOf", ()) if (inner := allowed_range(choice))]
    return ", ".join(rules)


def _show_solver(facts: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from offbench.cli.shared.console import show

    what = {
        "P1": "P1: servers and dispatch order",
        "P2": "P2: the dispatch order, for given servers",
        "P1 and P2": "P1: servers and dispatch order; with --placement P2: the dispatch order, for given servers",
    }
    show(
        Text.assemble((facts["name"], "bold"), f": {facts['description']}"),
        f"solves {what[facts['solves']]}",
        f"in {facts['where']}",
    )
    if not facts["parameters"]:
        show("It has no parameters.")
        return
    table = Table("parameter", "type", "default", "range", "description")
    for row in facts["parameters"]:
        default = "required" if row["required"] else _value(row["default"])
        table.add_row(row["name"], row["type"], default, row["range"], row["description"])
    show(table, "Set with --set parameter=value.")


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    from json import dumps

    return dumps(value)
