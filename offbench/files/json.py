"""From a JSON file to a checked model, with errors that name file, place and rule."""

import json
import re
import sys
from collections.abc import Sized
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import SchemaValidator

from offbench.errors import OffbenchError, nearest
from offbench.files.escaping import in_json
from offbench.files.text import read_text

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)

# Of a whole file; each takes some hundred bytes, and hostile ones are made of nothing else.
_MOST_VALUES = 5_000_000
# No object of ours has as many; each one that is unknown would be a mistake of its own.
_MOST_KEYS = 100_000
# Data of more values is checked up to the first mistake alone: a million of them would take minutes and gigabytes.
_MANY = 100_000
# What is written in a line has at most so many characters; an object in a list in it so many fields.
_LINE, _PAIR = 300, 2

_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character beyond the first 65536, or half of one


def read_json(path: Path) -> Any:
    """Parse one JSON file.

    Raises
    ------
    OffbenchError
        If the file can't be read, isn't JSON, or names a key twice in one object.
    """
    return parse_json(read_text(path), str(path))


def parse_json(text: str, source: str) -> Any:
    """Parse JSON text that came from *source*; raises as `read_json` does."""

    def refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise OffbenchError(f"{source}: the key '{_twin(pairs)}' stands twice in one object")
        if len(found) > _MOST_KEYS:
            raise OffbenchError(f"{source}: an object has {len(found):,} keys; {_MOST_KEYS:,} are the most")
        return found

    if sum(map(text.count, ",[{")) > _MOST_VALUES:
        raise OffbenchError(f"{source}: has more than {_MOST_VALUES:,} values")
    try:
        value = json.loads(text, object_pairs_hook=refuse_twins)
        if _HALF.search(text):
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise OffbenchError(f"{source}: {place}: not valid JSON: {error.msg}") from None
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start]).strip("'")
        raise OffbenchError(f"{source}: a text in it has {half}, which is half a character") from None
    except RecursionError:
        raise OffbenchError(f"{source}: not valid JSON: nested too deeply") from None
    except ValueError:  # an integer with more digits than Python converts
        digits = sys.get_int_max_str_digits()
        raise OffbenchError(f"{source}: not valid JSON: a whole number has more than {digits} digits") from None


def _twin(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    return next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]


def check(model: type[Model], data: Any, source: str) -> Model:
    """Build *model* from parsed JSON, turning a validation error into one line."""
    many = _has_many_values(data)
    try:
        return cast(Model, _up_to_first_mistake(model).validate_python(data)) if many else model.model_validate(data)
    except ValidationError as error:
        raise OffbenchError(f"{source}: {one_line(error, data, model)}{', perhaps of many' if many else ''}") from None


def _has_many_values(data: Any) -> bool:
    ahead, count = [data], 0
    while ahead and count <= _MANY:
        value = ahead.pop()
        if isinstance(value, dict):
            value = value.values()
        elif not isinstance(value, list | tuple):
            continue
        count += len(value)
        ahead += [each for each in value if isinstance(each, dict | list | tuple)]
    return count > _MANY


@cache
def _up_to_first_mistake(model: type[BaseModel]) -> SchemaValidator:
    make: Any = SchemaValidator
    schema = _failing_fast(model.__pydantic_core_schema__)
    try:
        return cast(SchemaValidator, make(schema, _use_prebuilt=False))  # else models inside it keep their own schemas
    except TypeError:  # a version without; all it costs is time
        return cast(SchemaValidator, make(schema))


def _failing_fast(schema: Any) -> Any:
    """Return a schema in which the first wrong entry of a list is the only one that is told."""
    if isinstance(schema, list):
        return [_failing_fast(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    apart = ("cls", "function", "metadata", "serialization")  # no schemas
    changed = {key: part if key in apart else _failing_fast(part) for key, part in schema.items()}
    return changed | {"fail_fast": True} if schema.get("type") in ("list", "tuple") else changed


def one_line(error: ValidationError, data: Any = None, model: type[BaseModel] | None = None) -> str:
    """Tell the first mistake of a validation error as ``place: rule``, and how many follow.

    A field that is unknown comes before one that is missing beside it: mostly that is how it is spelt there.

    Parameters
    ----------
    error
        What pydantic says.
    data
        What was checked; with it a value that fits none of several types counts once.
    model
        What it was checked against; with it the fields that there are are named beside one that is unknown.
    """
    mistakes: dict[tuple[int | str, ...], ErrorDetails] = {}
    for problem in error.errors(include_url=False):
        if not _follows(problem):
            mistakes.setdefault(_place(problem, data), problem)
    place, first = next(iter(mistakes.items()))
    known = _fields_beside(model, place)
    if first["type"] == "missing":
        misspelt = (
            (other, problem)
            for other, problem in mistakes.items()
            if problem["type"] == "extra_forbidden" and other[:-1] == place[:-1] and _meant(other[-1], known)
        )
        place, first = next(misspelt, (place, first))
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    return (f"{dotted(place)}: " if place else "") + _rule(place, first, known) + more


def _meant(name: int | str, known: list[str]) -> str:
    """Return which known field an unknown one may be meant for, in words; empty for none, or where it is known."""
    return "" if name in known else nearest(str(name).lower(), known)


def _fields_beside(model: type[BaseModel] | None, place: tuple[int | str, ...]) -> list[str]:
    """Return the fields that an object of a model may have at a place, those of all that it may be; none if unknown."""
    models = [] if model is None else [model]
    for part in place[:-1]:
        if isinstance(part, str):
            fields = (_fields(each).get(part) for each in models)
            inside = [inner for field in fields if field is not None for inner in _models_in(field.annotation)]
            models = inside or models  # a key of a dictionary of models leads to no other model
    return list(dict.fromkeys(name for each in models for name in _fields(each)))


def _fields(model: type[BaseModel]) -> dict[str, "FieldInfo"]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _models_in(inner)]


def _follows(problem: "ErrorDetails") -> bool:
    """Tell whether a problem follows from others: a list is "too short" where entries of it are wrong."""
    if problem["type"] != "too_short" or not isinstance(problem["input"], Sized):
        return False
    return bool(len(problem["input"]) >= problem["ctx"]["min_length"])


def _place(problem: "ErrorDetails", data: Any) -> tuple[int | str, ...]:
    """Return a problem's place in the data, without the names of the types that were tried there."""
    if data is None:
        return problem["loc"]
    place: list[int | str] = []
    for part in problem["loc"]:
        if part in (data if isinstance(data, dict) else range(len(data)) if isinstance(data, list | tuple) else ()):
            data = data[part]
        elif problem["type"] != "missing" or part != problem["loc"][-1]:
            continue
        place.append(part)
    return tuple(place)


def _rule(place: tuple[int | str, ...], problem: "ErrorDetails", known: list[str]) -> str:
    kind, context, value = problem["type"], problem.get("ctx", {}), problem["input"]
    if kind == "extra_forbidden":
        name = str(place[-1])
        if name in known:
            return f"doesn't go with the other fields here; fields: {', '.join(known)}"
        return f"unknown field{_meant(name, known)}" + (f"; fields: {', '.join(known)}" if known else "")
    if kind == "too_short":
        return f"must have at least {_counted(context['min_length'], place)}"
    if kind == "too_long":
        return f"must have at most {_counted(context['max_length'], place)}, not {context['actual_length']}"
    rule = _RULES.get(kind, problem["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    if isinstance(value, str | int | float) and kind not in ("missing", "value_error", "string_too_short"):
        rule += f", not {_short(value)}"
    return rule


def _counted(number: int, place: tuple[int | str, ...]) -> str:
    """Count the entries of a list by its name: ``one layer`` of ``layers``."""
    name = next((part for part in reversed(place) if isinstance(part, str)), "")
    noun = name[:-1] if name.endswith("s") else "entry"
    several = f"{noun}s" if noun != "entry" else "entries"
    return f"one {noun}" if number == 1 else f"{number} {several}"


_RULES = {
    "string_too_short": "must not be empty",
    "missing": "this field is missing",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "string_type": "must be a text",
    "string_unicode": "must be a text of whole characters",
    "tuple_type": "must be a list",
    "model_type": "must be an object",
    "dict_type": "must be an object",
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
    """Write JSON with one line for each object that holds no other objects, or few and short ones in a list's entry."""
    inner = indent + "  "
    if isinstance(value, dict) and any(_holds_objects(item) for item in value.values()):
        lines = [f"{inner}{json.dumps(key)}: {layout(item, inner)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(inner + (_short_line(item) or layout(item, inner)) for item in value) + f"\n{indent}]"
    return in_json(json.dumps(value, ensure_ascii=False))


def _short_line(value: Any) -> str:
    """Return an entry of a list in one line if it is short and what it holds is flat, such as a layer; else nothing."""
    if not isinstance(value, dict) or not all(_is_flat(item) for item in value.values()):
        return ""
    line = in_json(json.dumps(value, ensure_ascii=False))
    return line if len(line) <= _LINE else ""


def _is_flat(value: Any) -> bool:
    """Tell whether a value holds nothing but plain values, or is a list of these and of pairs."""
    if isinstance(value, dict):
        return not any(isinstance(part, dict | list) for part in value.values())
    if isinstance(value, list):
        return not any(isinstance(part, list) or (isinstance(part, dict) and len(part) > _PAIR) for part in value)
    return True


def _holds_objects(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict) for item in value))
