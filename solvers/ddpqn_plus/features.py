"""What the agent sees: facts of each server, and a summary of the rest, both of a width that no instance changes.

Every fact is a share, a difference of counts, or a part of the objective over the instance's *unit*, the mean change
that a subtask of the reference placement makes to Q. So they mean the same in instances of any size.

Where instances have constraints there are more facts. Without constraints these are not there, and nothing else
depends on them; so what is learnt without is what it was before there were any.
"""

from collections.abc import Sequence
from math import copysign, log1p
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offbench import P1, load
from offbench.environment import Episodes
from offbench.environment.observation import possible
from offbench.environment.outlook import CONSTRAINT, constraint_facts, latest_of, next_free, source_of, transfers
from offbench.environment.penalty import penalty_of
from offbench.evaluation.compiled import borrowed, compiled, inlined, keep
from offbench.evaluation.coordination import h as coordination
from offbench.evaluation.prefix import SUM, prefix_of
from offbench.evaluation.workspace import unpack
from offbench.model.arrays import LINK, SCALE, WEIGHT
from offbench.model.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]

# Subtasks looked ahead at.
AHEAD = 4


class ServerFact(NamedTuple):
    """Where the facts of a server stand. All of objectives and counts are squashed."""

    is_there: int = 0
    is_edge: int = 1
    is_cloud: int = 2
    execution: int = 3
    """parts of the delay"""
    transmission: int = 4
    waiting: int = 5
    energy: int = 6
    cost: int = 7
    coordination: int = 8
    now: int = 9
    """how much worse than the best server it is for the subtask itself"""
    later: int = 10
    """what comes later if the output is there"""
    in_all: int = 11
    """how much worse than the best server it is with what comes later"""
    imbalance: int = 12
    above_mean: int = 13
    """subtasks more than the servers of its kind have on average"""
    above_least: int = 14
    below_most: int = 15
    holds_last: int = 16
    """whether the subtask before is there"""
    holds_inputs: int = 17
    """share of the inputs that are there"""
    speed: int = 18
    price: int = 19
    delay: int = 20
    """what the latest completion of the task grows by"""


class Summary(NamedTuple):
    """Where what isn't about a server stands, behind the servers; then a `_LayerAhead` for each of `AHEAD`."""

    left: int = 0
    left_in_all: int = 1
    imbalance: int = 2
    balance_unit: int = 3
    edges: int = 4
    clouds: int = 5
    inputs: int = 6
    readers: int = 7
    left_of_task: int = 8
    elapsed: int = 9
    tasks_left: int = 10


class _LayerAhead(NamedTuple):
    into: int = 0
    work: int = 1


class Limits(NamedTuple):
    """Where what is about constraints and not about a server stands, behind all else."""

    delay_left: int = 0
    """of the limits, as shares; 1 without one"""
    energy_left: int = 1
    cost_left: int = 2
    energy_spare: int = 3
    """less what all the rest needs at least"""
    cost_spare: int = 4
    weights_left: int = 5
    """all weights from here on over all memory"""


FACT, SUMMARY, LAYER, LIMIT = ServerFact(), Summary(), _LayerAhead(), Limits()
SERVER = len(FACT)
GLOBAL = len(SUMMARY) + len(LAYER) * AHEAD


class Widths(NamedTuple):
    """How many numbers an observation has."""

    server: int = SERVER
    """of each server"""
    rest: int = GLOBAL
    """of all else"""


def widths(constrained: bool) -> Widths:
    """Return the widths with or without what is about constraints."""
    return Widths(SERVER + len(CONSTRAINT), GLOBAL + len(LIMIT)) if constrained else Widths()


@inlined
def _squash(x):
    return copysign(log1p(abs(x)), x)


@compiled
def onward_costs(ints, floats, allowed):
    """Return what it costs later that a subtask's output is on each server, shape ``(subtasks, servers)``.

    A relaxation: nothing queues, nobody counts, each reader takes this output from here and has its others at hand.
    """
    own = np.zeros(allowed.shape), np.empty(allowed.shape[1])
    p, allowed = borrowed(unpack(ints, floats)), borrowed(allowed)
    onward, here = borrowed(own)
    n, m = allowed.shape
    for k in range(n - 1, -1, -1):
        # onward[k] is complete: all readers come later.
        least = np.inf
        for s in range(m):
            least = min(least, onward[k, s])
        for s in range(m):
            onward[k, s] -= least
        for i in range(p.input_start[k], p.input_start[k + 1]):
            source = p.input_of[i]
            if source >= n:
                continue
            table = p.links_of[k]
            for s in range(m):
                best = np.inf
                for d in range(m):
                    if not allowed[k, d]:
                        continue
                    sent = p.input_mb[i] / p.link[table, s, d, LINK.rate_mb_per_s]
                    energy = p.run_energy_j[k, d] + p.link[table, s, d, LINK.power_w] * sent
                    cost = p.run_usd[k, d] + p.input_gb[i] * p.link[table, s, d, LINK.usd_per_gb]
                    sent += p.link[table, s, d, LINK.latency_s]
                    t = (p.execution_s[k, d] + sent) / p.scale[SCALE.delay]
                    e, u = energy / p.scale[SCALE.energy], cost / p.scale[SCALE.cost]
                    h = coordination(t, e, u, p.lambdas, p.root, p.benefits)
                    score = p.weights[WEIGHT.delay] * t + p.weights[WEIGHT.energy] * e + p.weights[WEIGHT.cost] * u
                    q = p.weights[WEIGHT.score] * score - p.weights[WEIGHT.coordination] * h
                    best = min(best, q + onward[k, d])
                here[s] = best
            for s in range(m):
                onward[source, s] += here[s]
    keep(own)
    return own[0]


@compiled
def onward_times(ints, floats, allowed):
    """Return how long a task takes at least once a subtask is complete at each place, shape ``(subtasks, places)``."""
    own = np.zeros(allowed.shape)
    p, allowed, onward = borrowed(unpack(ints, floats)), borrowed(allowed), borrowed(own)
    n, m = allowed.shape
    for k in range(n - 1, -1, -1):
        table = p.links_of[k]
        for i in range(p.input_start[k], p.input_start[k + 1]):
            source = p.input_of[i]
            if source >= n:
                continue
            for s in range(m):
                least = np.inf
                for d in range(m):
                    if allowed[k, d]:
                        link = p.link[table, s, d]
                        sent = p.input_mb[i] / link[LINK.rate_mb_per_s] + link[LINK.latency_s]
                        least = min(least, sent + p.execution_s[k, d] + onward[k, d])
                onward[source, s] = max(onward[source, s], least)
    keep(own)
    return own


class _Known(NamedTuple):
    """What no action changes."""

    ahead: Any
    onward: Any
    unit: Any
    speed: Any
    """of each place for each task, over the fastest"""
    price: Any
    """likewise, over the dearest"""
    penalty: Any
    """what a violation of 1 is worth, over the unit"""
    onward_s: Any
    """how long a task takes at least after each subtask at each place, as long as nothing queues"""
    rest: Any
    """energy and cost of each subtask and all after it, and their weights over all memory, at least"""


class _Counts(NamedTuple):
    """How the decided subtasks are spread: over servers, and over kinds."""

    on: Any
    """on each server"""
    total: Any
    """on each kind: together, on the server that has most, on the one that has least"""
    most: Any
    least: Any
    servers: Any
    """how many servers a kind has"""


@compiled
def _observe(
    ints, floats, allowed, known, most, width, shared, reals, counts, servers, decided, completion, used, found
):  # fmt: skip
    """Fill *found*: facts of each server for the subtask at hand, then those of all; zeros at an episode's end."""
    p, m = borrowed(unpack(ints, floats)), allowed.shape[1]
    counted = _Counts(np.empty(m), np.empty(3), np.empty(3), np.empty(3), np.zeros(3))
    own = counted, np.empty(m), np.empty((m, len(CONSTRAINT)))
    spread, at_hand, limits = borrowed(own)
    allowed, known, shared, reals = borrowed(allowed), borrowed(known), borrowed(shared), borrowed(reals)
    counts = borrowed(counts)
    servers, decided, completion, found = borrowed(servers), borrowed(decided), borrowed(completion), borrowed(found)
    used = borrowed(used)
    for s in range(m):
        spread.servers[p.kind[s]] += 1
    for row in range(decided.size):
        found[row, :] = 0
        if decided[row] < allowed.shape[0]:
            _observe_one(
                p, borrowed(prefix_of(p, shared, reals[row], counts[row])), allowed, known, spread, at_hand, limits,
                most, width, servers[row], decided[row], completion[row], used[row], found[row],
            )  # fmt: skip
    keep(own)


@inlined
def _observe_one(
    p, x, allowed, known, counts, at_hand, limits, most, width, servers, k, completion, used, found
):  # fmt: skip
    """Observe one episode, at subtask *k*."""
    n, m = allowed.shape
    balance = p.weights[WEIGHT.balance] / p.scale[SCALE.balance] / known.unit
    of_delay = p.weights[WEIGHT.score] * p.weights[WEIGHT.delay] / p.scale[SCALE.delay] / known.unit
    _count(p, x, counts)
    imbalance = x.sums[SUM.imbalance]
    task = x.task_of[k]
    latest = latest_of(p, x, k)
    at_hand[:] = 0
    into = 0.0
    for i in range(p.input_start[k], p.input_start[k + 1]):
        at_hand[source_of(p, i, servers)] += p.input_mb[i]
        into += p.input_mb[i]
    best_now, best_all = -np.inf, -np.inf
    for s in range(m):
        ready, sent, energy, cost = transfers(p, k, s, servers, completion)
        run = p.execution_s[k, s]
        wait = max(0.0, next_free(p, x, k, s, completion) - ready)
        done = ready + wait + run
        t = (done - sent) / p.scale[SCALE.delay]
        e = (energy + p.run_energy_j[k, s]) / p.scale[SCALE.energy]
        u = (cost + p.run_usd[k, s]) / p.scale[SCALE.cost]
        h = p.weights[WEIGHT.coordination] * coordination(t, e, u, p.lambdas, p.root, p.benefits) / known.unit
        d_part = of_delay * max(0.0, done - latest)
        e_part = p.weights[WEIGHT.score] * p.weights[WEIGHT.energy] * e / known.unit
        u_part = p.weights[WEIGHT.score] * p.weights[WEIGHT.cost] * u / known.unit
        kind = p.kind[s]
        change = _change_of_imbalance(p, s, counts)
        now = h - d_part - e_part - u_part - balance * (imbalance + change)
        later = known.onward[k, s] / known.unit
        if p.constrained:
            constraint_facts(
                p, x, task, k, s, used, latest, done, energy + p.run_energy_j[k, s], cost + p.run_usd[k, s], limits[s]
            )
            now -= known.penalty * limits[s, CONSTRAINT.breaks]
            # What the rest of the task takes at least is gone, too.
            left = limits[s, CONSTRAINT.deadline_left]
            limits[s, CONSTRAINT.deadline_left] -= known.onward_s[k, s] / p.deadline_s[task]
            later += known.penalty * (max(0.0, -limits[s, CONSTRAINT.deadline_left]) - max(0.0, -left))
        fact = found[s * width.server : (s + 1) * width.server]
        fact[FACT.is_there] = 1
        fact[FACT.is_edge] = kind == 1
        fact[FACT.is_cloud] = kind == 2
        fact[FACT.execution] = _squash(of_delay * run)
        fact[FACT.transmission] = _squash(of_delay * (ready - sent))
        fact[FACT.waiting] = _squash(of_delay * wait)
        fact[FACT.energy] = _squash(e_part)
        fact[FACT.cost] = _squash(u_part)
        fact[FACT.coordination] = _squash(h)
        fact[FACT.now] = now
        fact[FACT.later] = later
        fact[FACT.imbalance] = change / max(1.0, counts.servers[kind] - 1)
        fact[FACT.above_mean] = _squash(counts.on[s] - counts.total[kind] / counts.servers[kind])
        fact[FACT.above_least] = _squash(counts.on[s] - counts.least[kind])
        fact[FACT.below_most] = _squash(counts.most[kind] - counts.on[s])
        fact[FACT.holds_last] = k > 0 and servers[k - 1] == s
        fact[FACT.holds_inputs] = at_hand[s] / into if into > 0 else 0.0
        fact[FACT.speed] = known.speed[task, s]
        fact[FACT.price] = known.price[task, s]
        fact[FACT.delay] = _squash(d_part)
        if allowed[k, s]:
            best_now = max(best_now, now)
            best_all = max(best_all, now - later)
    for s in range(m):
        fact = found[s * width.server : (s + 1) * width.server]
        now, later = fact[FACT.now], fact[FACT.later]
        fact[FACT.now] = _squash(best_now - now)
        fact[FACT.later] = _squash(later)
        fact[FACT.in_all] = _squash(best_all - now + later)
    summary = found[most * width.server :]
    task_end = p.task_start[task + 1]
    summary[SUMMARY.left] = (n - k) / n
    summary[SUMMARY.left_in_all] = log1p(n - k) / 5
    summary[SUMMARY.imbalance] = _squash(imbalance / m)
    summary[SUMMARY.balance_unit] = _squash(balance * m * 10)
    summary[SUMMARY.edges] = counts.servers[1] / 10
    summary[SUMMARY.clouds] = counts.servers[2] / 10
    summary[SUMMARY.inputs] = (p.input_start[k + 1] - p.input_start[k]) / 4
    summary[SUMMARY.readers] = (p.reader_start[k + 1] - p.reader_start[k]) / 4
    summary[SUMMARY.left_of_task] = (task_end - k) / (task_end - p.task_start[task])
    summary[SUMMARY.elapsed] = _squash(of_delay * (latest - p.arrival_s[task])) / 5
    summary[SUMMARY.tasks_left] = log1p(p.arrival_s.size - task - 1) / 2
    for j in range(min(AHEAD, n - k)):
        layer = summary[len(SUMMARY) + len(LAYER) * j :]
        layer[LAYER.into] = known.ahead[k + j, LAYER.into]
        layer[LAYER.work] = known.ahead[k + j, LAYER.work]
    if width.server == SERVER:
        return
    for s in range(m):
        fact = found[s * width.server + SERVER : (s + 1) * width.server]
        fact[:] = 0
        fact[CONSTRAINT.memory_left] = fact[CONSTRAINT.deadline_left] = _squash(1.0)
        if p.constrained:
            for i in range(len(CONSTRAINT)):
                fact[i] = _squash(limits[s, i])
            fact[CONSTRAINT.breaks] = _squash(known.penalty * limits[s, CONSTRAINT.breaks])
    rest = summary[GLOBAL:]
    for indicator in range(3):
        rest[LIMIT.delay_left + indicator] = _squash(1 - used[indicator] / p.limit[indicator])
    for i in range(2):
        rest[LIMIT.energy_spare + i] = _squash(1 - (used[1 + i] + known.rest[k, i]) / p.limit[1 + i])
    rest[LIMIT.weights_left] = _squash(known.rest[k, 2])


@inlined
def _count(p, x, counts):
    """Count the decided subtasks."""
    counts.total[:] = 0
    counts.most[:] = 0
    counts.least[:] = np.inf
    for s in range(p.kind.size):
        kind = p.kind[s]
        counts.on[s] = x.count[s]
        counts.total[kind] += counts.on[s]
        counts.most[kind] = max(counts.most[kind], counts.on[s])
        counts.least[kind] = min(counts.least[kind], counts.on[s])


@inlined
def _change_of_imbalance(p, s, counts):
    """Return what one subtask more on server *s* changes in Z."""
    kind = p.kind[s]
    if kind == 0:
        return 0.0
    more = 0
    for other in range(p.kind.size):
        if p.kind[other] == kind and other != s and counts.on[other] > counts.on[s]:
            more += 1
    return counts.servers[kind] - 1 - 2 * more


class ServerObserver:
    """What `offbench.environment.Observer` is for the shared network: an observation depends on the actions as a whole.

    Parameters
    ----------
    problems
        What is observed. An observation has room for the servers of the one that has most.
    constrained
        Whether it has what is about constraints; by default where one of the problems has any.
    """

    def __init__(self, problems: Sequence[Problem], constrained: bool | None = None) -> None:
        self.most = max(problem.n_servers for problem in problems)
        self.constrained = any(problem.constrained for problem in problems) if constrained is None else constrained
        self.widths = widths(self.constrained)
        self.dynamic = self.width = self.most * self.widths.server + self.widths.rest
        self.first_state = np.cumsum([0, *(problem.n_subtasks + 1 for problem in problems)])
        self._allowed = np.zeros((int(self.first_state[-1]), self.most), dtype=np.bool_)
        for first, problem in zip(self.first_state.tolist(), problems, strict=False):
            n, m = problem.allowed.shape
            self._allowed[first : first + n, :m] = possible(problem)
            self._allowed[first + n, :m] = True

    def masks(self, states: Ints) -> NDArray[np.bool_]:
        """Return the places `possible` for the subtask at hand, shape ``(rows, most)``; any at the end."""
        return self._allowed[states]

    def compose(self, dynamic: Floats32, states: Ints, out: Floats32) -> Floats32:
        """Copy observations."""
        out[:] = dynamic
        return out


class ProblemFeatures:
    """What observations of a problem are made of and no action changes.

    Parameters
    ----------
    problem
        What is observed.
    reference
        Servers of the placement that everything is measured by.
    onward
        Whether the cost of what comes later is seen.
    penalty
        As in `Episodes`.
    """

    def __init__(self, problem: Problem, reference: Ints, onward: bool = True, penalty: float | None = None) -> None:
        self.problem = problem
        self.penalty = penalty_of(problem, penalty)
        """what a violation of 1 takes off the rewards"""
        episode = Episodes(problem, 1, penalty=self.penalty)
        objectives = [episode.objective[0]]
        for k in problem.free:
            episode.step(reference[[k]])
            objectives.append(episode.objective[0])
        self.unit = float(np.abs(np.diff(objectives)).sum() / problem.n_subtasks) or 1.0
        """change of Q that a subtask of the reference makes, on average"""
        a = problem.arrays
        costs = onward_costs(*problem.packed, problem.allowed) if onward else np.zeros(problem.allowed.shape)
        into = np.add.reduceat(a.input_mb, a.input_start[:-1].astype(np.int64))
        # Roots, because most layers are small beside the largest.
        ahead = np.sqrt(np.stack([into / (into.max() or 1), a.gcycles / (a.gcycles.max() or 1)], axis=1))
        self._known = _Known(
            ahead, costs, self.unit, _speeds(problem), _prices(problem), self.penalty / self.unit,
            onward_times(*problem.packed, problem.allowed), _rest(problem),
        )  # fmt: skip

    def observe(self, episodes: Episodes, observer: ServerObserver) -> Floats32:
        """Return what is seen in each episode, shape ``(episodes, observer.width)``."""
        prefixes, found = episodes.prefixes, np.empty((len(episodes), observer.width), dtype=np.float32)
        _observe(
            *self.problem.packed, self.problem.allowed, self._known, observer.most, observer.widths, prefixes.shared,
            prefixes.reals, prefixes.counts, episodes.servers, episodes.decided, episodes.completion, episodes.used,
            found,
        )  # fmt: skip
        return found


def _speeds(problem: Problem) -> Floats:
    """Return how fast each place is for each task, over the fastest: GHz; where seconds are measured, all it takes."""
    instance, places = problem.instance, range(problem.n_servers)
    if any(layer.seconds is not None for task in instance.tasks for layer in task.layers):
        total_s = np.add.reduceat(problem.arrays.execution_s, problem.arrays.task_start[:-1].astype(np.int64))
        speeds = 1 / np.maximum(1e-300, total_s)
    else:
        ghz = [[instance.server_at(i, s).compute_ghz for s in places] for i in range(problem.n_tasks)]
        speeds = np.array(ghz)
    over_fastest: Floats = speeds / speeds.max(axis=1, keepdims=True)
    return over_fastest


def _rest(problem: Problem) -> Floats:
    """Return what each subtask and all after it need at least: energy, J; cost, $; weights over all memory."""
    a = problem.arrays
    least = [np.where(problem.allowed, each, np.inf).min(axis=1) for each in (a.run_energy_j, a.run_usd)]
    needed = np.stack([*least, a.weights_mb / a.memory_mb.sum()], axis=1)
    rest: Floats = needed[::-1].cumsum(axis=0)[::-1]
    return rest


def _prices(problem: Problem) -> Floats:
    """Return what each place costs for each task, over the dearest."""
    usd_per_s = problem.arrays.usd_per_h / 3600
    prices = usd_per_s / np.maximum(1e-300, usd_per_s.max(axis=1, keepdims=True))
    number = {c: row for row, c in enumerate(problem.instance.clients)}
    of_tasks: Floats = prices[[number[c] for c in problem.instance.client_of]]
    return of_tasks


def warm_up() -> None:
    """Load the compiled observation, or compile it if it never ran here; for `Solver.warm_up`."""
    problem = P1(load("tiny-chains"))
    servers = problem.everything_on(problem.arrays.client)
    ProblemFeatures(problem, servers).observe(Episodes(problem, 1), ServerObserver([problem]))
