"""How a command ends when it can't go on: one line, and an exit code."""

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import typer
from typer.core import TyperGroup

from offbench.errors import OffbenchError, OffbenchWarning, nearest
from offbench.files.plain import plain

FAILED = 1
MISTAKE = 2
LONGEST = 2000  # characters of a line, for names and numbers in files may have millions

# click's, which some versions of typer bring along under a name of their own
UsageError: Any = typer.BadParameter.__base__


class OneLineErrors(TyperGroup):
    """A group of commands that tells a user's mistake in one line, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        _take_closed_streams()
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # a terminal without box characters is no reason to fail
        from offbench.cli.shared.interrupt import exit_code_of, signals_interrupt

        try:
            with signals_interrupt(), _warnings_in_one_line():
                result = super().invoke(ctx)
            sys.stdout.flush()  # here, where a broken pipe can still be caught
            return result
        except OffbenchError as error:
            say(str(error))
            raise typer.Exit(MISTAKE) from None
        except UsageError as error:  # typer's own check of options, arguments and values
            say(_usage(error))
            raise typer.Exit(MISTAKE) from None
        except KeyboardInterrupt as interrupt:
            say("interrupted")
            raise typer.Exit(exit_code_of(interrupt)) from None
        except BrokenPipeError:  # the reader, perhaps `head`, has gone
            _no_more_output()
            raise typer.Exit(FAILED) from None
        except OSError as error:  # what no command foresaw: a disk that is full, a name that is too long
            if _tell_solvers(error):
                raise typer.Exit(FAILED) from None
            # Files are named wherever one is written; what prints has no name.
            say(f"{error.filename or 'the output'}: {error.strerror or error}")
            try:
                sys.stdout.flush()
            except OSError:
                _no_more_output()
            raise typer.Exit(MISTAKE) from None
        except MemoryError as error:
            if not _tell_solvers(error):
                say("not enough memory")
            raise typer.Exit(FAILED) from None
        except Exception as error:
            from offbench.search.watchdog import signal_behind

            if isinstance(error, SystemError) and isinstance(behind := signal_behind(error), KeyboardInterrupt):
                say("interrupted")  # in the middle of compiling
                raise typer.Exit(exit_code_of(behind)) from None
            if not _tell_solvers(error):
                raise
            raise typer.Exit(FAILED) from None


def _usage(error: Any) -> str:
    """Tell what is wrong with a command line, with the nearest option or command, or how to see them all."""
    told, near = " ".join(error.format_message().split()).rstrip("."), ""
    if error.ctx is not None:
        command = error.ctx.command
        if hasattr(error, "possibilities"):  # of an unknown option; ours are nearer than its own
            known = [name for each in command.get_params(error.ctx) if not each.hidden for name in each.opts]
            told, near = f"no such option '{error.option_name}'", nearest(error.option_name, known)
        elif (found := re.match(r"No such command '(.*?)'\.", error.message)) and hasattr(command, "commands"):
            told, near = f"no such command '{found[1]}'", nearest(found[1], list(command.commands))
    if error.ctx is not None and (extra := re.match(r"Got unexpected extra argument\S* \(([^\s)]+)", error.message)):
        near = _option_for(extra[1], error.ctx.command.get_params(error.ctx))
    if near or isinstance(error, typer.BadParameter):
        return told + near
    return f"{told}; '{error.ctx.command_path if error.ctx is not None else 'offbench'} --help' tells what there is"


def _option_for(word: str, parameters: Any) -> str:
    """Return the option that a stray word may be the value of: of a solver where the command takes one."""
    names = {name for each in parameters for name in each.opts}
    if "--solver" not in names:
        return ""
    from offbench.search.registry import catalogue

    return f"; did you mean --solver {word}?" if word in catalogue() else ""


def _take_closed_streams() -> None:
    """Put something in the place of streams that the shell has closed (``>&-``), or the next files would be them.

    What is printed then can't be, as on a full disk; what is told nobody reads.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is not None:
            continue
        with suppress(OSError):
            os.fstat(number)
            continue  # Python has none, but something is open
        opened = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        setattr(sys, name, open(number, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))  # noqa: SIM115


def _no_more_output() -> None:
    """Let what is still to be printed go nowhere, or Python complains of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell_solvers(error: Exception) -> bool:
    """Show what a solver raised as its author needs it: where in the solver, and one line; False if none did."""
    from offbench.runs.blame import in_solver, told

    lines = in_solver(error)
    if lines is None:
        return False
    print(plain("".join(lines), lines=True), end="", file=sys.stderr)
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
    """Print one line to stderr, if anybody can still be told."""
    with suppress(OSError):  # a terminal that has gone
        print(f"offbench: {plain(message, LONGEST)}", file=sys.stderr)
