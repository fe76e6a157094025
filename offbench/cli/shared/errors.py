"""How a command ends when it can't go on: one line, and an exit code."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from offbench.errors import OffbenchError, OffbenchWarning

FAILED = 1
MISTAKE = 2
INTERRUPTED = 130


class OneLineErrors(TyperGroup):
    """A group of commands that tells a user's mistake in one line, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # a terminal without box characters is no reason to fail
        try:
            with _warnings_in_one_line():
                result = super().invoke(ctx)
            sys.stdout.flush()  # here, where a broken pipe can still be caught
            return result
        except OffbenchError as error:
            say(str(error))
            raise typer.Exit(MISTAKE) from None
        except typer.BadParameter as error:  # typer's own check of a value
            say(error.format_message())
            raise typer.Exit(MISTAKE) from None
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:  # the reader, perhaps `head`, has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FAILED) from None
        except Exception as error:
            if not _tell_solvers(error):
                raise
            raise typer.Exit(FAILED) from None


def _tell_solvers(error: Exception) -> bool:
    """Show what a solver raised as its author needs it: where in the solver, and one line; False if none did."""
    from offbench.runs.blame import in_solver, told

    lines = in_solver(error)
    if lines is None:
        return False
    print("".join(lines), end="", file=sys.stderr)
    say(told(error))
    return True


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Print what is meant for the user (`OffbenchWarning`) as the command line prints errors, once."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", OffbenchWarning)
        others = warnings.showwarning
        told: set[str] = set()

        def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, OffbenchWarning) and str(message) not in told:
                told.add(str(message))
                say(str(message))
            elif not issubclass(category, OffbenchWarning):
                others(message, category, *where, **more)

        warnings.showwarning = show
        yield


def say(message: str) -> None:
    """Print one line to stderr."""
    print(f"offbench: {' '.join(message.splitlines())}", file=sys.stderr)
