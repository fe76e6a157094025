"""A Pareto front of feasible placements, and where the solvers' placements lie."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offbench.errors import OffbenchError
from offbench.evaluation.evaluator import evaluate, totals_of_many
from offbench.evaluation.kernel import TOTALS
from offbench.files.escaping import file_names
from offbench.model.instance import Instance
from offbench.model.placement import Placement
from offbench.model.problem import P1
from offbench.runs.solution import Solution
from offbench.runs.solve import solve
from offbench.search.archive import INDICATORS, Floats, Front, dominated, hypervolume, spread
from offbench.search.registry import names_with
from offbench.search.search import Search


@dataclass(frozen=True)
class Point:
    """A placement and what it amounts to."""

    by: str
    """the solver"""
    name: str
    """of the placement: a number on the front, else the solver"""
    placement: Placement
    values: Floats
    """`archive.INDICATORS`"""
    objective: float
    dominated_by: int
    """how many placements of the front are better, whether shown or not"""


@dataclass(frozen=True)
class Pareto:
    """A front and other solvers' placements.

    Raises
    ------
    ValueError
        If the front is empty.
    """

    instance: Instance
    by: str
    """the solver that found the front"""
    front: list[Point]
    """by delay; if it has more placements than wanted, those that lie far apart"""
    others: list[Point]
    singles: list[Point]
    """everything on one server, where that is feasible; by "device" for the client"""
    size: int
    """of the whole front"""
    hypervolume: float
    """of the whole front: the share of the box from 0 to *reference* that it dominates"""
    reference: Floats
    """the largest delay, energy and cost of everything on one server"""
    refusals: tuple[str, ...]
    """solvers without a placement, and why"""
    interrupted: bool

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each point, ready for CSV or JSON."""
        for point in (*self.front, *self.others):
            yield {
                "by": point.by, "point": point.name, **dict(zip(INDICATORS, point.values.tolist(), strict=True)),
                "objective": point.objective, "dominated_by": point.dominated_by,
            }  # fmt: skip

    @property
    def files(self) -> list[str]:
        """What each point's file is called, in the order of `rows`, without an ending."""
        return file_names(point.name for point in (*self.front, *self.others))

    @property
    def knee(self) -> Point:
        """The point nearest to the least of all three, each counted as a share of the front's range."""
        values = np.array([point.values for point in self.front])
        span = np.ptp(values, axis=0)
        shares = (values - values.min(axis=0)) / np.where(span > 0, span, 1)
        return self.front[int(np.linalg.norm(shares, axis=1).argmin())]


class NoFront(OffbenchError):  # noqa: N818 - what is missing, as `Infeasible`
    """Nothing was found to make a front of, which is no mistake of the user."""


def front_solver() -> str:
    """Return the name of the solver that finds the front (`Solver.finds_front`), the first if there are several.

    Raises
    ------
    OffbenchError
        If none is here.
    """
    found = names_with("finds_front")
    if not found:
        raise OffbenchError("no solver here finds a Pareto front, or the library that it needs isn't installed")
    return found[0]


def pareto(
    instance: Instance,
    solvers: Sequence[str],
    *,
    time_limit: float,
    time_limit_each: float,
    most: int,
    seed: int = 0,
    on_run: Callable[[str], None] = lambda name: None,
    on_search: Callable[[Search], None] = lambda search: None,
) -> Pareto:
    """Search for the front, then run other solvers.

    Parameters
    ----------
    instance, seed
        Of all runs.
    solvers
        Those whose placements are to be compared.
    time_limit, time_limit_each
        Seconds for the front, and for each solver.
    most
        How many points of the front are shown.
    on_run, on_search
        Called with the name of what runs next, and with its search.

    Raises
    ------
    OffbenchError
        If nothing feasible was found, or no solver here finds a front.
    """
    front = Front()

    def collect(search: Search) -> None:
        search.front = front
        on_search(search)

    finder = front_solver()
    on_run(finder)
    found = solve(instance, finder, seed=seed, time_limit=time_limit, on_start=collect)
    if not len(front):
        raise NoFront(_nothing(found, time_limit))
    interrupted = found.stopped == "interrupted"
    problem = P1(instance)
    others: list[Point] = []
    refusals: list[str] = []
    for name in solvers:
        if interrupted:
            break
        on_run(name)
        try:
            solution = solve(instance, name, seed=seed, time_limit=time_limit_each, on_start=on_search)
        except OffbenchError as error:
            refusals.append(str(error))
            continue
        interrupted = solution.stopped == "interrupted"
        if solution.placement is not None and solution.feasible:
            others.append(_point(problem, front, solution.solver, solution.solver, solution.placement))
        else:
            refusals.append(f"{name}: {solution.reason or _nothing(solution, time_limit_each)}")
    reference = _reference(problem)
    chosen = spread(front.values, most)
    return Pareto(
        instance=instance,
        by=finder,
        front=[_point(problem, front, finder, str(number), front.placements[i]) for number, i in enumerate(chosen)],
        others=others,
        singles=_singles(problem, front),
        size=len(front),
        hypervolume=hypervolume(front.values, reference),
        reference=reference,
        refusals=tuple(refusals),
        interrupted=interrupted,
    )


def _nothing(found: Solution, time_limit: float) -> str:
    """Say that a run found no placement, or none that is feasible and what the best of the others breaks most."""
    name = found.instance.name
    if found.infeasible:
        return f"no placement of '{name}' keeps all constraints: {found.reason}"
    if not found.breaches:
        return f"no placement of '{name}' within {time_limit:g} s"
    return f"no feasible placement of '{name}' within {time_limit:g} s; the best found breaks most: {found.breaches[0]}"


def _point(problem: P1, front: Front, by: str, name: str, placement: Placement) -> Point:
    evaluation = evaluate(problem, placement)
    values = np.array([getattr(evaluation, indicator) for indicator in INDICATORS])
    worse_than = int(sum(dominated(values[None], row[None])[0] for row in front.values))
    return Point(by, name, placement, values, evaluation.objective, worse_than)


def _singles(problem: P1, front: Front) -> list[Point]:
    found = []
    for place in range(problem.n_servers):
        name = problem.server_name(0, place)
        by = "device" if place == problem.arrays.client else name
        placement = Placement(problem.everything_on(place))
        if evaluate(problem, placement).feasible:
            found.append(_point(problem, front, by, name, placement))
    return found


def _reference(problem: P1) -> Floats:
    rows = np.array([problem.everything_on(s) for s in range(problem.n_servers)])
    totals = totals_of_many(problem, rows)[:, [TOTALS.index(name) for name in INDICATORS]]
    largest: Floats = totals.max(axis=0)
    return largest
