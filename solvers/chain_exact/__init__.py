"""Exact solving of one chain, or of small modules between pinned layers: window bounds, then label setting."""

import math

import numpy as np
from pydantic import Field

from offbench import P1, Infeasible, OffbenchError, Search, Solver, load
from offbench.bounds import Flow, Group, Guide, Program, Split, SubtaskCosts, Window, alone, sweep, warm_up, widest
from offbench.bounds.subtask_costs import SubtaskCost
from offbench.model.arrays import Ints
from offbench.model.problem import FEASIBLE

from .labels import Found, PricedGuide, sweep_within
from .modules import module_steps, rows_of
from .prices import best_prices, paid_off
from .resources import Layout, limited, of_chain, scarce

# A window's table has at most this many bytes, and a window this many states; small ones come first.
_TABLE_BYTES = 512 << 20
_STATES_PER_SUBTASK = 20
_STATES = (1_500, 50_000)
# Where a violation is so near to what is feasible last digits decide, and a label may displace one that has others.
_DOUBT = 1e-12
# Passes of label setting with little room first: they find good placements at once, and short chains need no more.
_ROOM = (1_000, 30_000)
# Between the small windows and the wide ones: each kind's states at first, and what is left to gain when evening
# the costs out no longer pays.
_SPLIT_STATES = 5_000
_GAIN = 0.05


class ChainExact(Solver):
    """Proven optimum of one chain, or of small modules between pinned layers: window bounds, then label setting.

    In a chain nothing queues, so without balance Q is a sum of costs that depend on the servers of a
    subtask and the one before, and with it of these and the differences of the counts. Windows of the
    counts (`offbench.bounds.state_space`) give bounds, and placements that mostly meet them. Where they
    don't, labels are set over all counts, guided by the windows: by small ones of both kinds together,
    then by wide ones of each kind, between which the costs are split (`offbench.bounds.lagrangian`).

    Rounding: steps are lower bounds in exact numbers (`subtask_costs`), and every bound is lowered by what the sums of
    steps can be off by (`Program.rounding`, `Split.rounding`). Of two labels that differ by less the one is dropped
    that seems dearer: the bound is that of the cheaper one, which is off by no more. Where a lowered bound leaves more
    than a proof may, the run ends as feasible.

    Memory, a deadline and limits are resources that the labels use up (`resources`, `labels`), guided by their prices
    (`prices`).

    The same solves the second of two steps where modules are small and nothing waits, such as residual
    blocks (`modules`).
    """

    labels: int = Field(default=1_000_000, ge=1)
    """labels kept after each subtask; beyond it those of least value stay, and the bound of the rest counts"""

    def warm_up(self) -> None:
        warm_up()
        problem = P1(load("alexnet"))
        needed = [np.zeros(problem.n_servers)] * problem.n_subtasks
        layout = Layout(problem, _steps(problem), [limited(needed, 1.0)], 1)
        window = Window(problem.arrays, ())
        tables = layout.program.to_go(window)
        sweep_within(layout, [PricedGuide(window, tables, np.zeros(1))], lambda: None, math.inf, 50)

    def solve(self, problem: P1, search: Search) -> None:
        refuse_several_tasks(problem)
        layout = _layout(problem, search)
        if problem.constrained and layout.program.lower_bound(Window(problem.arrays, ())) == math.inf:
            raise Infeasible("each way through the chain takes a subtask to where it does not fit or is late")
        if layout.resources:
            self._within(layout, search)
            return
        program = layout.program
        guides: list[Guide] = []
        seen: set[tuple[Group, ...]] = set()
        small = min(_STATES[0], _STATES_PER_SUBTASK * problem.n_subtasks)
        for states, rooms in ((small, _ROOM), (_STATES[1], (*_ROOM, self.labels))):
            if states != small:
                self._split(problem, program, search)
            for groups in widest(problem.arrays, min(states, _fitting(program))):
                if groups not in seen:
                    seen.add(groups)
                    window = Window(problem.arrays, groups)
                    tables = program.to_go(window, search.check)
                    guides.append(Guide(window, tables))
                    search.propose(program.cheapest(window, tables))
                    search.bound(program.bound_of(tables))
            for room in sorted({min(room, self.labels) for room in rooms}):
                _sweep(program, guides, search, room, program.rounding)

    def _within(self, layout: Layout, search: Search) -> None:
        """Set labels with resources, guided by windows with and without prices of these."""

        def propose(servers: Ints) -> float:
            search.propose(servers)
            return search.objective

        def bound(value: float) -> None:
            search.bound(min(value, search.objective))

        prices = best_prices(layout, propose, bound, search.check)
        guides: list[PricedGuide] = []
        rounding = 0.0
        seen: set[tuple[Group, ...]] = set()
        small = min(_STATES[0], _STATES_PER_SUBTASK * layout.problem.n_subtasks)
        for states, rooms in ((small, _ROOM), (_STATES[1], (*_ROOM, self.labels))):
            for groups in widest(layout.problem.arrays, min(states, _fitting(layout.program))):
                if groups in seen:
                    continue
                seen.add(groups)
                window = Window(layout.problem.arrays, groups)
                for each in (np.zeros_like(prices), prices) if prices.any() else (prices,):
                    program = layout.priced(each)
                    tables = program.to_go(window, search.check)
                    guides.append(PricedGuide(window, tables, each))
                    search.propose(program.cheapest(window, tables))
                    off = program.rounding + paid_off(layout, each)
                    rounding = max(rounding, off)
                    bound(float(tables[0][0, 0]) - float(each @ layout.most) - off)
            for room in sorted({min(room, self.labels) for room in rooms}):
                self._sweep_within(layout, guides, search, room, rounding)

    def _sweep_within(
        self, layout: Layout, guides: list[PricedGuide], search: Search, room: int, rounding: float
    ) -> None:
        least, doubtful = self._cheapest(sweep_within(layout, guides, search.check, _enough(search), room), search)
        if doubtful:
            found = sweep_within(layout, guides, search.check, _enough(search), room, margin=_DOUBT)
            least, _ = self._cheapest(found, search)
        if least == math.inf:
            raise Infeasible("no label is left: what is limited runs out on every way through the chain")
        search.bound(min(least - rounding, search.objective))

    def _cheapest(self, found: Found, search: Search) -> tuple[float, bool]:
        """Return the bound of what was found, and whether the evaluator's last digits said that a label is broken.

        Labels may break constraints by less than they see; then the next one counts.
        """
        doubtful = False
        for cost, servers in found.cheapest_first:
            if cost >= found.dropped:
                break
            _, (violation,) = search.propose_violations(servers[None])
            if violation <= FEASIBLE:
                return cost, doubtful
            doubtful |= bool(violation <= FEASIBLE + _DOUBT)
        return found.dropped, doubtful

    def _split(self, problem: P1, program: Program, search: Search) -> None:
        """Set labels under split costs, with ever wider windows."""
        split = Split(program, alone(problem.arrays, min(_SPLIT_STATES, _fitting(program) // 2)))
        more = True
        while more:
            gain = 1.0
            while gain > _GAIN:
                before = split.lower_bound
                split.improve(_enough(search), search.check)
                search.bound(min(split.lower_bound - split.rounding, _enough(search)))
                left = _enough(search) - before
                gain = (split.lower_bound - before) / left if left > 0 else 0.0
            for room in sorted({min(room, self.labels) for room in _ROOM}):
                _sweep(program, split.guides, search, room, split.rounding)
            more = split.wider(_TABLE_BYTES, search.check)
        _sweep(program, split.guides, search, self.labels, split.rounding)


def _enough(search: Search) -> float:
    """Return what meets the incumbent but for the tolerance of a proof: from there on nothing need be followed."""
    if search.objective == math.inf:
        return math.inf
    return search.objective - 0.5 * search.tolerance


def _sweep(program: Program, guides: list[Guide], search: Search, room: int, rounding: float) -> None:
    found = sweep(program, guides, search.check, _enough(search), room)
    if found.servers is not None:
        search.propose(found.servers)
    search.bound(min(found.lower_bound - rounding, search.objective))


def _fitting(program: Program) -> int:
    """Return how many states a window may have for its table to fit."""
    return max(1, _TABLE_BYTES // (8 * (1 + sum(len(stage.cost) for stage in program.stages))))


def refuse_several_tasks(problem: P1) -> None:
    """Raise an `OffbenchError` if *problem* has more than one task."""
    tasks = len(problem.arrays.arrival_s)
    if tasks != 1:
        raise OffbenchError(
            f"solver 'chain-exact' solves one task; instance '{problem.instance.name}' has {tasks}: use cp-sat or milp"
        )


def _layout(problem: P1, search: Search) -> Layout:
    """Return the program of a problem, with the resources that can run out."""
    if problem.is_chain:
        shape, rows, steps = problem, 1, _steps(problem)
        resources = of_chain(problem) if problem.constrained else []
    else:
        rows = rows_of(problem)
        shape, steps, resources = module_steps(problem, search)
    layout = Layout(shape, steps, resources, rows)
    return Layout(shape, steps, scarce(layout), rows) if resources else layout


def _steps(chain: P1) -> list[SubtaskCost]:
    """Return the steps of a chain, in which all of the delay passes through every subtask."""
    return SubtaskCosts(chain).under(Flow(np.ones(chain.n_subtasks), np.ones(chain.n_subtasks)))
