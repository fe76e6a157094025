"""The process that runs a job: ``python -m offbench.bench.child``, asked by `offbench.runs.process`."""

import os
import signal
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from offbench.bench.imported import Imported
from offbench.errors import InvalidPlacement, OffbenchError
from offbench.runs.blame import text_of
from offbench.runs.serve import Say, serve


def main() -> None:
    """Answer requests until there are no more."""
    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, lambda number, frame: None)  # schedulers tell every process; ours is ended by who asked
    serve(_greet, _answer)


def _greet() -> dict[str, Any]:
    # Before any run's clock starts: the evaluator is loaded, or compiled.
    from offbench.bench.machine import machine
    from offbench.evaluation.evaluator import warm_up

    warm_up()
    return {"machine": machine(), "started": datetime.now(UTC).isoformat(timespec="seconds")}


def _answer(request: dict[str, Any], say: Say) -> dict[str, Any]:
    """Run or rehearse what is asked for; return the solution, or why there is none."""
    before_s = _cpu_s()
    answer: dict[str, Any] = {}
    imported = Imported(request.get("modules", {}), request.get("others", {}))
    try:
        if "rehearse" in request:
            _rehearse(request["rehearse"])
        else:
            answer = {"solution": _solve(request, imported)}
    except BaseException as error:
        if isinstance(error, OffbenchError) and not isinstance(error, InvalidPlacement):
            answer = {"status": "refused", "message": text_of(error)}
        else:
            message = f"{type(error).__name__}: {text_of(error)}".removesuffix(": ")
            answer = {"status": "error", "message": message, "traceback": traceback.format_exc()}
    imported.look_once_more()
    return answer | {"as_told": imported.as_told, "cpu_s": _cpu_s() - before_s, "memory_mb": _memory_mb()}


def _rehearse(solver: str) -> None:
    """Compile what a solver has compiled once on a machine."""
    from offbench.search.parameters import configure
    from offbench.search.registry import find

    configure(find(solver), solver, {}).warm_up()


def _solve(request: dict[str, Any], imported: Imported) -> dict[str, Any]:
    from offbench.model.instance import parse
    from offbench.model.placement import Placement
    from offbench.runs.solve import solve
    from offbench.runs.two_step import solve_two_step

    instance, servers, policy = parse(request["instance"]), request.get("servers"), request.get("policy")
    budget = {name: request[name] for name in ("parameters", "seed", "time_limit", "max_evaluations")}
    budget["on_start"] = imported.look
    if policy is not None:
        solution = solve(instance, policy=policy, **budget)
    elif request.get("two_step"):
        solution = solve_two_step(instance, request["solver"], **budget)
    else:
        placement = None if servers is None else Placement(servers)
        solution = solve(instance, request["solver"], placement=placement, **budget)
    return solution.to_dict()


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _memory_mb() -> float | None:
    try:
        import resource
    except ImportError:  # a system without it
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
