"""The best feasible placement of an instance with up to some 14 subtasks: every order and server, with pruning.

The objective is the least one to 1e-12. In doubles, with code of its own beside the core's: it takes its numbers from
`exact_instance` and nothing from offbench. A partial placement is given up where memory, a deadline or a limit can't be
held any more, or where even the fastest and cheapest rest leaves it above the best one known. A benefit below 1e-12
counts as 0.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from experiments._shared.exact_arithmetic import ExactArithmetic
from experiments._shared.exact_instance import INDICATORS, OWN_INPUT

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SLACK = 1e-9
_compiled = njit(cache=True, error_model="numpy")


class Facts(NamedTuple):
    """An instance as arrays: n subtasks, S servers, T tasks, m inputs in all."""

    task: Ints  # (n,)
    client: Ints  # (T,)
    arrival: Floats  # (T,) s
    deadline: Floats  # (T,) s, infinite where there is none
    pool: Ints  # (S,)
    memory: Floats  # (S,) MB
    limits: Floats  # (3,) in total: s, J, $
    allowed: NDArray[np.bool_]  # (n, S)
    first: Ints  # (n + 1,) where the inputs of a subtask begin
    source: Ints  # (m,) the subtask that is read, or -1
    run: Floats  # (n, S, 3): s, J, $
    sent: Floats  # (m, S, S, 3), from and to
    owner: Ints  # (n,) whose weights a subtask holds
    weights_mb: Floats  # (n,)
    group: Ints  # (S,) 0 client, 1 edge, 2 cloud
    shares: Floats  # (6,) of delay, energy, cost, score, coordination, balance
    per_scale: Floats  # (4,) 1 over each scale, 0 where it is 0
    lambdas: Floats  # (3,)
    root: int
    benefits: bool


@dataclass(frozen=True)
class Found:
    """What enumeration finds: infinite and no placement where nothing is feasible."""

    objective: float
    servers: tuple[int, ...] | None
    order: tuple[int, ...] | None
    nodes: int
    complete: bool
    """whether every placement was tried or ruled out"""


class Exhaustive:
    """An instance to be enumerated; subtasks and servers are numbered as in `ExactArithmetic`.

    Parameters
    ----------
    data
        The instance as in the file.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.exact = ExactArithmetic(data)
        self.facts = _facts(self.exact)

    def random_servers(self, count: int, rng: np.random.Generator) -> Ints:
        """Return *count* rows of servers that are allowed, each with the same probability."""
        return np.column_stack([rng.choice(row, size=count) for row in self.exact.allowed]).astype(np.int64)

    def measure(self, servers: Ints) -> tuple[Floats, Floats]:
        """Return the objective of each row of servers, first come, first served, and what is constrained.

        Returns
        -------
        objectives
            By row.
        needs
            By row: MB held by each server, delay of each task, and total s, J and $.
        """
        return _measure(self.facts, servers)  # type: ignore[no-any-return]

    @property
    def admitted(self) -> Floats:
        """What is admitted of what `measure` returns."""
        return np.concatenate([self.facts.memory, self.facts.deadline, self.facts.limits])

    def violation(self, needs: Floats) -> Floats:
        """Return the violation of each row of needs."""
        return np.maximum(0, needs / self.admitted - 1).sum(axis=1)  # type: ignore[no-any-return]

    def optimum(self, nodes: int = 10**9, servers: Sequence[int] | None = None, known: float = math.inf) -> Found:
        """Return the best feasible placement.

        Parameters
        ----------
        nodes
            How many partial placements are tried at most.
        servers
            P2: the server of each subtask.
        known
            A bit more than the objective of a feasible placement; what isn't below is left out.
        """
        facts = self.facts
        if servers is not None:
            facts = facts._replace(allowed=np.arange(len(facts.pool)) == np.asarray(servers)[:, None])
        objective, at, order, tried = _search(facts, nodes, known)
        if at[0] < 0:
            return Found(math.inf, None, None, tried, tried < nodes)
        return Found(objective, tuple(at.tolist()), tuple(order.tolist()), tried, tried < nodes)


def _facts(exact: ExactArithmetic) -> Facts:
    facts = exact.facts
    n, servers = facts.n_subtasks, len(facts.names)
    first = np.cumsum([0, *(len(row) for row in facts.reads)])
    run, sent = np.zeros((n, servers, 3)), np.zeros((int(first[-1]), servers, servers, 3))
    for (k, s), ran in facts.ran.items():
        run[k, s] = float(ran.seconds), float(ran.energy), float(ran.cost)
    for (k, x, a, b), spent in facts.sent.items():
        sent[first[k] + x, a, b] = float(spent.seconds), float(spent.energy), float(spent.cost)
    owners = list(dict.fromkeys(whose for whose, _ in facts.weight))
    scales = [float(exact.scales[name]) for name in (*INDICATORS, "balance")]
    shares = ("delay", "energy", "cost", "score", "coordination", "balance")

    def floats(values: Sequence[Any]) -> Floats:
        return np.array([math.inf if value is None else float(value) for value in values])

    return Facts(
        task=np.array(facts.task),
        client=np.array(facts.client),
        arrival=floats(facts.arrival),
        deadline=floats(facts.deadline),
        pool=np.minimum(facts.pools, n),
        memory=floats(facts.memory),
        limits=floats([facts.limits.get(name) for name in INDICATORS]),
        allowed=np.array([[s in row for s in range(servers)] for row in facts.allowed]),
        first=first.astype(np.int64),
        source=np.array([source for row in facts.reads for source, _ in row]),
        run=run,
        sent=sent,
        owner=np.array([owners.index(whose) for whose, _ in facts.weight]),
        weights_mb=floats([mb for _, mb in facts.weight]),
        group=np.array([("client", "edge", "cloud").index(kind) for kind in facts.kinds]),
        shares=floats([facts.weights[name] for name in shares]),
        per_scale=np.array([1 / scale if scale else 0.0 for scale in scales]),
        lambdas=floats(facts.coordination["lambdas"]),
        root=int(facts.coordination["root"]),
        benefits=facts.coordination["indicators"] == "benefits",
    )


assert OWN_INPUT == -1


@_compiled
def _arrive(facts, k, s, at, end):
    """Return ready time, when the critical input was complete, and J and $ of a subtask, its run included."""
    ready, done_then, energy, cost = -1.0, 0.0, facts.run[k, s, 1], facts.run[k, s, 2]
    for x in range(facts.first[k], facts.first[k + 1]):
        source = facts.source[x]
        if source < 0:
            done, q = facts.arrival[facts.task[k]], facts.client[facts.task[k]]
        else:
            done, q = end[source], at[source]
        there = done + facts.sent[x, q, s, 0]
        if there > ready:
            ready, done_then = there, done
        energy += facts.sent[x, q, s, 1]
        cost += facts.sent[x, q, s, 2]
    return ready, done_then, energy, cost


@_compiled
def _h(facts, delay, energy, cost):
    t, e, u = delay * facts.per_scale[0], energy * facts.per_scale[1], cost * facts.per_scale[2]
    if facts.benefits:
        t, e, u = 1 - min(1.0, t), 1 - min(1.0, e), 1 - min(1.0, u)
        t, e, u = t if t > 1e-12 else 0.0, e if e > 1e-12 else 0.0, u if u > 1e-12 else 0.0
    total = t + e + u
    if total == 0:
        return 0.0
    coupling = 3 * (t / total * (e / total) * (u / total)) ** (1 / facts.root)
    return math.sqrt(coupling * (facts.lambdas[0] * t + facts.lambdas[1] * e + facts.lambdas[2] * u))


@_compiled
def _balance(facts, at):
    """Return the total of Z after each subtask over its scale."""
    count, total = np.zeros(len(facts.pool), np.int64), 0
    for s in at:
        count[s] += 1
        for a in range(len(count)):
            for b in range(a):
                if facts.group[a] == facts.group[b] and facts.group[a] > 0:
                    total += abs(count[a] - count[b])
    return total * facts.per_scale[3]


@_compiled
def _score(facts, delay, energy, cost):
    return (
        facts.shares[0] * delay * facts.per_scale[0]
        + facts.shares[1] * energy * facts.per_scale[1]
        + facts.shares[2] * cost * facts.per_scale[2]
    )


@_compiled
def _measure(facts, rows):
    n, servers, tasks = len(facts.task), len(facts.pool), len(facts.client)
    objectives, needs = np.zeros(len(rows)), np.zeros((len(rows), servers + tasks + 3))
    end, free, booked = np.zeros(n), np.zeros((servers, n)), np.zeros(n, np.bool_)
    for r in range(len(rows)):
        at, need = rows[r], needs[r]
        free[:], booked[:] = 0, False
        total_h = 0.0
        for _ in range(n):
            best, best_ready = -1, math.inf
            for k in range(n):
                open_ = not booked[k]
                for x in range(facts.first[k], facts.first[k + 1]):
                    open_ = open_ and (facts.source[x] < 0 or booked[facts.source[x]])
                if open_ and _arrive(facts, k, at[k], at, end)[0] < best_ready:
                    best, best_ready = k, _arrive(facts, k, at[k], at, end)[0]
            k, s = best, at[best]
            ready, done, energy, cost = _arrive(facts, k, s, at, end)
            slot = int(np.argmin(free[s, : facts.pool[s]]))
            end[k] = max(ready, free[s, slot]) + facts.run[k, s, 0]
            free[s, slot], booked[k] = end[k], True
            total_h += _h(facts, end[k] - done, energy, cost)
            i = servers + facts.task[k]
            need[i] = max(need[i], end[k] - facts.arrival[facts.task[k]])
            need[-2] += energy
            need[-1] += cost
            held = False
            for other in range(n):
                held = held or (
                    other != k and booked[other] and at[other] == s and facts.owner[other] == facts.owner[k]
                )
            if not held:
                need[s] += facts.weights_mb[k]
        need[-3] = need[servers : servers + tasks].sum()
        objectives[r] = facts.shares[3] * _score(facts, need[-3], need[-2], need[-1])
        objectives[r] += facts.shares[5] * _balance(facts, at) - facts.shares[4] * total_h
    return objectives, needs


@_compiled
def _most_h(facts, k, horizon):
    """Return what H of a subtask can't exceed."""
    lambdas = facts.lambdas.max()
    if facts.benefits:
        return math.sqrt(3 * (1 / 27) ** (1 / facts.root) * facts.lambdas.sum())
    most = np.zeros(2)
    for s in range(len(facts.pool)):
        for i in range(2):
            spent = facts.run[k, s, i + 1]
            for x in range(facts.first[k], facts.first[k + 1]):
                spent += facts.sent[x, :, s, i + 1].max()
            most[i] = max(most[i], spent * facts.per_scale[i + 1])
    # 3 (teu)^(1/root) (t+e+u)^(-3/root) lambda (t+e+u): root 2 leaves sqrt(eu t/(t+e+u)), root 3 the cube root of teu.
    if facts.root == 2:
        return math.sqrt(3 * lambdas * math.sqrt(most[0] * most[1]))
    return math.sqrt(3 * lambdas * (horizon * facts.per_scale[0] * most[0] * most[1]) ** (1 / 3))


@_compiled
def _search(facts, most_nodes, known):
    n, servers, tasks = len(facts.task), len(facts.pool), len(facts.client)
    allowed = facts.allowed
    # The least that a subtask comes to, and the shortest way after it.
    least, paid, most_h, tail = np.zeros((n, 3)), np.zeros(n), np.zeros(n), np.zeros(n)
    horizon = facts.arrival.max()
    for k in range(n):
        longest = 0.0
        for x in range(facts.first[k], facts.first[k + 1]):
            longest += facts.sent[x, :, :, 0].max()
        horizon += longest + facts.run[k, :, 0].max()
    for k in range(n):
        least[k], paid[k] = math.inf, math.inf
        most_h[k] = _most_h(facts, k, horizon)
        for s in range(servers):
            if allowed[k, s]:
                energy, cost = facts.run[k, s, 1], facts.run[k, s, 2]
                for x in range(facts.first[k], facts.first[k + 1]):
                    source = facts.source[x]
                    if source < 0:
                        q = facts.client[facts.task[k]]
                        energy += facts.sent[x, q, s, 1]
                        cost += facts.sent[x, q, s, 2]
                    else:
                        energy_in, cost_in = math.inf, math.inf
                        for q in range(servers):
                            if allowed[source, q]:
                                energy_in = min(energy_in, facts.sent[x, q, s, 1])
                                cost_in = min(cost_in, facts.sent[x, q, s, 2])
                        energy += energy_in
                        cost += cost_in
                least[k, 0] = min(least[k, 0], facts.run[k, s, 0])
                least[k, 1], least[k, 2] = min(least[k, 1], energy), min(least[k, 2], cost)
                paid[k] = min(paid[k], _score(facts, 0.0, energy, cost))
    for k in range(n - 1, -1, -1):
        for x in range(facts.first[k], facts.first[k + 1]):
            source = facts.source[x]
            if source >= 0:
                tail[source] = max(tail[source], least[k, 0] + tail[k])
    reads = np.zeros((n, n), np.bool_)
    for k in range(n):
        for x in range(facts.first[k], facts.first[k + 1]):
            if facts.source[x] >= 0:
                reads[k, facts.source[x]] = True
    missing = np.zeros(n, np.int64)
    for k in range(n):
        missing[k] = reads[k].sum()

    # What has been booked, by depth where it must come back.
    at, end, order, booked = np.zeros(n, np.int64), np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    free = np.zeros((servers, n))
    slot_of, free_before = np.zeros(n, np.int64), np.zeros(n)
    holds, used = np.zeros((servers, n), np.int64), np.zeros(servers)
    by_then, before = np.zeros(tasks), np.zeros(n)  # a task ends no earlier
    for k in range(n):
        i = facts.task[k]
        by_then[i] = max(by_then[i], facts.arrival[i] + least[k, 0] + tail[k])
    energy, cost, total_h = np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1)
    rest_energy, rest_cost, rest_paid, rest_h = np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1), np.zeros(n + 1)
    rest_energy[0], rest_cost[0], rest_paid[0], rest_h[0] = (
        least[:, 1].sum(),
        least[:, 2].sum(),
        paid.sum(),
        most_h.sum(),
    )
    best, best_at, best_order = known, np.full(n, -1), np.zeros(n, np.int64)
    choice = np.zeros(n + 1, np.int64)
    depth, nodes = 0, 0
    while depth >= 0 and nodes < most_nodes:
        candidate = choice[depth]
        if depth == n or candidate == n * servers:
            choice[depth] = 0
            depth -= 1
            if depth >= 0:  # take the last booking back
                k = order[depth]
                s = at[k]
                booked[k] = False
                free[s, slot_of[depth]] = free_before[depth]
                holds[s, facts.owner[k]] -= 1
                if holds[s, facts.owner[k]] == 0:
                    used[s] -= facts.weights_mb[k]
                by_then[facts.task[k]] = before[depth]
                for reader in range(n):
                    if reads[reader, k]:
                        missing[reader] += 1
            continue
        choice[depth] += 1
        k, s = candidate // servers, candidate % servers
        if booked[k] or missing[k] > 0 or not allowed[k, s]:
            continue
        last = order[depth - 1]
        if depth > 0 and k < last and at[last] != s and not reads[k, last]:
            continue  # the other way round it books alike
        nodes += 1
        # Book.
        ready, done, here_energy, here_cost = _arrive(facts, k, s, at, end)
        slot = int(np.argmin(free[s, : facts.pool[s]]))
        slot_of[depth], free_before[depth] = slot, free[s, slot]
        at[k], booked[k], order[depth] = s, True, k
        end[k] = max(ready, free[s, slot]) + facts.run[k, s, 0]
        free[s, slot] = end[k]
        if holds[s, facts.owner[k]] == 0:
            used[s] += facts.weights_mb[k]
        holds[s, facts.owner[k]] += 1
        i = facts.task[k]
        before[depth] = by_then[i]
        by_then[i] = max(by_then[i], end[k] + tail[k])
        for reader in range(n):
            if reads[reader, k]:
                missing[reader] -= 1
        depth += 1
        energy[depth], cost[depth] = energy[depth - 1] + here_energy, cost[depth - 1] + here_cost
        total_h[depth] = total_h[depth - 1] + _h(facts, end[k] - done, here_energy, here_cost)
        rest_energy[depth], rest_cost[depth] = rest_energy[depth - 1] - least[k, 1], rest_cost[depth - 1] - least[k, 2]
        rest_paid[depth], rest_h[depth] = rest_paid[depth - 1] - paid[k], rest_h[depth - 1] - most_h[k]
        # What it exceeds at least, and its objective at least; with all booked, these are its own.
        delay = by_then.sum() - facts.arrival.sum()
        violation = max(0.0, delay / facts.limits[0] - 1)
        violation += max(0.0, (energy[depth] + rest_energy[depth]) / facts.limits[1] - 1)
        violation += max(0.0, (cost[depth] + rest_cost[depth]) / facts.limits[2] - 1)
        for a in range(servers):
            violation += max(0.0, used[a] / facts.memory[a] - 1)
        for j in range(tasks):
            violation += max(0.0, (by_then[j] - facts.arrival[j]) / facts.deadline[j] - 1)
        hopeless = violation > SLACK
        if not hopeless:
            score = _score(facts, delay, energy[depth], cost[depth]) + rest_paid[depth]
            bound = facts.shares[3] * score - facts.shares[4] * (total_h[depth] + rest_h[depth])
            if facts.shares[5] > 0 and bound < best:
                placed = 0  # the balance counts in the order of subtasks
                while placed < n and booked[placed]:
                    placed += 1
                bound += facts.shares[5] * _balance(facts, at[:placed])
            hopeless = bound >= best - 1e-13
            if depth == n and not hopeless:
                best = bound
                best_at[:], best_order[:] = at, order
        if hopeless:
            choice[depth] = n * servers  # nothing further from here
    return best, best_at, best_order, nodes
