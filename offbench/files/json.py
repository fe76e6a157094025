"""From a JSON file to a checked model, with errors that name file, place and rule."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from offbench.errors import OffbenchError

Model = TypeVar("Model", bound=BaseModel)


def read_json(path: Path) -> Any:
    """Parse one JSON file.

    Raises
    ------
    OffbenchError
        If the file can't be read, isn't JSON, or names a key twice in one object.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise OffbenchError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise OffbenchError(f"{path}: can't be read: {reason}") from None
    return parse_json(text, str(path))


def parse_json(text: str, source: str) -> Any:
    """Parse JSON text that came from *source*; raises as `read_json` does."""

    def refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twin = next(name for name in names if names.count(name) > 1)
            raise OffbenchError(f"{source}: the key '{twin}' stands twice in one object")
        return found

    try:
        return json.loads(text, object_pairs_hook=refuse_twins)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise OffbenchError(f"{source}: {place}: not valid JSON: {error.msg}") from None
    except RecursionError:
        raise OffbenchError(f"{source}: not valid JSON: nested too deeply") from None
    except ValueError as error:  # an integer with more digits than Python converts
        raise OffbenchError(f"{source}: not valid JSON: {error}") from None


def check(model: type[Model], data: Any, source: str) -> Model:
    """Build *model* from parsed JSON, turning a validation error into one line."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise OffbenchError(f"{source}: {one_line(error)}") from None


def one_line(error: ValidationError) -> str:
    """Tell the first problem of a validation error as ``place: rule``, and how many follow."""
    problems = error.errors(include_url=False)
    first = problems[0]
    place = dotted(first["loc"])
    rule = _RULES.get(first["type"], first["msg"]).removeprefix("Value error, ")
    rule = rule.replace("Input should be", "must be")
    value = first["input"]
    if isinstance(value, str | int | float) and first["type"] not in ("missing", "value_error"):
        rule += f", not {_short(value)}"
    if first["type"] == "extra_forbidden":
        rule = "unknown field"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return (f"{place}: " if place else "") + rule + more


_RULES = {
    "missing": "this field is missing",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
    "model_type": "must be an object",
}


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def dotted(location: tuple[int | str, ...]) -> str:
    """Write a place in a JSON document: ``('tasks', 0, 'layers')`` as ``tasks[0].layers``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def layout(value: Any, indent: str = "") -> str:
    """Write JSON with one line for each object that holds no other objects."""
    inner = indent + "  "
    if isinstance(value, dict) and any(_holds_objects(item) for item in value.values()):
        lines = [f"{inner}{json.dumps(key)}: {layout(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(inner + layout(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def _holds_objects(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value))
