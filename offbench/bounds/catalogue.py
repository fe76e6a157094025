"""The relaxations by name, from the quickest to the tightest.

All see the places that memories, deadlines and limits leave (`tightening`); beyond that they leave constraints out.
All but `areas` relax queueing, the spread of each task's delay and the choice of critical inputs (`subtask_costs`):
whatever these can be, a placement is at least as dear.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, wraps

from offbench.bounds import residual_cases
from offbench.bounds.area import area_bounds
from offbench.bounds.constraint_prices import Uses, less_admitted, priced
from offbench.bounds.frontier import Case, Program
from offbench.bounds.memory_stretches import stretch_bounds
from offbench.bounds.path_flows import by_length, flows
from offbench.bounds.relaxation import Relaxation
from offbench.bounds.slot_holding import SlotHolding, find_modules
from offbench.bounds.state_space import Group, Window, widest
from offbench.bounds.subtask_costs import Flow, SubtaskCosts
from offbench.evaluation.tightening import tightened
from offbench.model.arrays import WEIGHT
from offbench.model.problem import Problem

# States of the windows, one after another, as far as the tables have room and a stage doesn't take too long.
_STATES = (250, 1_000, 3_000, 7_000, 20_000, 50_000)
_LARGEST_TABLE = 60_000_000
_MOST_WORK = 50_000_000_000
_QUICK = 5_000_000_000

Parts = list[list[Case]]
Bounding = Callable[[Problem], Iterator[float]]


def _finite(bounds: Bounding) -> Bounding:
    """Leave out what is infinite: where no placement is feasible there is nothing to bound.

    Without coordination all of Q's addends are 0 or more, so no bound need be less, whatever rounding takes off it.
    """

    @wraps(bounds)
    def finite(problem: Problem) -> Iterator[float]:
        least = 0.0 if problem.arrays.weights[WEIGHT.coordination] == 0 else -math.inf
        return (max(value, least) for value in bounds(problem) if value < math.inf)

    return finite


@_finite
def _separate(problem: Problem) -> Iterator[float]:
    """Each subtask where it is cheapest, its inputs where that is cheapest for it; the balance 0."""
    problem = _tightened(problem)
    steps = _steps(problem)
    for flow in flows(problem):
        program = Program(problem, [[[step]] for step in steps.under(flow)])
        yield sum(float(stage.cost.min()) for stage in program.stages) - program.rounding


@_finite
def _areas(problem: Problem) -> Iterator[float]:
    """All work over all slots, where tasks or branches are in one another's way; the balance 0 (`area`)."""
    problem = _tightened(problem)
    yield from area_bounds(problem, _steps(problem))


@_finite
def _paths(problem: Problem) -> Iterator[float]:
    """Servers as one placement has them, as far as two live subtasks tell; the balance 0 (`frontier`)."""
    problem = _tightened(problem)
    steps = _steps(problem)
    for flow in flows(problem):
        yield Program(problem, _single(steps, flow), problem.n_servers**2).lower_bound(Window(problem.arrays, ()))


@_finite
def _windows(problem: Problem) -> Iterator[float]:
    """Also the counts, as far as a window shows their differences (`state_space`)."""
    # Where there are residual blocks, or modules, large windows are worth more with their cases.
    cases = _has_blocks(problem) or _may_hold(problem)
    yield from _in_windows(problem, _single, _STATES[:2] if cases else _STATES)


@_finite
def _memories(problem: Problem) -> Iterator[float]:
    """Also that a path must leave a server whose memory is full (`memory_stretches`); the balance 0."""
    if problem.constrained:
        problem = _tightened(problem)
        yield from stretch_bounds(problem, _steps(problem))


@_finite
def _blocks(problem: Problem) -> Iterator[float]:
    """Also which input of each residual block is critical (`residual_cases`)."""
    if _has_blocks(problem):
        yield from _in_windows(problem, lambda steps, flow: residual_cases.parts(steps.problem, steps, flow), _STATES)


@_finite
def _slots(problem: Problem) -> Iterator[float]:
    """Also that where some of a module wait, others of it don't (`slot_holding`)."""
    if not _may_hold(problem):
        return
    problem = _tightened(problem)
    steps = _steps(problem)
    found = [SlotHolding(steps, flow) for flow in (*flows(problem), by_length(problem))]
    held = [each for each in found if each.matters]
    if not held:
        return
    rows = problem.n_servers**2
    window = Window(problem.arrays, widest(problem.arrays, _STATES[0] // 8)[0])  # prices hardly depend on it
    values = [Program(problem, each.parts(each.prices), rows).lower_bound(window) for each in held]
    yield max(values)
    best = held[values.index(max(values))]
    yield from best.improve(window, rows)
    yield from _by_windows(problem, [best.parts(best.prices)], _STATES)


@_finite
def _prices(problem: Problem) -> Iterator[float]:
    """Also memories, deadlines and limits, but for a price (`constraint_prices`)."""
    if not problem.constrained:
        return
    problem = _tightened(problem)
    uses, m = Uses(problem), problem.n_servers
    window = Window(problem.arrays, widest(problem.arrays, _STATES[0])[0])
    if m**2 * window.n_states * problem.n_subtasks > _LARGEST_TABLE:  # there is a table of each subtask
        window = Window(problem.arrays, ())
    best = -math.inf, uses.nothing(), next(flows(problem))
    for flow in flows(problem):
        for value, prices in priced(problem, uses, flow, window):
            yield value
            if value > best[0]:
                best = value, prices, flow
    _, prices, flow = best
    if any(each.any() for each in prices):
        steps = SubtaskCosts(problem, charges=uses.charges(prices))
        for value in _by_windows(problem, [_single(steps, flow)], _STATES[1:]):
            yield less_admitted(value, prices)


def _may_hold(problem: Problem) -> bool:
    """Tell whether waiting in modules may be worth something: benefits only get smaller by it."""
    a = problem.arrays
    return bool(a.weights[WEIGHT.coordination] > 0) and not a.benefits and any(True for _ in find_modules(problem))


def _has_blocks(problem: Problem) -> bool:
    return any(True for _ in residual_cases.find_blocks(problem))


@lru_cache(maxsize=1)
def _tightened(problem: Problem) -> Problem:
    """Return the problem that relaxations see: with the places that constraints leave."""
    return tightened(problem)


@lru_cache(maxsize=1)
def _steps(problem: Problem) -> SubtaskCosts:
    """Return what makes the steps; one relaxation uses again what another worked out."""
    return SubtaskCosts(problem)


def _single(steps: SubtaskCosts, flow: Flow) -> Parts:
    return [[[step]] for step in steps.under(flow)]


def _in_windows(
    problem: Problem, parts: Callable[[SubtaskCosts, Flow], Parts], sizes: Sequence[int]
) -> Iterator[float]:
    """Yield bounds from ever larger windows, then with more live subtasks told apart."""
    problem = _tightened(problem)
    steps = _steps(problem)
    yield from _by_windows(problem, [parts(steps, flow) for flow in flows(problem)], sizes)


def _by_windows(problem: Problem, made: Sequence[Parts], sizes: Sequence[int]) -> Iterator[float]:
    """Yield the bounds of windows of ever more states: those wider than the best so far, and others that are quick."""
    m = problem.n_servers
    seen: set[tuple[tuple[Group, ...], int]] = set()
    best: tuple[float, tuple[Group, ...]] = -math.inf, ()
    for rows in (m**2, m**3):
        programs: list[Program] = []  # those of fewer rows aren't kept while there are more
        # Which flow is better shows in the first window; larger ones are worth their time only with that.
        programs = [Program(problem, each, rows) for each in made]
        values: list[float] = []
        for states in sizes:
            best_of_fewer = best[1]
            for groups in widest(problem.arrays, states):
                n_states = math.prod(group.states for group in groups)
                work = rows * m * n_states * problem.n_subtasks
                if (groups, rows) in seen or rows * n_states > _LARGEST_TABLE or work > _MOST_WORK:
                    continue
                if work > _QUICK and not _contains(groups, best_of_fewer):
                    continue
                seen.add((groups, rows))
                window = Window(problem.arrays, groups)
                if not values:
                    for program in programs:
                        values.append(program.lower_bound(window))
                        yield values[-1]
                    value = max(values)
                else:
                    value = programs[values.index(max(values))].lower_bound(window)
                    yield value
                best = max(best, (value, groups), key=lambda found: found[0])


def _contains(wide: Sequence[Group], narrow: Sequence[Group]) -> bool:
    """Tell whether a window is as wide as another one in every kind."""
    return all(any(set(a.servers) >= set(b.servers) and a.width >= b.width for a in wide) for b in narrow)


RELAXATIONS: tuple[Relaxation, ...] = (
    Relaxation("separate", "where the others are; queueing; balance", _separate),
    Relaxation("areas", "who runs when and on which slot; where inputs are; balance", _areas),
    Relaxation("paths", "all but two live servers; queueing; balance", _paths),
    Relaxation("windows", "the same, but of the balance only large differences", _windows),
    Relaxation("slots", "as windows, but where some of a module wait, others hold the slots", _slots),
    Relaxation("prices", "the same, but what exceeds a memory, deadline or limit is charged", _prices),
    Relaxation("memories", "queueing; balance; but a path leaves a server whose memory is full", _memories),
    Relaxation("blocks", "as windows, but knows the critical inputs of residual blocks", _blocks),
)
