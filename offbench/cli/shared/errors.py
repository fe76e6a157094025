"""How a command ends when it can't go on: one line, and an exit code."""

import os
import sys
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
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(FAILED) from None


def say(message: str) -> None:
    """Print one line to stderr."""
    print(f"offbench: {' '.join(message.splitlines())}", file=sys.stderr)
