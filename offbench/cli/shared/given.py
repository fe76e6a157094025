"""What a command is given by name, file, or ``-`` for stdin."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.model.instance import Instance
    from offbench.model.placement import Placement

STDIN = "<stdin>"
"""what errors call it"""


def is_dash(name: object) -> bool:
    """Tell whether a name stands for stdin, or as an output for stdout."""
    return str(name) == "-"


def check_stdin_once(*names: object) -> None:
    """Refuse a second ``-`` among what is read.

    Raises
    ------
    OffbenchError
        If there is one.
    """
    if sum(map(is_dash, names)) > 1:
        raise OffbenchError("-: stands twice for stdin, which can be read once; name a file for one of them")


def instance_from(
    name: str, objective: str | None = None, weights: str | Mapping[str, float] | None = None
) -> "Instance":
    """Return an instance by shipped name, file or ``-``, with an objective (`evaluation.given.instance_of`)."""
    from offbench.evaluation.given import instance_of
    from offbench.model.instance import parse

    return instance_of(parse(json_from(name), STDIN) if is_dash(name) else name, objective, weights)


def placement_from(path: Path, instance: "Instance") -> "Placement":
    """Return a placement of an instance from a file or ``-`` (`model.placement.load_placement`)."""
    from offbench.model.placement import load_placement, parse_placement

    return parse_placement(json_from(path), instance, STDIN) if is_dash(path) else load_placement(path, instance)


def json_from(path: str | Path) -> Any:
    """Return the JSON in a file or ``-`` (`files.json.read_json`)."""
    from offbench.files.json import parse_json, read_json
    from offbench.files.text import read_stdin

    return parse_json(read_stdin(STDIN), STDIN) if is_dash(path) else read_json(Path(path))


def called(path: str | Path) -> str:
    """Return what a placement or a chart of it is called, after its file."""
    return "stdin" if is_dash(path) else Path(path).stem
