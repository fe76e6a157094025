"""How a command ends when it can't go on: one line, and an exit code."""

import os
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from offbench.errors import OffbenchError

FAILED = 1
MISTAKE = 2
INTERRUPTED = 130


class OneLineErrors(TyperGroup):
    """A group of commands that tells a user's mistake in one line, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # a terminal without box characters is no reason to fail
        try:
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


def say(message: str) -> None:
    """Print one line to stderr."""
    print(f"offbench: {' '.join(message.splitlines())}", file=sys.stderr)
