"""A solver's parameters: their types as a reader would write them, and a solver made with some of them."""

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError

from offbench.errors import OffbenchError, nearest
from offbench.files.json import one_line
from offbench.search.solver import Solver


def parameter_type(solver: type[Solver], name: str) -> str:
    """Return the type of a parameter as a reader would write it: ``float``, ``int | None``."""
    return _type_text(solver.model_fields[name].annotation)


def _type_text(annotation: Any) -> str:
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _type_text(arguments[0])
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, arguments))
    if get_origin(annotation) in (Union, UnionType):
        return " | ".join(map(_type_text, arguments))
    if annotation is NoneType:
        return "None"
    name: str = getattr(get_origin(annotation) or annotation, "__name__", str(annotation))
    return f"{name}[{', '.join(map(_type_text, arguments))}]" if arguments else name


def configure(solver: type[Solver], name: str, parameters: Mapping[str, Any]) -> Solver:
    """Make a solver with *parameters*, whose values may be texts as given on the command line.

    Raises
    ------
    OffbenchError
        If a parameter is unknown or its value is of the wrong type or out of range.
    """
    known = list(solver.model_fields)
    for parameter in parameters:
        if parameter not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise OffbenchError(f"solver '{name}' has no parameter '{parameter}'{nearest(parameter, known)}; {has}")
    try:
        return solver(**parameters)
    except ValidationError as error:
        raise OffbenchError(f"solver '{name}': parameter {one_line(error)}") from None
