"""The process that solvers are tried in: ``python -m offbench.runs.conformance.child``, asked by ``worker``."""

import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from offbench.errors import OffbenchError
from offbench.runs.blame import text_of
from offbench.runs.conformance.own_code import locate, own_files
from offbench.runs.serve import Say, serve
from offbench.search.budget import SolverError
from offbench.search.parameters import configure
from offbench.search.registry import find

if TYPE_CHECKING:
    from offbench.runs.solution import Solution

_LONGEST = 300  # characters of an exception's text
_DUMP_S = 0.5  # before its end a process that doesn't stop tells where it is


def main() -> None:
    """Answer requests until one is to end."""
    child = Child()
    serve(child.greet, child.answer)


class Child:
    """Imports solvers and runs them."""

    def __init__(self) -> None:
        self._stderr = os.fdopen(os.dup(2), "w")
        self._own: dict[str, list[str]] = {}
        faulthandler.enable(self._stderr)

    def greet(self) -> dict[str, Any]:
        """Load the evaluator."""
        from offbench.evaluation.evaluator import warm_up

        warm_up()
        return {}

    def answer(self, request: dict[str, Any], say: Say) -> dict[str, Any] | None:
        """Do what is asked for; None to end."""
        does: dict[str, Callable[[], dict[str, Any]]] = {
            "import": lambda: self._import(request["solver"]),
            "warm up": lambda: self._warm_up(request["solver"]),
            "run": lambda: self._run(request, say),
        }
        if request["do"] not in does:
            return None
        before = Path.cwd()
        faulthandler.dump_traceback_later(max(0.1, request["hard_s"] - _DUMP_S), file=self._stderr)
        try:
            reply = does[request["do"]]()
        except BaseException as error:
            reply = self._fault(error, request["solver"])
        finally:
            faulthandler.cancel_dump_traceback_later()
        return reply | {"changes": _changes(before), "number": request["number"]}

    def _import(self, name: str) -> dict[str, Any]:
        try:
            solver = find(name)
        except OffbenchError as error:
            return {"mistake": str(error)}
        self._own[name] = own_files(solver)
        return {"solves": solver.solves, "own": self._own[name]}

    def _warm_up(self, name: str) -> dict[str, Any]:
        """Compile what a solver has compiled once on a machine."""
        configure(find(name), name, {}).warm_up()
        return {}

    def _run(self, request: dict[str, Any], say: Say) -> dict[str, Any]:
        from offbench.model.instance import parse
        from offbench.model.placement import Placement
        from offbench.runs.solve import solve

        instance, servers = parse(request["instance"]), request["servers"]
        with _watched(request["alarm"]), _interrupts(request["press"]) as pressed:
            solution = solve(
                instance, request["solver"], seed=request["seed"], time_limit=request["time_limit"],
                max_evaluations=request["max_evaluations"],
                placement=None if servers is None else Placement(servers),
                on_start=(lambda search: say({"started": True})) if request["press"] else None,
            )  # fmt: skip
        return {"over": True} if pressed else _facts(solution)

    def _fault(self, error: BaseException, solver: str) -> dict[str, Any]:
        raised = error.__cause__ if isinstance(error, SolverError) and error.__cause__ is not None else error
        where, asked = locate(raised.__traceback__, self._own.get(solver, []))
        text = text_of(error, _LONGEST)
        if isinstance(error, OffbenchError):
            # From the solver's own lines it is the reason why it has no placement.
            return {"fault": text, "where": where} if asked or not where else {"refused": text}
        kind = "" if isinstance(error, SolverError) else f"{type(error).__name__}: "
        return {"fault": f"{kind}{text}", "where": where}


def _changes(folder: Path) -> list[str]:
    """Return what a solver did to the process that the next one would suffer from."""
    changes = []
    try:
        moved = Path.cwd() != folder
    except OSError:  # it is gone
        moved = True
    if moved:
        changes.append("changes the working directory")
    for stream, number in (("stdout", 1), ("stderr", 2)):
        try:
            os.fstat(number)
            closed = getattr(sys, stream).closed
        except OSError:
            closed = True
        if closed:
            changes.append(f"closes sys.{stream}")
    return changes


def _facts(solution: "Solution") -> dict[str, Any]:
    """Return what a run found (`answer.Ran`)."""
    placement = solution.placement
    order = None if placement is None or placement.order is None else placement.order.tolist()
    return {
        "stopped": solution.stopped,
        "reason": solution.reason[:_LONGEST],
        "infeasible": solution.infeasible,
        "servers": None if placement is None else placement.servers.tolist(),
        "order": order,
        "objective": solution.objective,
        "lower_bound": solution.lower_bound,
        "seconds": solution.seconds,
        "evaluations": solution.evaluations,
        "trace": solution.trace,
    }


def _watched(wanted: bool) -> AbstractContextManager[object]:
    """Let the watchdog end a run or not; a solver must stop by itself where there is none."""
    return nullcontext() if wanted else patch("offbench.runs.solve.watchdog", lambda *given: nullcontext())


@contextmanager
def _interrupts(wanted: bool) -> Iterator[list[bool]]:
    """Let Ctrl-C come or not; append to the list if it came when the run was over."""
    late: list[bool] = []
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler if wanted else signal.SIG_IGN)
        try:
            yield late
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    except KeyboardInterrupt:
        if not wanted:
            raise
        late.append(True)


if __name__ == "__main__":
    main()
