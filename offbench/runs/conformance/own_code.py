"""Which code is a solver's own, and where in it something went wrong."""

import os
import sys
from types import TracebackType

from offbench.search.entries import PACKAGE
from offbench.search.solver import Solver

# Whoever is called by a solver and raises an `OffbenchError` was given something that isn't right.
_ASKED = ("offbench.search", "offbench.evaluation", "offbench.model.placement")


def own_files(solver: type[Solver]) -> list[str]:
    """Return the files, and folders of packages, that a solver's own code is in."""
    found = set()
    for each in solver.__mro__:
        name = each.__module__
        if not issubclass(each, Solver) or (name.split(".")[0] == "offbench" and not name.startswith(f"{PACKAGE}.")):
            continue
        module = sys.modules[name]
        top = PACKAGE if name.startswith(f"{PACKAGE}.") else name.split(".")[0]
        if module.__package__ and (folders := getattr(sys.modules.get(top), "__path__", None)):
            found |= {f"{os.path.realpath(folder)}{os.sep}" for folder in folders}
        elif module.__file__:
            found.add(os.path.realpath(module.__file__))
    return sorted(found)


def is_own(file: str, own: list[str]) -> bool:
    """Tell whether a file is one of `own_files`, or in one of its folders."""
    real = os.path.realpath(file)
    return any(real == each or (each.endswith(os.sep) and real.startswith(each)) for each in own)


def locate(trace: TracebackType | None, own: list[str]) -> tuple[str, bool]:
    """Return file and line of the deepest of a solver's own frames, and whether that called one of `_ASKED`."""
    where, asked = "", False
    while trace is not None:
        frame = trace.tb_frame
        if is_own(frame.f_code.co_filename, own):
            where, asked = f"{os.path.realpath(frame.f_code.co_filename)}:{trace.tb_lineno}", False
        elif where:
            asked = asked or str(frame.f_globals.get("__name__")).startswith(_ASKED)
        trace = trace.tb_next
    return where, asked
