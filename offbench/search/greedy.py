"""The paper's greedy construction (section 5.1): the best immediate choice, subtask by subtask."""

import numpy as np

from offbench.evaluation.booking import station_of
from offbench.evaluation.compiled import borrowed, compiled, inlined
from offbench.evaluation.coordination import h
from offbench.evaluation.held_weights import there
from offbench.evaluation.insertion import empty, find_slot, placement_of, put
from offbench.evaluation.kernel import score_of
from offbench.evaluation.prefixes import Prefixes
from offbench.evaluation.workspace import unpack
from offbench.model.arrays import LINK, SCALE, WEIGHT, Ints
from offbench.model.instance import load
from offbench.model.placement import Placement
from offbench.model.problem import FEASIBLE, Problem
from offbench.search.search import Search

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

# Subtasks that one more one delays are booked anew as long as there are so many of them at most, some seconds.
_MOST_BOOKINGS = 50_000_000
# Subtasks that are put between two looks at the clock.
_AT_ONCE = 500


def greedy(search: Search) -> Ints:
    """Return the servers that the greedy chooses (`greedy_placement`).

    Returns
    -------
    numpy.ndarray
        Server indices, shape ``(n_subtasks,)``.

    Raises
    ------
    SearchEnded
        If the search ends before.
    """
    return greedy_placement(search).servers


def greedy_placement(search: Search) -> Placement:
    """Return the placement that the greedy chooses; it never looks ahead, and proposes nothing.

    For each subtask in turn the server, the first of several, with which Q of the subtasks so far is least, by
    `Problem.merit` where there are constraints.

    Of a chain, and of tasks that come one after another, that takes time that grows with the subtasks. Where many tasks
    compete for slots each subtask delays many others, and what is booked anew grows with the square. If that exceeds
    fifty million bookings, another measure is taken (`by_insertion`), the same only where nobody waits, and the
    placement has a dispatch order of its own.

    Raises
    ------
    SearchEnded
        If the search ends before.
    """
    problem = search.problem
    servers, n = problem.everything_on(problem.arrays.client), problem.n_subtasks
    prefixes, bookings, decided = Prefixes(problem), 0, 0
    while decided < n:
        search.check()
        upto = min(n, decided + _AT_ONCE)
        bookings += prefixes.choose(servers, upto, _MOST_BOOKINGS - bookings)
        if bookings > _MOST_BOOKINGS:
            return by_insertion(problem, search)
        decided = int(prefixes.decided[0])
        if decided < upto:  # 16 digits are too few for the next one
            servers[decided] = search.next_objectives(servers, decided).argmin()
            bookings += decided * problem.n_servers
            decided += 1
            prefixes.go_on(servers[None], np.array([decided]))
    return Placement(servers)


def by_insertion(problem: Problem, search: Search) -> Placement:
    """Return the greedy's placement where one more subtask moves nothing that is booked.

    It takes the first gap of the server that is long enough, and Q is what it is with that. First come, first served,
    it would go before those that are ready later and delay them, and Q of all would have to be known anew. So a subtask
    waits longer here, and nobody waits for it. The placement has its dispatch order; booked in that
    no subtask starts later than meant.

    Raises
    ------
    SearchEnded
        If the search ends before.
    """
    made, n = empty(problem), problem.n_subtasks
    ceiling = problem.ceiling if problem.constrained else 1.0
    sums, imbalances = np.zeros(6), np.zeros(2, np.int64)
    latest = np.zeros(problem.n_tasks)
    count = np.zeros(problem.n_servers, np.int64)
    more_than = np.zeros((3, n + 1), np.int64)
    task = problem.task_of
    for first in range(0, n, _AT_ONCE):
        search.check()
        _put(
            *problem.packed, problem.allowed, first, min(n, first + _AT_ONCE), task, ceiling, made, sums, imbalances,
            latest, count, more_than,
        )  # fmt: skip
    return placement_of(made, np.arange(n))


@compiled
def _put(
    ints, floats, allowed, first, stop, task, ceiling, made, sums, imbalances, latest, count, more_than
):  # fmt: skip
    """Put subtasks *first* to *stop*, each where Q so far is least.

    *sums*, of what is put: delay, energy, cost, H, violation of memories and of deadlines; *imbalances*: Z after the
    last subtask, and the sum of all. *latest*: when each task is complete, after its arrival. *count*, *more_than*: as
    in `kernel.balance_of`.
    """
    p = borrowed(unpack(ints, floats))
    made, allowed, task = borrowed(made), borrowed(allowed), borrowed(task)
    sums, imbalances, latest = borrowed(sums), borrowed(imbalances), borrowed(latest)
    count, more_than = borrowed(count), borrowed(more_than)
    for k in range(first, stop):
        i = task[k]
        best, best_merit, best_slot, best_start_s = -1, np.inf, 0, np.inf
        best_sums = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]
        for s in range(p.kind.size):
            if not allowed[k, s]:
                continue
            ready_s, transmission_s, energy, cost = _sent(p, made, k, s)
            slot, start_s = find_slot(p, made, k, s, ready_s)
            delay_s = p.execution_s[k, s] + transmission_s + (start_s - ready_s)
            energy, cost = energy + p.run_energy_j[k, s], cost + p.run_usd[k, s]
            coordination = 0.0
            if p.weights[WEIGHT.coordination] > 0:
                coordination = h(
                    delay_s / p.scale[SCALE.delay], energy / p.scale[SCALE.energy], cost / p.scale[SCALE.cost],
                    p.lambdas, p.root, p.benefits,
                )  # fmt: skip
            took_s = max(latest[i], start_s + p.execution_s[k, s] - p.arrival_s[i])
            memory, late = sums[4], sums[5]
            if not there(p, made.cells, made.held, k, s):
                station = station_of(p, k, s)
                held_mb, memory_mb = made.held.mb[station], p.memory_mb[station]
                memory += max(0.0, (held_mb + p.weights_mb[k]) / memory_mb - 1) - max(0.0, held_mb / memory_mb - 1)
            if p.deadline_s[i] < np.inf:
                late += max(0.0, took_s / p.deadline_s[i] - 1) - max(0.0, latest[i] / p.deadline_s[i] - 1)
            now = (
                sums[0] + (took_s - latest[i]), sums[1] + energy, sums[2] + cost, sums[3] + coordination, memory, late
            )  # fmt: skip
            merit = _merit(p, now, imbalances[1] + _imbalance(p, imbalances, count, more_than, s), ceiling)
            if best < 0 or merit < best_merit:
                best, best_merit, best_slot, best_start_s, best_sums = s, merit, slot, start_s, now
        put(p, made, k, best, best_slot, best_start_s)
        for each in range(sums.size):
            sums[each] = best_sums[each]
        latest[i] = max(latest[i], made.end_s[k] - p.arrival_s[i])
        imbalances[0] = _imbalance(p, imbalances, count, more_than, best)
        imbalances[1] += imbalances[0]
        more_than[p.kind[best], count[best]] += 1
        count[best] += 1


@inlined
def _sent(p, made, k, s):
    """Return when what subtask *k* reads is at place *s*, how long the critical input was on its way, energy, cost."""
    ready_s, transmission_s, energy, cost = -np.inf, 0.0, 0.0, 0.0
    for i in range(p.input_start[k], p.input_start[k + 1]):
        source, table = p.input_of[i], p.links_of[k]
        at = made.servers[source]
        sent_s = p.input_mb[i] / p.link[table, at, s, LINK.rate_mb_per_s]
        there_s = made.end_s[source] + (sent_s + p.link[table, at, s, LINK.latency_s])
        if there_s > ready_s:
            ready_s, transmission_s = there_s, sent_s + p.link[table, at, s, LINK.latency_s]
        energy += p.link[table, at, s, LINK.power_w] * sent_s
        cost += p.input_gb[i] * p.link[table, at, s, LINK.usd_per_gb]
    return ready_s, transmission_s, energy, cost


@inlined
def _imbalance(p, imbalances, count, more_than, s):
    """Eq. 12 with one more subtask at place *s*."""
    kind = p.kind[s]
    return imbalances[0] + np.int64(p.peers[kind]) - 2 * more_than[kind, count[s]]


@inlined
def _merit(p, sums, imbalances, ceiling):
    """Return `Problem.merit` of what is added up."""
    delay, energy, cost, coordination, memory, late = sums
    objective = (
        p.weights[WEIGHT.score] * score_of(p, delay, energy, cost)
        - p.weights[WEIGHT.coordination] * coordination
        + p.weights[WEIGHT.balance] * imbalances / p.scale[SCALE.balance]
    )
    if not p.constrained:
        return objective
    violation = max(0.0, memory) + max(0.0, late)
    violation += max(0.0, delay / p.limit[0] - 1) + max(0.0, energy / p.limit[1] - 1) + max(0.0, cost / p.limit[2] - 1)
    return objective if violation <= FEASIBLE else ceiling * (1 + violation)


def warm_up() -> None:
    """Load the compiled code, or compile it if it never ran here; for `Solver.warm_up`."""
    problem = Problem(load("tiny-chains"))
    greedy_placement(Search(problem))


def warm_up_insertion() -> None:
    """Do the same for `by_insertion`, which few instances need: its first run on a machine pays for compiling it."""
    problem = Problem(load("tiny-chains"))
    by_insertion(problem, Search(problem))
