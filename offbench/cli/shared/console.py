"""What goes to stdout, and what passes by on stderr; no control character of a name reaches a terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from json import dumps
from typing import TYPE_CHECKING, Any

from offbench.errors import OffbenchError
from offbench.files.plain import plain

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from offbench.model.instance import Instance

# Where no terminal says otherwise, wide enough for the tables.
_WIDTH = 110
_FULL = 1000


def show(*things: "RenderableType", full: bool = False) -> None:
    """Print tables and texts, each text in one line; *full*: as wide as they are, where no terminal is too narrow."""
    from offbench.files.escaping import in_terminal
    from offbench.files.narrow import fitting

    console = _stdout(_FULL if full else _WIDTH)
    for thing in things:
        console.print(fitting(in_terminal(thing), console))


def columns(full: bool = False) -> int:
    """Return how wide stdout is for `show`."""
    return _stdout(_FULL if full else _WIDTH).width


def _stdout(width_elsewhere: int) -> "Console":
    from rich.console import Console

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else width_elsewhere
    # Names come from users' files: brackets and colons in them mean nothing.
    return Console(width=width, markup=False, emoji=False, highlight=False)


def show_line(text: str, to_stderr: bool = False) -> None:
    """Print a text as one line, at once."""
    print(plain(text), file=sys.stderr if to_stderr else sys.stdout, flush=True)


def show_json(value: Any) -> None:
    """Print JSON in one object or list, and nothing else.

    Raises
    ------
    OffbenchError
        If a number in it isn't finite, which JSON can't say.
    """
    from offbench.files.escaping import in_json

    try:
        text = dumps(value, indent=2, allow_nan=False)
    except ValueError:
        raise OffbenchError("the instance's numbers are too large or too small: the result isn't finite") from None
    print(in_json(text))


@contextmanager
def prints_apart() -> Iterator[None]:
    """Send to stderr what the body prints, compiled libraries too: a solver's words must not land among the results."""
    from contextlib import redirect_stdout

    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # there is none
        kept = None
    try:
        if kept is not None:
            os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def load_evaluator(quiet: bool = False, instance: "Instance | None" = None) -> None:
    """Import the evaluator, for an *instance* or any, which is compiled the first time; say so if that takes long."""
    from offbench.cli.shared.progress import waiting

    with waiting("loading the evaluator (compiling it, the first time only)", quiet):
        from offbench.evaluation.evaluator import warm_up

        warm_up(instance)


def plural(count: int, noun: str) -> str:
    """Write ``1 task`` or ``2 tasks``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
