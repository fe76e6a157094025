"""How a command ends when it can't go on: one line, and an exit code."""

import os
import sys
from contextlib import suppress
from typing import Any

import typer
from typer.core import TyperGroup

from offbench.errors import OffbenchError

FAILED = 1
MISTAKE = 2


class OneLineErrors(TyperGroup):
    """A group of commands that tells a user's mistake in one line, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # a terminal without box characters is no reason to fail
        from offbench.cli.shared.interrupt import exit_code_of, signals_interrupt

        try:
            with signals_interrupt():
                result = super().invoke(ctx)
            sys.stdout.flush()  # here, where a broken pipe can still be caught
            return result
        except OffbenchError as error:
            say(str(error))
            raise typer.Exit(MISTAKE) from None
        except typer.BadParameter as error:  # typer's own check of a value
            say(error.format_message())
            raise typer.Exit(MISTAKE) from None
        except KeyboardInterrupt as interrupt:
            say("interrupted")
            raise typer.Exit(exit_code_of(interrupt)) from None
        except BrokenPipeError:  # the reader, perhaps `head`, has gone
            _no_more_output()
            raise typer.Exit(FAILED) from None
        except OSError as error:  # what no command foresaw: a disk that is full, a name that is too long
            if _from_solver(error):
                raise
            # Files are named wherever one is written; what prints has no name.
            say(f"{error.filename or 'the output'}: {error.strerror or error}")
            try:
                sys.stdout.flush()
            except OSError:
                _no_more_output()
            raise typer.Exit(MISTAKE) from None


def _from_solver(error: BaseException) -> bool:
    """Tell whether an error passed through a solver: then it is no user's mistake."""
    step = error.__traceback__
    while step is not None:
        if str(step.tb_frame.f_globals.get("__name__")).startswith(("offbench.solvers", "offbench_solver_")):
            return True
        step = step.tb_next
    return False


def _no_more_output() -> None:
    """Let what is still to be printed go nowhere, or Python complains of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(message: str) -> None:
    """Print one line to stderr, if anybody can still be told."""
    with suppress(OSError):  # a terminal that has gone
        print(f"offbench: {' '.join(message.splitlines())}", file=sys.stderr)
