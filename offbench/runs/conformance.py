"""What every solver must do, whatever its idea: `offbench check SOLVER`.

A solver may have no placement to offer, if it says why, or if the time was too short. It may not break its budget,
leave `allowed`, differ from itself under one seed, break down on a strange instance, or outlive Ctrl-C.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from offbench.errors import InvalidPlacement, OffbenchError
from offbench.evaluation.evaluator import evaluate
from offbench.model.composition import compose
from offbench.model.instance import Instance, Layer, Task, load
from offbench.model.placement import Placement
from offbench.model.problem import P1
from offbench.runs.solution import Solution
from offbench.runs.solve import solve
from offbench.search.registry import find
from offbench.search.search import Search

Conclusion = Literal["passed", "refused", "failed"]

# Of the checks on small instances: evaluations, and seconds for those solvers that go on without any.
EVALUATIONS = 50
TIME_LIMIT_S = 30.0
# Of the check that runs repeat.
REPEATED_EVALUATIONS = 4_000
REPEATED_TIME_LIMIT_S = 1.0
# What a solver may take beyond its time limit: one that makes no proposals is ended by a signal 0.25 s after it, but
# compiled code goes on until it returns. Generous, for busy machines.
GRACE_S = 5.0
# Of the check with many subtasks, and how long a run lasts before Ctrl-C.
LARGE = 5_000
LARGE_TIME_LIMIT_S = 1.0
PRESS_AFTER_S = 0.3
PRESS_AGAIN_S = 5.0

_PROBLEMS: tuple[Literal["P1", "P2"], ...] = ("P1", "P2")


@dataclass(frozen=True)
class Verdict:
    """What one check came to."""

    check: str
    outcome: Conclusion
    """refused: the solver has no placement for this instance, or none in time, and says so"""
    detail: str = ""


class Fault(Exception):  # noqa: N818 - a finding about a solver
    """What a solver did wrong."""


class _Refused(Exception):  # noqa: N818 - no error
    """Why a solver has no placement."""


Check = Callable[[str, Literal["P1", "P2"]], None]


def conformance(solver: str, on_check: Callable[[str], None] = lambda title: None) -> Iterator[Verdict]:
    """Run all checks on a solver.

    Parameters
    ----------
    solver
        Its name, or the path of a file with one.
    on_check
        Called with each check's title before it runs.

    Yields
    ------
    Verdict
        For each check; of a solver of both problems, for each problem.

    Raises
    ------
    OffbenchError
        If there is no such solver.
    """
    solves = find(solver).solves
    for problem in _PROBLEMS:
        for title, check in CHECKS.items() if problem in solves else ():
            name = title if solves != "P1 and P2" else f"{title} ({problem})"
            on_check(name)
            yield _judge(name, partial(check, solver, problem))


def _judge(title: str, check: Callable[[], None]) -> Verdict:
    try:
        check()
    except _Refused as refusal:
        return Verdict(title, "refused", str(refusal))
    except Fault as fault:
        return Verdict(title, "failed", str(fault))
    except InvalidPlacement as error:
        return Verdict(title, "failed", str(error))
    except OffbenchError as error:
        return Verdict(title, "refused", str(error))
    except Exception as error:  # whatever a solver raises
        return Verdict(title, "failed", f"{type(error).__name__}: {error}")
    return Verdict(title, "passed")


def _on(make: Callable[[], Instance]) -> Check:
    """Return the check that a run on an instance is in order."""

    def check(solver: str, problem: Literal["P1", "P2"]) -> None:
        _required(_run(solver, problem, make(), max_evaluations=EVALUATIONS, time_limit=TIME_LIMIT_S))

    return check


def _run(
    solver: str,
    problem: Literal["P1", "P2"],
    instance: Instance,
    max_evaluations: int | None,
    time_limit: float,
    on_start: Callable[[Search], None] | None = None,
) -> Solution:
    """Run a solver and check what holds for every run."""
    given = None if problem == "P1" else _servers(instance)
    solution = solve(
        instance, solver, seed=1, max_evaluations=max_evaluations, time_limit=time_limit, placement=given,
        on_start=on_start,
    )  # fmt: skip
    if solution.stopped == "interrupted" and on_start is None:
        raise KeyboardInterrupt  # not ours
    if max_evaluations is not None and solution.evaluations > max_evaluations:
        raise Fault(f"{solution.evaluations} evaluations, but {max_evaluations} were allowed")
    if solution.seconds > time_limit + GRACE_S:
        raise Fault(f"took {solution.seconds:.1f} s, but {time_limit:g} s were allowed")
    if solution.placement is not None:
        _confirm(solution, given)
    return solution


def _confirm(solution: Solution, given: Placement | None) -> None:
    """Score the placement once more, on a problem made anew, which also checks servers and order."""
    assert solution.placement is not None
    servers = solution.placement.servers
    if given is not None and not np.array_equal(servers, given.servers):
        raise Fault("changed the servers that were given")
    evaluation = evaluate(P1(solution.instance), solution.placement)
    if evaluation.objective != solution.objective:
        raise Fault(f"reported Q = {solution.objective!r}, but the evaluator says {evaluation.objective!r}")


def _required(solution: Solution) -> Solution:
    if solution.placement is None:
        ended = f"no placement within its {solution.stopped}"
        if not solution.reason and solution.stopped == "finished":
            raise Fault("ended without a placement and without a reason; raise offbench.Infeasible with one")
        raise _Refused(solution.reason or ended)
    return solution


def _servers(instance: Instance) -> Placement:
    """Return servers for P2, drawn among those that are allowed."""
    rng = np.random.default_rng(1)
    return Placement([rng.choice(np.flatnonzero(row)) for row in P1(instance).allowed])


def _repeats(solver: str, problem: Literal["P1", "P2"]) -> None:
    # Half as many evaluations as a second allows, so that the clock has no say in it.
    once = _run(solver, problem, load("tiny-graphs"), REPEATED_EVALUATIONS, REPEATED_TIME_LIMIT_S)
    count = max(1, once.evaluations // 2)
    runs = [_run(solver, problem, load("tiny-graphs"), count, TIME_LIMIT_S) for _ in range(2)]
    if any(run.stopped == "time-limit" for run in runs):
        raise _Refused("ended by the clock, which no seed determines")
    first, again = (run.placement for run in runs)
    if first is None or again is None:
        _required(runs[0])
        raise Fault("the same seed gave a placement once, and none again")
    same = np.array_equal(first.servers, again.servers) and np.array_equal(_order(first), _order(again))
    if not same or runs[0].objective != runs[1].objective:
        raise Fault(f"the same seed gave Q = {runs[0].objective!r}, then {runs[1].objective!r}")


def _order(placement: Placement) -> list[int]:
    return [] if placement.order is None else placement.order.tolist()


def _one_evaluation(solver: str, problem: Literal["P1", "P2"]) -> None:
    _required(_run(solver, problem, load("tiny-graphs"), 1, TIME_LIMIT_S))


def _large(solver: str, problem: Literal["P1", "P2"]) -> None:
    _required(_run(solver, problem, chain(LARGE), None, LARGE_TIME_LIMIT_S))


def _ctrl_c(solver: str, problem: Literal["P1", "P2"]) -> None:
    if threading.current_thread() is not threading.main_thread():
        raise _Refused("signals come to the main thread alone, and this is another")
    started, ended = threading.Event(), threading.Event()

    def press() -> None:
        # Again where it is lost, as Python loses what comes while it destroys an object.
        started.wait(TIME_LIMIT_S)
        for after_s in (PRESS_AFTER_S, PRESS_AGAIN_S, PRESS_AGAIN_S):
            if ended.wait(after_s):
                break
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press, daemon=True)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread.start()
    try:
        try:
            solution = _run(solver, problem, load("resnet"), None, TIME_LIMIT_S, lambda search: started.set())
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # pressed just as the run ends, it means nothing
    except KeyboardInterrupt:  # the run was over already
        return
    finally:
        ended.set()
        started.set()
        thread.join()
        signal.signal(signal.SIGINT, before)
    if solution.stopped == "time-limit":
        raise Fault("went on after Ctrl-C until its time was up; a KeyboardInterrupt must get through")


def chain(layers: int) -> Instance:
    """Return one chain in the paper's environment."""
    made = [
        Layer(
            name=f"layer-{j}", gcycles=0.1 + 0.1 * (j % 7), output_mb=0.1 * (j % 5),
            inputs=(f"layer-{j - 1}",) if j else (),
        )
        for j in range(layers)
    ]  # fmt: skip
    return _composed(Task(name="chain", input_mb=0.574, layers=tuple(made)))


def _composed(task: Task, edges: int = 2, clouds: int = 2) -> Instance:
    network = load("alexnet").model_copy(update={"name": task.name, "tasks": (task,)})
    name = f"{task.name} of {len(task.layers)}, {edges} edges, {clouds} clouds"
    return compose(name, [network], [0.0], edges, clouds)


def _small(layers: int = 4, edges: int = 2, clouds: int = 2) -> Instance:
    task = load("alexnet").tasks[0]
    return _composed(task.model_copy(update={"layers": task.layers[:layers]}), edges, clouds)


CHECKS: dict[str, Check] = {
    "several tasks, pinned layers": _on(lambda: load("tiny-graphs")),
    "one chain": _on(_small),
    "one subtask": _on(lambda: _small(layers=1)),
    "one server": _on(lambda: _small(edges=0, clouds=0)),
    "no edges": _on(lambda: _small(edges=0)),
    "no clouds": _on(lambda: _small(clouds=0)),
    "one evaluation": _one_evaluation,
    "same seed, same placement": _repeats,
    f"{LARGE} subtasks in {LARGE_TIME_LIMIT_S:g} s": _large,
    "Ctrl-C": _ctrl_c,
}
"""Each check's title, and what runs it."""
