"""`offbench instance show`: what an instance says, and what it amounts to."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.shared.arguments import InstanceArgument, Json, ObjectiveOption, WeightsOption

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_TASKS_AT_MOST = 12
_LAYERS_AT_MOST = 30
_LINKS_AT_MOST = 30
# Of more clients those alike are one row, and of so many sorts the rest.
_CLIENTS_AT_MOST = 6
_OPTIONAL = (("idle_power_w", "idle W"), ("memory_mb", "memory MB"))


def show(
    instance: InstanceArgument,
    objective: ObjectiveOption = None,
    weights: WeightsOption = None,
    layers: Annotated[bool, typer.Option("--layers", help="List the layers, however many.")] = False,
    modules: Annotated[bool, typer.Option("--modules", help="List the modules of two-step offloading, drawn.")] = False,
    json: Json = False,
) -> None:
    """Show an instance.

    Servers, links, weights, tasks, and what it costs to run everything in one place.
    """
    from offbench.cli.shared import console
    from offbench.cli.shared.given import instance_from

    facts = instance_from(instance, objective, weights)
    console.load_evaluator(instance=facts)

    from offbench.cli.instance.facts import instance_facts
    from offbench.evaluation.infeasibility import why_infeasible
    from offbench.model.problem import P1

    problem = P1(facts)
    told = instance_facts(facts, problem, layers or (not json and facts.subtasks <= _LAYERS_AT_MOST))
    told["infeasible"] = why_infeasible(problem)
    if modules:
        from offbench.cli.instance.modules import module_facts

        told["modules"] = module_facts(facts)
    if json:
        console.show_json(told)
    else:
        console.show(*_parts(told))


def _parts(facts: dict[str, Any]) -> Iterator["RenderableType"]:
    from rich.text import Text

    yield Text(facts["name"], style="bold")
    if facts["source"]:
        yield f"source: {facts['source']}"
    if facts["infeasible"]:
        yield f"no placement is feasible: {facts['infeasible']}"
    yield _servers(facts["servers"])
    yield from _links(facts["links"])
    yield from _limits(facts["limits"])
    yield _objective(facts["weights"], facts["coordination"])
    yield _scales(facts["scales"])
    yield from _tasks(facts["tasks"], several=sum(server["kind"] == "client" for server in facts["servers"]) > 1)
    yield from _critical_paths(facts["tasks"])
    yield _everything_on(facts["everything_on"], facts["constrained"])
    yield from _elsewhere(facts["everything_on"])
    if "layers" in facts:
        yield _layers(facts["layers"])
    if "modules" in facts:
        from offbench.cli.instance.modules import show_modules

        yield from show_modules(facts["modules"])


def _table(*columns: str, title: str | None = None, left: int = 1) -> "Table":
    """Return a table whose columns hold numbers, but for the first *left* ones."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number < left else "right")
    return table


def _servers(servers: list[dict[str, Any]]) -> "Table":
    optional = [(name, head) for name, head in _OPTIONAL if any(name in server for server in servers)]
    table = _table("server", "kind", "GHz", "$/h", "client's W", "pool", *(head for _, head in optional), left=2)
    for names, server in _alike(servers):
        numbers = (server[name] for name in ("compute_ghz", "price_per_hour", "client_power_w", "pool"))
        more = (f"{server[name]:g}" if name in server else "" for name, _ in optional)
        table.add_row(names, server["kind"], *(f"{number:g}" for number in numbers), *more)
    return table


def _alike(servers: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the servers, many clients that differ in nothing but their names as one; of many others the first."""
    clients = [server for server in servers if server["kind"] == "client"]
    if len(clients) <= _CLIENTS_AT_MOST:
        yield from ((server["name"], server) for server in servers)
        return
    groups: dict[str, list[dict[str, Any]]] = {}
    for client in clients:
        groups.setdefault(repr(sorted((client | {"name": ""}).items(), key=str)), []).append(client)
    for number, group in enumerate(groups.values()):
        if number == _CLIENTS_AT_MOST and len(groups) > _CLIENTS_AT_MOST + 1:
            left = list(groups.values())[number:]
            yield f"... {sum(map(len, left)):,} more, of {len(left):,} sorts", group[0]
            break
        first, last = group[0]["name"], group[-1]["name"]
        yield first if len(group) == 1 else f"{first} ... {last} ({len(group):,})", group[0]
    yield from ((server["name"], server) for server in servers if server["kind"] != "client")


def _links(links: list[dict[str, Any]]) -> Iterator["RenderableType"]:
    latency = any(link["latency_s"] for link in links)
    table = _table("link", "MB/s", *(["latency s"] if latency else []), "$/GB", "client's W")
    for link in links[:_LINKS_AT_MOST]:
        ends = f"{link['from']} → {link['to']}" if "from" in link else " - ".join(link["between"])
        late = [f"{link['latency_s']:g}"] if latency else []
        table.add_row(ends, _rate(link), *late, f"{link['price_per_gb']:g}", f"{link['transmit_power_w']:g}")
    yield table
    if len(links) > _LINKS_AT_MOST:
        yield f"... and {len(links) - _LINKS_AT_MOST:,} more links"


def _limits(limits: dict[str, float] | None) -> Iterator[str]:
    units = {"delay_s": "delay {:g} s", "energy_j": "energy {:g} J", "cost_usd": "cost {:g} $"}
    if limits:
        yield f"limits on the totals: {', '.join(units[name].format(value) for name, value in limits.items())}"


def _rate(link: dict[str, Any]) -> str:
    if "rate_mb_per_s" in link:
        return f"{link['rate_mb_per_s']:g}"
    ends = " to ".join(dict.fromkeys(f"{rate:.4g}" for rate in link["rates_mb_per_s"])) or "no such servers"
    return f"{ends} (Shannon, {link['shannon']['bandwidth_mhz']:g} MHz)"


def _objective(weights: dict[str, float], coordination: dict[str, Any]) -> str:
    lambdas = ", ".join(f"{value:g}" for value in coordination["lambdas"])
    return (
        f"Q = {weights['score']:g} score - {weights['coordination']:g} coordination + {weights['balance']:g} balance; "
        f"score = {weights['delay']:g} delay + {weights['energy']:g} energy + {weights['cost']:g} cost; "
        f"coordination of {coordination['indicators']}, root {coordination['root']}, lambdas {lambdas}"
    )


def _scales(scales: dict[str, Any]) -> str:
    return (
        f"scales ({'stated' if scales['stated'] else 'computed'}): delay {scales['delay_s']:.6g} s, "
        f"energy {scales['energy_j']:.6g} J, cost {scales['cost_usd']:.6g} $, balance {scales['balance']:g}"
    )


def _tasks(tasks: list[dict[str, Any]], several: bool) -> Iterator["Table"]:
    """Yield a table of the graphs; then one of what else some task has."""
    table = _table("task", "shape", "layers", "edges", "forks", "joins", "Gcycles", "output MB", left=2)
    for task in tasks[:_TASKS_AT_MOST]:
        counts = (str(task[name]) for name in ("layers", "edges", "forks", "joins"))
        sizes = (f"{task[name]:.5g}" for name in ("gcycles", "output_mb"))
        table.add_row(task["name"], task["shape"], *counts, *sizes)
    yield table
    optional = [
        (name, head)
        for name, head in (
            ("arrival_s", "arrives s"),
            ("deadline_s", "deadline s"),
            ("weights_mb", "weights MB"),
            ("measured", "measured layers"),
        )
        if any(task[name] for task in tasks)
    ]
    if several or optional:
        own = ["client"] if several else []
        table = _table("task", *own, *(head for _, head in optional), left=1 + several)
        for task in tasks[:_TASKS_AT_MOST]:
            more = ("" if task[name] is None else f"{task[name]:.5g}" for name, _ in optional)
            table.add_row(task["name"], *([task["client"]] if several else []), *more)
        yield table


def _critical_paths(tasks: list[dict[str, Any]]) -> Iterator[str]:
    """Tell each path once, though many tasks are the same network."""
    if len(tasks) > _TASKS_AT_MOST:
        yield f"... and {len(tasks) - _TASKS_AT_MOST:,} more"
    names: dict[str, list[str]] = {}
    for task in tasks[:_TASKS_AT_MOST]:
        names.setdefault(_critical_path(task["critical_path"]), []).append(task["name"])
    for path, of in names.items():
        yield f"critical path of {', '.join(of)}: {path}"


def _critical_path(path: dict[str, Any]) -> str:
    from offbench.cli.shared.console import plural

    layers = path["layers"]
    ends = " -> ".join(layers if len(layers) < 3 else (layers[0], "...", layers[-1]))
    share = f" ({path['share']:.0%} of the work)" if path["share"] is not None else ""
    size = plural(len(layers), "layer")
    return f"{size}, {path['gcycles']:.5g} Gcycles{share}, {path['client_s']:.4g} s on the client: {ends}"


def _everything_on(rows: list[dict[str, Any]], constrained: bool) -> "Table":
    broken = ["violation"] if constrained else []
    table = _table("everything on", "server", "delay s", "energy J", "cost $", "Q", *broken, left=2)
    for row in rows:
        numbers = (f"{row[name]:.6g}" for name in ("delay_s", "energy_j", "cost_usd", "objective"))
        which = "client" if row["kind"] == "client" else f"best {row['kind']}"
        violation = [f"{row['violation']:.4g}" if row["violation"] else "none"] if constrained else []
        table.add_row(which, row["server"], *numbers, *violation)
    return table


def _elsewhere(rows: list[dict[str, Any]]) -> Iterator[str]:
    from offbench.evaluation.client_only import note_of

    for row in rows:
        if row["elsewhere"]:
            yield note_of(row["server"], row["elsewhere"])


def _layers(layers: list[dict[str, Any]]) -> "Table":
    measured, weighed = (any(layer[name] for layer in layers) for name in ("seconds", "weights_mb"))
    optional = [*(["seconds"] if measured else []), *(["weights MB"] if weighed else [])]
    table = _table("task", "#", "layer", "Gcycles", "output MB", *optional, "inputs", "allowed")
    for column in table.columns[2], *table.columns[5:]:
        column.justify = "left"
    task = None
    for layer in layers:
        gcycles = "" if layer["gcycles"] is None else f"{layer['gcycles']:.5g}"
        inputs = ", ".join(map(_input, layer["inputs"])) or "(the task's input)"
        allowed = "all" if layer["allowed"] is None else ", ".join(layer["allowed"])
        name = layer["task"] if layer["task"] != task else ""
        more = []
        if measured:
            more.append(", ".join(f"{server} {value:g}" for server, value in (layer["seconds"] or {}).items()))
        if weighed:
            same = f" ({layer['weights_id']})" if layer["weights_id"] else ""
            more.append(f"{layer['weights_mb']:g}{same}" if layer["weights_mb"] else "")
        sizes = gcycles, f"{layer['output_mb']:.5g}"
        table.add_row(name, str(layer["number"]), layer["name"], *sizes, *more, inputs, allowed)
        task = layer["task"]
    return table


def _input(entry: str | dict[str, Any]) -> str:
    """Write one of a layer's inputs, with its size where this reader has its own."""
    if isinstance(entry, str):
        return entry
    if "layer" in entry:
        return f"{entry['layer']} ({entry['mb']:g} MB)"
    return f"(the task's input, {entry['input_mb']:g} MB)"
