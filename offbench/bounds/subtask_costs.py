"""Costs of subtasks: the least that each adds to the objective, by its server and those of its inputs.

Without the balance, Q is a sum over subtasks but for the delay of a task, which is that of its slowest
path. A *flow* spreads each task's delay over paths: it is a convex combination of them, so the delays on
it, weighted, are at most the task's. With it the rest of Q is a sum of steps, each of which depends on
the servers of a subtask and its inputs, on which input is critical, and on how long it queues. The first
stays, of the other two each step takes what is cheapest.

Rounding: an entry of a table is a handful of sums and products of its parts (delay, energy, cost, coordination), each
off by some last digits of the largest; the entry is lowered by more than that (`_DIGITS`), and for the shares of a
flow, which sum to 1 but for a digit for each subtask. So an entry is a lower bound in exact numbers. H alone stretches
errors: where little is left of a benefit, it is taken in exact numbers (`evaluation.benefits`), and that of a queued
delay is taken too large by some digits of 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.benefits import cost_left, delay_left, energy_left, is_near, left_of
from offbench.evaluation.compiled import compiled
from offbench.evaluation.tightening import ROOM
from offbench.model.arrays import INDICATOR, LINK, SCALE, WEIGHT, Arrays, Floats, Ints
from offbench.model.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def"

# A step's table has at most this many entries; a subtask with too many inputs for that forgets where some are.
_LARGEST_TABLE = 3_000_000
# Where it forgets anyway, a smaller one does: no more than two or three inputs are told apart (`frontier`).
_LARGEST_FORGETFUL_TABLE = 500_000
# Of all that is kept to be used again.
_MOST_KNOWN = 25_000_000
# `_gains` cuts the queued delays into at most so many intervals, until this much is known of the best gain.
_INTERVALS = 100
_TOLERANCE = 1e-7
# What an entry is lowered by, of its parts.
_DIGITS = 64 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Flow:
    """Shares of each task's delay (how much of it passes through what)."""

    subtask: Floats
    """through each subtask, shape ``(n_subtasks,)``"""
    transfer: Floats
    """through each input, in the order of ``Arrays.input_of``"""

    @classmethod
    def along(cls, problem: Problem, inputs: NDArray[np.int64]) -> "Flow":
        """Return the flow through one path of each task.

        Parameters
        ----------
        problem
            The problem.
        inputs
            The input through which the path comes to each subtask on it, -1 for the others.
        """
        shares = cls(np.zeros(problem.n_subtasks), np.zeros(len(problem.arrays.input_of)))
        on = inputs >= 0
        shares.subtask[on] = 1
        shares.transfer[inputs[on]] = 1
        return shares


@dataclass(frozen=True)
class SubtaskCost:
    """The least cost of one subtask."""

    inputs: tuple[int, ...]
    """subtasks whose servers matter"""
    cost: Floats
    """by their servers, then its own; infinite where it may not run"""


@dataclass(frozen=True)
class Assumed:
    """What is taken for granted of a subtask; times in seconds."""

    delay_s: float = np.inf
    """its delay is at most this"""
    transfer_s: float = np.inf
    """and each transfer to it at most this"""
    critical: int | None = None
    """this input is its critical one"""
    critical_s: float = -np.inf
    """and the transfer of that one takes longer than this"""


@dataclass(frozen=True)
class Charges:
    """What is charged beside Q (`constraint_prices`)."""

    indicators: Floats
    """of each task, for each indicator of its subtasks over its scale, shape ``(n_tasks, 3)``"""
    places: Floats
    """of each subtask at each place"""


class SubtaskCosts:
    """Makes the steps of a problem.

    Parameters
    ----------
    problem
        P1, or P2 whose servers are given.
    queueing
        False takes for granted that nothing queues: no bounds come from that, but guidance.
    charges
        What steps cost beside their part of Q.
    """

    def __init__(self, problem: Problem, queueing: bool = True, charges: Charges | None = None) -> None:
        a = problem.arrays
        self.problem = problem
        self._rates = np.tile(a.weights[WEIGHT.score] * a.weights[:3], (problem.n_tasks, 1))
        self._places = None
        if charges is not None:
            self._rates += charges.indicators
            self._places = charges.places
        self.never_queues = never_queues(problem) if queueing else np.ones_like(problem.allowed)
        self._horizon = _horizons(problem)
        self._known: dict[tuple[object, ...], Floats] = {}
        self._room = _MOST_KNOWN
        self._same_run = _alike(problem.arrays)

    def under(self, flow: Flow) -> list[SubtaskCost]:
        """Return the step of each subtask; copies share a table."""
        made: dict[tuple[object, ...], Floats] = {}
        steps = []
        for k in range(self.problem.n_subtasks):
            like = self._like(k, flow)
            if like in made and len(sources := self._sources(k)) == made[like].ndim - 1:
                steps.append(SubtaskCost(sources, made[like]))
            else:
                steps.append(self.step(k, flow.subtask[k], flow.transfer))
                made[like] = steps[-1].cost
        return steps

    def _like(self, k: int, flow: Flow) -> tuple[object, ...]:
        """Return what the step of a subtask depends on, but for the numbers of its sources."""
        task = self.problem.task_of[k]
        i = slice(*self.problem.arrays.input_start[k : k + 2])
        return (
            self._alike(k), self.problem.allowed[k].tobytes(), float(flow.subtask[k]), flow.transfer[i].tobytes(),
            float(self._horizon[task]), self._rates[task].tobytes(),
            b"" if self._places is None else self._places[k].tobytes(),
        )  # fmt: skip

    def _alike(self, k: int) -> tuple[object, ...]:
        """Return what its costs depend on beside what is allowed, charged and spread: the same for every copy."""
        a, n = self.problem.arrays, self.problem.n_subtasks
        inputs = tuple((float(a.input_mb[i]), a.input_of[i] < n) for i in self.problem.inputs_of(k))
        return self._same_run(k), inputs, self.never_queues[k].tobytes()

    def _sources(self, k: int) -> tuple[int, ...]:
        return tuple(source for source in self.problem.sources_of(k) if source < self.problem.n_subtasks)

    def step(self, k: int, share: float, transfers: Floats, assumed: Assumed | None = None) -> SubtaskCost:
        """Return the step of one subtask.

        Parameters
        ----------
        k
            The subtask.
        share
            Of the delay that passes through it.
        transfers
            The same for each input, as in `Flow`.
        assumed
            Nothing by default.
        """
        assumed = assumed or Assumed()
        a = self.problem.arrays
        n = self.problem.n_subtasks
        inputs = self.problem.inputs_of(k)
        placed = [i for i in inputs if a.input_of[i] < n]
        execution = a.execution_s[k]
        own = np.array([execution, a.run_energy_j[k], a.run_usd[k]]) / a.scale[:3, None]
        axes = _axes(self.problem, k, placed)
        if axes is None:
            forgetful = self._forgetful(k, own, share, transfers)
            return SubtaskCost((), np.where(self.problem.allowed[k], forgetful, np.inf))

        shape = axes.shape
        task = self.problem.task_of[k]
        of_delay, of_energy, of_cost = self._rates[task]
        possible = axes.lay_own(self.problem.allowed[k]).copy()
        execution = axes.lay_own(execution)
        spread = share * axes.lay_own(own[0])
        # In the evaluator's arithmetic, step by step: an indicator that attains its scale must be exactly 1, for the
        # cube root of a benefit of 1e-16 is no small thing.
        energy_j, cost_usd = np.zeros(shape), np.zeros(shape)
        still = np.array(axes.lay_own(self.never_queues[k]))  # read-only, it would be compiled for once more
        most = float(self._horizon[task])
        if assumed.delay_s < np.inf:
            most = min(most, float(assumed.delay_s / a.scale[SCALE.delay]))
        arriving = {}
        for i in inputs:
            sent_s, sent_j, sent_usd = (axes.lay(table, i) for table in _transfer(a, k, i))
            energy_j, cost_usd = energy_j + sent_j, cost_usd + sent_usd
            spread = spread + transfers[i] * (sent_s / a.scale[SCALE.delay])
            possible &= sent_s <= assumed.transfer_s
            if assumed.critical == i:
                possible &= sent_s > assumed.critical_s
            if assumed.critical in (None, i):
                arriving[i] = np.array(np.broadcast_to((execution + sent_s) / a.scale[SCALE.delay], shape))
        e = (energy_j + axes.lay_own(a.run_energy_j[k])) / a.scale[SCALE.energy]
        u = (cost_usd + axes.lay_own(a.run_usd[k])) / a.scale[SCALE.cost]
        gain = np.full(shape, -np.inf)
        counted = self._counted(k, axes, e, u) if a.weights[WEIGHT.coordination] > 0 else (e, u)
        # Takes longest, and is the same for every flow that has all of the delay here, and in every copy of a task.
        alike = self._alike(k)
        for i, t in arriving.items():
            known = (alike, i - inputs.start, of_delay * share, most, tuple(j - inputs.start for j in axes.kept))
            found = self._known.get(known)
            if found is None:
                x = self._delay_counted(k, i, axes, t) if a.weights[WEIGHT.coordination] > 0 else t
                found = _gains(
                    t.ravel(), x.ravel(), *(each.ravel() for each in counted), still.ravel(),
                    a.weights[WEIGHT.coordination], of_delay * share, most, a.lambdas, a.root, a.benefits,
                ).reshape(shape)  # fmt: skip
                if self._room >= found.size:
                    self._room -= found.size
                    self._known[known] = found
            gain = np.maximum(gain, found)
        parts = of_delay * spread * (1 + n / 8) + of_energy * e + of_cost * u + np.where(gain > -np.inf, gain, 0)
        if self._places is not None:
            charged = axes.lay_own(self._places[k])
            parts, gain = parts + charged, gain - charged
        cost = of_delay * spread + of_energy * e + of_cost * u - gain - _DIGITS * parts
        least = np.where(possible, cost, np.inf).min(axis=tuple(range(len(axes.kept) + 1, len(shape))))
        return SubtaskCost(tuple(int(a.input_of[i]) for i in axes.kept), least)

    def _counted(self, k: int, axes: "_Axes", e: Floats, u: Floats) -> tuple[Floats, Floats]:
        """Return energy and cost over their scales as they count: as benefits where these are wanted."""
        if not self.problem.arrays.benefits:
            return np.array(e), np.array(u)
        found = []
        for cost, exactly in ((e, energy_left), (u, cost_left)):
            left = left_of(cost)
            for entry in np.argwhere(is_near(cost)).tolist():
                at_inputs = [axes.place_of(i, entry) for i in self.problem.inputs_of(k)]
                left[tuple(entry)] = exactly(self.problem, k, entry[len(axes.kept)], at_inputs)
            found.append(left)
        return found[0], found[1]

    def _delay_counted(self, k: int, critical: int, axes: "_Axes", t: Floats) -> Floats:
        """Return the delay without queueing over its scale as it counts."""
        a = self.problem.arrays
        if not a.benefits:
            return t
        left = left_of(t)
        known: dict[tuple[int, int], float] = {}
        for entry in np.argwhere(is_near(t)).tolist():
            q, s = axes.place_of(critical, entry), entry[len(axes.kept)]
            if (q, s) not in known:
                known[q, s] = delay_left(self.problem, k, s, critical, q)
            left[tuple(entry)] = known[q, s]
        return left

    def by_own_server(self, flow: Flow) -> Floats:
        """Return the step of each subtask by its own place, its inputs where they may be and are cheapest.

        Without coordination inputs add up, so that each is looked at by itself: subtasks have many.
        """
        a = self.problem.arrays
        if a.weights[WEIGHT.coordination] > 0:
            return np.array([self._inputs_cheapest(step) for step in self.under(flow)])
        allowed = self.problem.allowed
        made: dict[tuple[object, ...], Floats] = {}
        costs = np.empty(allowed.shape)
        for k in range(self.problem.n_subtasks):
            like = self._like(k, flow), *(allowed[source].tobytes() for source in self._sources(k))
            if like not in made:
                own = np.array([a.execution_s[k], a.run_energy_j[k], a.run_usd[k]]) / a.scale[:3, None]
                forgetful = self._forgetful(k, own, flow.subtask[k], flow.transfer)
                made[like] = np.where(allowed[k], forgetful, np.inf)
            costs[k] = made[like]
        return costs

    def by_one_input(self, k: int, i: int, flow: Flow) -> Floats:
        """Return the step of one subtask by where its input *i* is and its own place, the other inputs as above.

        Shape ``(places, places)``; infinite where the input, or the subtask, may not be.
        """
        a, source = self.problem.arrays, int(self.problem.arrays.input_of[i])
        if a.weights[WEIGHT.coordination] > 0:
            step = self.step(k, flow.subtask[k], flow.transfer)
            kept = step.inputs.index(source) if source in step.inputs else None
            cost = np.broadcast_to(self._inputs_cheapest(step, kept), (self.problem.n_servers,) * 2)
        else:
            own = np.array([a.execution_s[k], a.run_energy_j[k], a.run_usd[k]]) / a.scale[:3, None]
            cost = np.where(self.problem.allowed[k], self._forgetful(k, own, flow.subtask[k], flow.transfer, i), np.inf)
        found = np.full(cost.shape, np.inf)
        at = self._places_of(source)
        found[at] = cost[at]
        return found

    def _inputs_cheapest(self, step: SubtaskCost, kept: int | None = None) -> Floats:
        """Return the step by its own place, and by that of one input if it is to be *kept*."""
        cost = step.cost
        others = [axis for axis in range(len(step.inputs)) if axis != kept]
        for axis in others:
            cost = cost.take(self._places_of(step.inputs[axis]), axis)
        least: Floats = cost.min(axis=tuple(others))
        return least

    def _places_of(self, source: int) -> Ints:
        """Return where an input may be: the places of a subtask, or the client that has the task's own."""
        if source >= self.problem.n_subtasks:
            return np.array([self.problem.arrays.client])
        return np.flatnonzero(self.problem.allowed[source])

    def _forgetful(self, k: int, own: Floats, share: float, transfers: Floats, kept: int | None = None) -> Floats:
        """Return the cost by its own server alone: each input where it is cheapest, H at its largest.

        If an input is to be *kept*, by its place as well, the first axis.

        By the inequality of the means the coupling is at most 3 / 27^(1/root).
        """
        a, task = self.problem.arrays, self.problem.task_of[k]
        of_delay, of_energy, of_cost = self._rates[task]
        cost = of_delay * share * own[0] + of_energy * own[1] + of_cost * own[2]
        most = np.array([np.full(len(own[0]), self._horizon[task]), own[1], own[2]])
        latest = np.zeros_like(own[0])
        for i in self.problem.inputs_of(k):
            at = self._places_of(int(a.input_of[i])) if i != kept else slice(None)
            t, e, u = (table[at] / scale for table, scale in zip(_transfer(a, k, i), a.scale, strict=False))
            sent = of_delay * transfers[i] * t + of_energy * e + of_cost * u
            cost = cost + (sent if i == kept else sent.min(axis=0))
            latest = np.maximum(latest, t.max(axis=0))
            most[1:] += e.max(axis=0), u.max(axis=0)
        still = self.never_queues[k]
        most[0, still] = (own[0] + latest)[still]
        if a.benefits:
            most = np.ones_like(most)
        gain = a.weights[WEIGHT.coordination] * np.sqrt(3 * 27 ** (-1 / a.root) * (a.lambdas @ most))
        if self._places is not None:
            cost = cost + self._places[k]
        forgetful: Floats = cost - gain - _DIGITS * (cost * (1 + self.problem.n_subtasks / 8) + gain)
        return forgetful


def never_queues(problem: Problem) -> NDArray[np.bool_]:
    """Tell where a subtask never queues, shape ``(n_subtasks, n_servers)``.

    It starts late only if every slot of its server was booked before it by another that completes
    after its ready time. Those it needs, and those that need it, are never such. So the others that
    may run there must be as many as the slots. At its client these are the subtasks of the same client.
    """
    a = problem.arrays
    slots = np.diff(a.slot_start.astype(np.int64))
    pool = np.broadcast_to(slots[: problem.n_servers], problem.allowed.shape).copy()
    pool[:, a.client] = slots[a.own_station]
    may = np.broadcast_to(problem.allowed.sum(axis=0, dtype=np.int64), problem.allowed.shape).copy()
    may[:, a.client] = np.bincount(a.own_station[problem.allowed[:, a.client]], minlength=len(slots))[a.own_station]
    others = may - problem.allowed
    for subtasks in map(problem.subtasks_of, range(problem.n_tasks)):
        if len(subtasks) <= 5000:  # beyond, a square of bits would be too large: assume that all may wait
            task = slice(subtasks.start, subtasks.stop)
            near = related(problem, subtasks).astype(np.float32)
            others[task] -= (near @ problem.allowed[task].astype(np.float32)).astype(np.int64)
    never: NDArray[np.bool_] = others < pool
    return never


def related(problem: Problem, subtasks: range) -> NDArray[np.bool_]:
    """Tell which subtasks of a task come before or after each other in its graph."""
    before = np.zeros((len(subtasks), len(subtasks)), np.bool_)
    for row, k in enumerate(subtasks):
        for source in problem.sources_of(k):
            if source in subtasks:
                before[row] |= before[source - subtasks.start]
                before[row, source - subtasks.start] = True
    found: NDArray[np.bool_] = before | before.T
    return found


def _horizons(problem: Problem) -> Floats:
    """Return what no standardised delay of each task's subtasks exceeds in a feasible placement.

    Everything one after another; and a subtask takes no longer than its task, or all tasks together, may.
    """
    a = problem.arrays
    table_of = tables_of_inputs(a)
    megabytes = np.bincount(table_of, weights=a.input_mb, minlength=len(a.link))
    slowest, latest_s = a.link[..., LINK.rate_mb_per_s].min(axis=(1, 2)), a.link[..., LINK.latency_s].max(axis=(1, 2))
    sent_s = megabytes / slowest + np.bincount(table_of, minlength=len(a.link)) * latest_s
    together = a.execution_s.max(axis=1).sum() + sent_s.sum()
    longest_s = float(together + (a.arrival_s.max() - a.arrival_s.min()))
    admitted_s = np.minimum(a.deadline_s, a.limit[INDICATOR.delay]) * ROOM
    longest: Floats = np.minimum(longest_s, admitted_s) / float(a.scale[SCALE.delay])
    return longest


def tables_of_inputs(a: Arrays) -> Ints:
    """Return of each input which of the tables in `Arrays.link` it goes by."""
    start = a.input_start.astype(np.int64)
    return np.repeat(a.links_of.astype(np.int64), start[1:] - start[:-1])


def _alike(a: Arrays) -> Callable[[int], tuple[object, ...]]:
    """Return what tells, of a subtask, all that its costs depend on beside its inputs: how it runs, and by which links.

    Equal means equal in exact numbers.
    """
    stated = np.hstack((a.client_power_w, a.usd_per_h))
    client = np.unique(stated, axis=0, return_inverse=True)[1].ravel()

    def facts(k: int) -> tuple[object, ...]:
        station = int(a.own_station[k])
        number = 0 if station == a.client else station - len(a.kind) + 1
        return int(a.links_of[k]), int(client[number]), a.execution_s[k].tobytes(), a.execution_rest_s[k].tobytes()

    return facts


def _transfer(a: Arrays, k: int, i: int) -> tuple[Floats, Floats, Floats]:
    """Return an input's transmission in seconds, its latency in it, and joules and dollars, from place to place.

    Each direction has its own link. What stays on a server takes nothing; what is sent takes its latency, also if it is
    0 MB, but no energy while it travels.
    """
    link = a.link[a.links_of[k]]
    seconds = a.input_mb[i] / link[..., LINK.rate_mb_per_s]
    late_s = seconds + link[..., LINK.latency_s]
    return late_s, link[..., LINK.power_w] * seconds, a.input_gb[i] * link[..., LINK.usd_per_gb]


class _Axes:
    """The axes of a subtask's table: the places of the inputs that it keeps, its own, and how the others come to it.

    Where the place of an input is forgotten, only what differs in its transfer is told apart; mostly that is little,
    for servers of a kind have like links.
    """

    def __init__(self, problem: Problem, k: int, kept: list[int], forgotten: dict[int, Ints]) -> None:
        self.kept = kept
        """inputs whose place has an axis"""
        self._forgotten = forgotten
        """of the others that are placed, by own place and number: a place that stands for all from which it is alike"""
        self._client = problem.arrays.client
        m = problem.n_servers
        self.shape = (*[m] * (len(kept) + 1), *(places.shape[1] for places in forgotten.values()))

    def lay_own(self, values: NDArray[Any]) -> NDArray[Any]:
        """Lay what depends on its own place alone."""
        return np.broadcast_to(values.reshape(-1, *[1] * len(self._forgotten)), self.shape)

    def lay(self, table: Floats, i: int) -> Floats:
        """Lay a table, from place to place, along an input's axis and its own; a task's input is at the client."""
        if i in self.kept:
            along = [
                len(table) if axis in (self.kept.index(i), len(self.kept)) else 1 for axis in range(len(self.shape))
            ]
            return np.broadcast_to(table.reshape(along), self.shape)
        if i not in self._forgotten:
            return self.lay_own(table[self._client])
        places = self._forgotten[i]
        along = [1] * len(self.shape)
        along[len(self.kept)], along[self._axis(i)] = places.shape
        return np.broadcast_to(table[places, np.arange(len(places))[:, None]].reshape(along), self.shape)

    def place_of(self, i: int, entry: list[int]) -> int:
        """Return the place of an input in an entry of the table."""
        if i in self.kept:
            return entry[self.kept.index(i)]
        if i not in self._forgotten:
            return self._client
        return int(self._forgotten[i][entry[len(self.kept)], entry[self._axis(i)]])

    def _axis(self, i: int) -> int:
        return len(self.kept) + 1 + list(self._forgotten).index(i)


def _axes(problem: Problem, k: int, placed: list[int]) -> _Axes | None:
    """Return axes that a table has room for: with the place of every input, or less; None if there are too many."""
    a, m = problem.arrays, problem.n_servers
    kept, forgotten = list(placed), dict[int, Ints]()
    size = m ** (len(placed) + 1)
    room = _LARGEST_TABLE if size <= _LARGEST_TABLE else min(_LARGEST_TABLE, _LARGEST_FORGETFUL_TABLE)
    # The cheapest to send first, for its place matters least; that of the subtask just before is always known.
    for i in sorted(placed, key=lambda i: (int(a.input_of[i]) == k - 1, float(a.input_mb[i]))):
        if size <= room:
            break
        kept.remove(i)
        forgotten[i] = _told_apart(a, k, i)
        size = size // m * forgotten[i].shape[1]
    return _Axes(problem, k, kept, forgotten) if size <= room else None


def _told_apart(a: Arrays, k: int, i: int) -> Ints:
    """Return places from which an input comes in different ways, by the place that it comes to."""
    ways = np.stack(_transfer(a, k, i), axis=-1)
    first = [np.unique(ways[:, s], axis=0, return_index=True)[1] for s in range(len(ways))]
    most = max(map(len, first))
    return np.array([np.pad(places, (0, most - len(places)), mode="edge") for places in first])


@compiled
def _gains(t, counted, e, u, still, worth, per_t, most, lambdas, root, benefits):
    """Return at least what coordination can gain over the cost of queueing, minus infinity beyond *most*.

    *t* is the delay over its scale, *counted*, *e* and *u* are the indicators as they count.

    A queued delay is tried on intervals: the largest H of each, the smallest delay. The interval that
    promises most is halved again and again; none of them promises less than its best delay gains. Servers of a
    kind have like links, so most entries are copies of others.
    """
    gain = np.empty(t.size)
    seen = np.full(1 << 16, -1)
    t_bits, e_bits, u_bits = counted.view(np.uint64), e.view(np.uint64), u.view(np.uint64)
    first, last, promise = np.empty(_INTERVALS), np.empty(_INTERVALS), np.empty(_INTERVALS)
    for x in range(t.size):
        if t[x] > most * (1 + 1e-12):
            gain[x] = -np.inf
            continue
        key = (t_bits[x] * np.uint64(0x9E3779B97F4A7C15) ^ e_bits[x]) * np.uint64(0x9E3779B97F4A7C15) ^ u_bits[x]
        slot = np.int64(key * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(48))
        copy = seen[slot]
        seen[slot] = x
        if (
            copy >= 0
            and t[copy] == t[x]
            and counted[copy] == counted[x]
            and e[copy] == e[x]
            and u[copy] == u[x]
            and still[copy] == still[x]
        ):
            gain[x] = gain[copy]
            continue
        gain[x] = worth * _largest(0.0, 0.0, counted[x], e[x], u[x], lambdas, root, benefits)
        if still[x] or worth == 0:
            continue
        first[0], last[0] = 0.0, max(0.0, most - t[x]) * (1 + 1e-12) + 1e-12 * t[x]
        promise[0] = worth * _largest(0.0, last[0], counted[x], e[x], u[x], lambdas, root, benefits)
        best, size = 0, 1
        while promise[best] > gain[x] + _TOLERANCE and size < _INTERVALS and per_t > 0:
            # The queueing is halved on a scale of ratios: H changes most where there is little of it.
            low, high = first[best], last[best]
            middle = np.sqrt(max(low, 1e-6 * high) * high)
            if not low < middle < high:
                break
            here = worth * _largest(middle, middle, counted[x], e[x], u[x], lambdas, root, benefits) - per_t * middle
            gain[x] = max(gain[x], here)
            first[size], last[size], last[best] = middle, high, middle
            for half in (best, size):
                at_most = worth * _largest(first[half], last[half], counted[x], e[x], u[x], lambdas, root, benefits)
                promise[half] = at_most - per_t * first[half]
            size += 1
            best = int(promise[:size].argmax())
        gain[x] = max(gain[x], promise[best])
    return gain


@compiled
def _largest(least, most, t, e, u, lambdas, root, benefits):
    """Return at least H (Eq. 10, 11) for every queueing delay from *least* to *most*; H itself where both are 0.

    All are over their scales; *t* is the delay without queueing. The indicators are as they count.

    With ``c = e + u`` and ``m`` their part of Y, H^2 is 3 (e u)^(1/root) times ``(λ1 t + m) / (t + c)``, which
    is monotone in t, times ``(t / (t + c))^(1/2)`` or, for root 3, ``t^(1/3)``, which grow.
    """
    low, high = t + least, t + most
    if benefits:
        low, high = max(0.0, t - most), t
        if least > 0:
            high = min(t, max(0.0, t - least) + 1e-15)
    if high <= 0 or e <= 0 or u <= 0:
        return 0.0
    c, m = e + u, lambdas[1] * e + lambdas[2] * u
    slope = max((lambdas[0] * low + m) / (low + c), (lambdas[0] * high + m) / (high + c))
    if root == 2:
        return np.sqrt(3 * np.sqrt(e * u) * np.sqrt(high / (high + c)) * slope)
    return np.sqrt(3 * np.cbrt(e * u) * np.cbrt(high) * slope)
