"""Whose fault it is: what a solver raises bears its name, and none ends the program."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from offbench.errors import OffbenchError
from offbench.files.plain import plain
from offbench.search.budget import GaveUp, Infeasible, SearchEnded, SolverError

# What a solver may well raise, or lets pass.
_IN_ORDER = (SearchEnded, Infeasible, GaveUp, KeyboardInterrupt, OffbenchError)

# What stands between a run and the solver's own code.
_BETWEEN = (__name__, "offbench.runs.chosen", "offbench.runs.solve")

_LONGEST = 2000
"""characters of an exception's text"""


@contextmanager
def blaming(solver: str, instance: str) -> Iterator[None]:
    """Note in an exception of the body which solver raised it, and on which instance.

    Raises
    ------
    SolverError
        In place of a `SystemExit`, or of another exception that is no `Exception`, with its traceback: whoever runs
        solvers would let that pass, for all that ``except Exception`` catches, and the program would end.
    """
    try:
        yield
    except _IN_ORDER:
        raise
    except SystemExit as error:
        code = "" if error.code is None else plain(repr(error.code), _LONGEST)
        raise SolverError(f"solver '{solver}' called sys.exit({code})").with_traceback(error.__traceback__) from error
    except Exception as error:
        error.add_note(f"raised by solver '{solver}' on instance '{instance}'")
        raise
    except BaseException as error:
        said = f"{type(error).__name__}: {text_of(error)}".removesuffix(": ")
        told = f"solver '{solver}' raised {said}, which is no Exception"
        raise SolverError(told).with_traceback(error.__traceback__) from error


def told(error: BaseException) -> str:
    """Return an exception, and whose it is, in one line."""
    if isinstance(error, SolverError):
        return text_of(error)
    return "; ".join([f"{type(error).__name__}: {text_of(error)}".removesuffix(": "), *getattr(error, "__notes__", ())])


def text_of(error: BaseException, at_most: int = _LONGEST) -> str:
    """Return the text of an exception that is somebody else's, in one line and fit to be shown."""
    try:
        text = str(error)
    except Exception as another:  # its class has a method that fails
        text = f"its text can't be made: {type(another).__name__}"
    return plain(text, at_most)


def in_solver(error: BaseException) -> list[str] | None:
    """Return the lines of the traceback from the solver's own first frame on; None where no solver is to blame.

    None of them where it is for what it did, and not for what it raised.
    """
    own, step = None, error.__traceback__
    while step is not None:
        if step.tb_frame.f_globals.get("__name__") in _BETWEEN:
            own = step.tb_next
        step = step.tb_next
    if own is None:
        return [] if isinstance(error, SolverError) else None
    return ["Traceback (most recent call last):\n", *traceback.format_tb(own)]
