"""The checks, in order, and how they are gone through."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

import numpy as np

from offbench.model.instance import Instance, load
from offbench.model.objectives import with_objective
from offbench.model.placement import Placement
from offbench.runs.conformance import instances, limits
from offbench.runs.conformance.trial import Kind, Run, Trial, attempt, required
from offbench.runs.conformance.verdict import Fault, Refused, Verdict
from offbench.runs.conformance.worker import Crew, Ended
from offbench.search.registry import locate

IMPORT = "import"
NOTHING_LEFT = "nothing left behind"
_KINDS: tuple[Kind, ...] = ("P1", "P2")


@dataclass(frozen=True)
class Check:
    """One thing that a solver must do."""

    title: str
    run: Callable[[Crew, str, Kind], None]
    """raises a `Fault`, or `Refused`"""
    longest_s: float
    """how long it may take at most"""


class ByTheClock(Refused):
    """A solver's runs can't be compared, as time decides what it does."""


CTRL_C = "Ctrl-C"


def checks() -> list[Check]:
    """Return the checks of P1, or of P2, in order."""
    small: dict[str, Callable[[], Instance]] = {
        "several tasks, pinned layers": lambda: load("tiny-graphs"),
        "several chains, queues": lambda: load("tiny-chains"),
        "one chain": instances.one_chain,
        "one graph": instances.one_graph,
        "one graph, score alone": instances.score_alone,
        "one subtask": lambda: instances.one_chain(layers=1),
        "one server": lambda: instances.one_chain(edges=0, clouds=0),
        "no edges": lambda: instances.one_chain(edges=0),
        "no clouds": lambda: instances.one_chain(clouds=0),
        "two phones, measured layers": instances.phones,
        "constraints that bind": instances.binding,
        "constraints that no placement keeps": instances.infeasible,
        "weights of 0": instances.nothing_weighs,
    }
    tiny = [lambda: load("tiny-graphs"), instances.one_chain, instances.score_alone]
    # The last of each has an objective without H and Z, for solvers that know no other.
    medium = [instances.queues, lambda: load("vgg19"), lambda: with_objective("vgg19", "score")]
    large = [lambda: load("resnet"), lambda: load("vgg19"), lambda: with_objective("resnet", "score")]
    huge = [instances.long_chain, lambda: with_objective(instances.long_chain(), "score")]
    one_s, by_evaluations_s = limits.hard_s(limits.TIME_LIMIT_S), limits.hard_s(None)
    return [
        *(Check(title, _small(make), one_s) for title, make in small.items()),
        Check("one evaluation", _first_fitting(tiny, _one_evaluation), 2 * one_s),
        Check(
            "same seed, same run", _first_fitting(medium, _repeats),
            2 * (limits.hard_s(limits.REPEATED_S) + 2 * by_evaluations_s),
        ),
        Check(
            f"{instances.LARGE} subtasks in {limits.LARGE_TIME_LIMIT_S:g} s", _first_fitting(huge, _large),
            limits.hard_s(limits.LARGE_TIME_LIMIT_S),
        ),
        Check(CTRL_C, _first_fitting(large, _ctrl_c), 2 * limits.hard_s(limits.CTRL_C_TIME_LIMIT_S)),
    ]  # fmt: skip


def longest_s() -> float:
    """Return how long all checks of a problem may take, without what is compiled once on a machine."""
    return (
        limits.IMPORT_S
        + sum(check.longest_s for check in checks())
        + limits.hard_s(limits.TIME_LIMIT_S)
        + 2 * limits.FIRST_RUN_S
        + limits.END_S
        + limits.FOLLOW_S
    )


def conformance(
    solver: str, on_check: Callable[[str], None] = lambda title: None, crew: Crew | None = None
) -> Iterator[Verdict]:
    """Run all checks on a solver, in processes of their own.

    Parameters
    ----------
    solver
        Its name, or the path of a file with one.
    on_check
        Called with each check's title before it runs.
    crew
        The processes, for several solvers one after the other; whether a solver leaves something behind in its
        process isn't checked then.

    Yields
    ------
    Verdict
        For each check; of a solver of both problems, for each problem.

    Raises
    ------
    OffbenchError
        If there is no such solver, or it can't be imported.
    """
    source, _ = locate(solver)
    if isinstance(source, Path):
        path, colon, name = solver.partition(":")
        solver = f"{Path(path).resolve()}{colon}{name}"
    with ExitStack() as stack:
        workers = stack.enter_context(Crew()) if crew is None else crew
        workers.first.start(solver)
        on_check(IMPORT)
        verdict, _ = _judge(IMPORT, lambda: workers.first.imported(solver))
        yield verdict
        if verdict.outcome != "passed":
            return
        workers.second.start(solver)
        solves = workers.first.imported(solver).solves
        ended = 0
        outcomes: set[str] = set()
        for kind in _KINDS:
            for check in checks() if kind in solves else ():
                title = check.title if solves != "P1 and P2" else f"{check.title} ({kind})"
                on_check(title)
                if ended >= limits.GIVE_UP:
                    yield Verdict(title, "skipped", f"{ended} trials had to be ended")
                    continue
                verdict, by_us = _judge(title, partial(check.run, workers, solver, kind))
                ended += by_us
                if check.title != CTRL_C:  # who ends at once passes that
                    outcomes.add(verdict.outcome)
                yield verdict
        if outcomes == {"refused"}:
            yield Verdict("some problem", "failed", "refused every problem that it was given")
        if crew is None:
            on_check(NOTHING_LEFT)
            if ended >= limits.GIVE_UP:
                yield Verdict(NOTHING_LEFT, "skipped", f"{ended} trials had to be ended")
            else:
                kind = "P2" if solves == "P2" else "P1"
                yield _judge(NOTHING_LEFT, lambda: _leaves_nothing(workers, solver, kind))[0]


def _judge(title: str, check: Callable[[], object]) -> tuple[Verdict, bool]:
    """Return what a check came to, and whether a trial had to be ended."""
    begun = monotonic()
    try:
        check()
    except Refused as refusal:
        return Verdict(title, "refused", str(refusal), seconds=monotonic() - begun), False
    except Fault as fault:
        verdict = Verdict(title, "failed", fault.what, fault.numbers, fault.where, monotonic() - begun)
        return verdict, isinstance(fault, Ended)
    return Verdict(title, "passed", seconds=monotonic() - begun), False


def _small(make: Callable[[], Instance]) -> Callable[[Crew, str, Kind], None]:
    """Return the check that a run on an instance is in order."""

    def check(crew: Crew, solver: str, kind: Kind) -> None:
        required(attempt(crew.first, solver, Trial(kind, make(), time_limit=limits.TIME_LIMIT_S)))

    return check


def _first_fitting(
    made: list[Callable[[], Instance]], run: Callable[[Instance, Crew, str, Kind], None]
) -> Callable[[Crew, str, Kind], None]:
    """Return the check on the first of some instances that a solver doesn't refuse."""

    def check(crew: Crew, solver: str, kind: Kind) -> None:
        for make in made[:-1]:
            try:
                return run(make(), crew, solver, kind)
            except ByTheClock:
                raise
            except Refused:
                continue
        return run(made[-1](), crew, solver, kind)

    return check


def _one_evaluation(instance: Instance, crew: Crew, solver: str, kind: Kind) -> None:
    required(attempt(crew.first, solver, Trial(kind, instance, 1, limits.TIME_LIMIT_S)))


def _repeats(instance: Instance, crew: Crew, solver: str, kind: Kind) -> None:
    """Compare two runs: one in a process that has made others, one in a new process."""
    # Half as many evaluations as a second allows, and no time limit, so that the clock has no say in it.
    once = required(
        attempt(
            crew.first, solver,
            Trial(kind, instance, limits.REPEATED_EVALUATIONS, limits.REPEATED_S, alarm=True),
        )
    )  # fmt: skip
    assert once is not None
    trial = Trial(kind, instance, max(1, once.evaluations // 2))
    try:
        runs = [attempt(worker, solver, trial) for worker in (crew.first, crew.second)]
    except Ended:
        raise ByTheClock(
            f"made {once.evaluations} evaluations in {limits.REPEATED_S:g} s, and not {trial.max_evaluations} in "
            f"{trial.hard_s:g} s without a time limit: goes by the clock, which no seed determines"
        ) from None
    first, again = (run for run in runs if run is not None)
    if first.placement is None or again.placement is None:
        if first.placement is again.placement:
            required(first)
        raise Fault("the same seed gave a placement once, and none again")
    if _objectives(first) != _objectives(again) or not _same(first.placement, again.placement):
        raise Fault(
            "the same seed gave two different runs; draw from search.rng, and let nothing else decide",
            f"Q = {first.objective!r}, then {again.objective!r}, after {trial.max_evaluations} evaluations",
        )


def _objectives(run: Run) -> list[float]:
    """Return the objectives that a run went through; when a bound came is the clock's affair."""
    return list(dict.fromkeys(point[2] for point in run.trace))


def _same(one: Placement, other: Placement) -> bool:
    orders = [[] if placement.order is None else placement.order.tolist() for placement in (one, other)]
    return np.array_equal(one.servers, other.servers) and orders[0] == orders[1]


def _large(instance: Instance, crew: Crew, solver: str, kind: Kind) -> None:
    trial = Trial(kind, instance, None, limits.LARGE_TIME_LIMIT_S, alarm=True)
    required(attempt(crew.second, solver, trial))


def _ctrl_c(instance: Instance, crew: Crew, solver: str, kind: Kind) -> None:
    trial = Trial(kind, instance, None, limits.CTRL_C_TIME_LIMIT_S, alarm=True, press=True)
    run = attempt(crew.second, solver, trial)
    if run is not None and run.stopped == "time-limit":
        raise Fault("went on after Ctrl-C until its time was up; a KeyboardInterrupt must get through")


def _leaves_nothing(crew: Crew, solver: str, kind: Kind) -> None:
    """Make a run, and let its process end."""

    def run(instance: Instance, crew: Crew, solver: str, kind: Kind) -> None:
        attempt(crew.second, solver, Trial(kind, instance, time_limit=limits.TIME_LIMIT_S))

    _first_fitting([instances.one_chain, instances.score_alone], run)(crew, solver, kind)
    crew.second.end()
