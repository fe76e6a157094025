"""What the agent sees: facts of each server, and a summary of the rest, both of a width that no instance changes.

Every fact is a share, a difference of counts, or a part of the objective over the instance's *unit*, the mean change
that a subtask of the reference placement makes to Q. So they mean the same in instances of any size.
"""

from collections.abc import Sequence
from math import copysign, log1p, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from offbench import P1, load
from offbench.environment import Episodes
from offbench.model.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

compiled = njit(cache=True, nogil=True, error_model="numpy")
inlined = njit(forceinline=True, error_model="numpy")

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]

# Subtasks looked ahead at, and facts of each server and of all together.
AHEAD = 4
SERVER = 21
GLOBAL = 11 + 2 * AHEAD


@inlined
def _squash(x):
    return copysign(log1p(abs(x)), x)


@inlined
def _coordination(t, e, u, lambdas, root, benefits):
    """Return H of a subtask (Eq. 10 and 11)."""
    a, b, c = (1 - min(1.0, t), 1 - min(1.0, e), 1 - min(1.0, u)) if benefits else (t, e, u)
    total = a + b + c
    share = 1 / total if total > 0 else 0.0
    x = (a * share) * (b * share) * (c * share)
    coupling = 3 * (sqrt(x) if root == 2 else np.cbrt(x))
    return sqrt(coupling * (lambdas[0] * a + lambdas[1] * b + lambdas[2] * c))


@compiled
def onward_costs(arrays, allowed):
    """Return what it costs later that a subtask's output is on each server, shape ``(subtasks, servers)``.

    A relaxation: nothing queues, nobody counts, each reader takes this output from here and has its others at hand.
    """
    (
        _, root, benefits, _, _, input_start, input_of, _, _, _, _, _, gcycles, _, input_mb,
        input_gb, ghz, usd_per_s, client_power, link, scale, weights, lambdas,
    ) = arrays  # fmt: skip
    n, m = allowed.shape
    onward = np.zeros((n, m))
    here = np.empty(m)
    for k in range(n - 1, -1, -1):
        # onward[k] is complete: all readers come later.
        least = np.inf
        for s in range(m):
            least = min(least, onward[k, s])
        for s in range(m):
            onward[k, s] -= least
        for i in range(input_start[k], input_start[k + 1]):
            source = input_of[i]
            if source >= n:
                continue
            for s in range(m):
                best = np.inf
                for d in range(m):
                    if not allowed[k, d]:
                        continue
                    sent = input_mb[i] / link[s, d, 0]
                    run = gcycles[k] / ghz[d]
                    t = (run + sent) / scale[0]
                    e = (client_power[d] * run + link[s, d, 1] * sent) / scale[1]
                    u = (usd_per_s[d] * run + input_gb[i] * link[s, d, 2]) / scale[2]
                    h = _coordination(t, e, u, lambdas, root, benefits)
                    q = weights[3] * (weights[0] * t + weights[1] * e + weights[2] * u) - weights[4] * h
                    best = min(best, q + onward[k, d])
                here[s] = best
            for s in range(m):
                onward[source, s] += here[s]
    return onward


@compiled
def _observe(arrays, allowed, task_of, ahead, onward, unit, most, servers, decided, completion, found):
    """Fill *found*: facts of each server for the subtask at hand, then those of all; zeros at an episode's end."""
    (
        client, root, benefits, task_start, _, input_start, input_of, reader_start, _, slot_start, kind, _, gcycles,
        arrival, input_mb, input_gb, ghz, usd_per_s, client_power, link, scale, weights, lambdas,
    ) = arrays  # fmt: skip
    n, m = allowed.shape
    free = np.empty(slot_start[-1])
    count = np.empty(m)
    at_hand = np.empty(m)
    total_of, most_of, least_of = np.empty(3), np.empty(3), np.empty(3)
    number_of = np.zeros(3)
    for s in range(m):
        number_of[kind[s]] += 1
    balance = weights[5] / scale[3] / unit
    dearest, fastest = max(1e-300, usd_per_s.max()), ghz.max()
    for row in range(decided.size):
        k = decided[row]
        found[row, :] = 0
        if k >= n:
            continue
        free[:] = 0
        count[:] = 0
        for j in range(k):
            s = servers[row, j]
            count[s] += 1
            at = np.int64(slot_start[s])
            for slot in range(at + 1, slot_start[s + 1]):
                if free[slot] < free[at]:
                    at = slot
            free[at] = max(free[at], completion[row, j])
        total_of[:] = 0
        most_of[:] = 0
        least_of[:] = np.inf
        for s in range(m):
            total_of[kind[s]] += count[s]
            most_of[kind[s]] = max(most_of[kind[s]], count[s])
            least_of[kind[s]] = min(least_of[kind[s]], count[s])
        imbalance = 0.0
        for s in range(m):
            for other in range(s):
                if kind[s] == kind[other] and kind[s] > 0:
                    imbalance += abs(count[s] - count[other])
        task = task_of[k]
        latest = arrival[task]
        for j in range(task_start[task], k):
            latest = max(latest, completion[row, j])
        at_hand[:] = 0
        into = 0.0
        for i in range(input_start[k], input_start[k + 1]):
            source = input_of[i]
            at_hand[client if source >= n else servers[row, source]] += input_mb[i]
            into += input_mb[i]
        best_now, best_all = -np.inf, -np.inf
        for s in range(m):
            ready, sent, energy, cost = -np.inf, 0.0, 0.0, 0.0
            for i in range(input_start[k], input_start[k + 1]):
                source = input_of[i]
                origin = client if source >= n else servers[row, source]
                end = arrival[source - n] if source >= n else completion[row, source]
                transfer = input_mb[i] / link[origin, s, 0]
                if end + transfer > ready:
                    ready, sent = end + transfer, end
                energy += link[origin, s, 1] * transfer
                cost += input_gb[i] * link[origin, s, 2]
            next_free = np.inf
            for slot in range(slot_start[s], slot_start[s + 1]):
                next_free = min(next_free, free[slot])
            run = gcycles[k] / ghz[s]
            wait = max(0.0, next_free - ready)
            done = ready + wait + run
            t = (done - sent) / scale[0]
            e = (energy + client_power[s] * run) / scale[1]
            u = (cost + usd_per_s[s] * run) / scale[2]
            h = weights[4] * _coordination(t, e, u, lambdas, root, benefits) / unit
            of_delay = weights[3] * weights[0] / scale[0] / unit
            d_part = of_delay * max(0.0, done - latest)
            e_part = weights[3] * weights[1] * e / unit
            u_part = weights[3] * weights[2] * u / unit
            group = kind[s]
            more = 0
            for other in range(m):
                if kind[other] == group and other != s and count[other] > count[s]:
                    more += 1
            change = (number_of[group] - 1 - 2 * more) if group > 0 else 0.0
            now = h - d_part - e_part - u_part - balance * (imbalance + change)
            later = onward[k, s] / unit
            f = found[row, s * SERVER : (s + 1) * SERVER]
            f[0] = 1
            f[1] = group == 1
            f[2] = group == 2
            f[3] = _squash(of_delay * run)
            f[4] = _squash(of_delay * (ready - sent))
            f[5] = _squash(of_delay * wait)
            f[6] = _squash(e_part)
            f[7] = _squash(u_part)
            f[8] = _squash(h)
            f[9] = now
            f[10] = later
            f[12] = change / max(1.0, number_of[group] - 1)
            f[13] = _squash(count[s] - total_of[group] / number_of[group])
            f[14] = _squash(count[s] - least_of[group])
            f[15] = _squash(most_of[group] - count[s])
            f[16] = k > 0 and servers[row, k - 1] == s
            f[17] = at_hand[s] / into if into > 0 else 0.0
            f[18] = ghz[s] / fastest
            f[19] = usd_per_s[s] / dearest
            f[20] = _squash(d_part)
            if allowed[k, s]:
                best_now = max(best_now, now)
                best_all = max(best_all, now - later)
        for s in range(m):
            f = found[row, s * SERVER : (s + 1) * SERVER]
            now, later = f[9], f[10]
            f[9] = _squash(best_now - now)
            f[10] = _squash(later)
            f[11] = _squash(best_all - now + later)
        g = found[row, most * SERVER :]
        g[0] = (n - k) / n
        g[1] = log1p(n - k) / 5
        g[2] = _squash(imbalance / m)
        g[3] = _squash(balance * m * 10)
        g[4] = number_of[1] / 10
        g[5] = number_of[2] / 10
        g[6] = (input_start[k + 1] - input_start[k]) / 4
        g[7] = (reader_start[k + 1] - reader_start[k]) / 4
        g[8] = (task_start[task + 1] - k) / (task_start[task + 1] - task_start[task])
        g[9] = _squash(of_delay * (latest - arrival[task])) / 5
        g[10] = log1p(arrival.size - task - 1) / 2
        for j in range(min(AHEAD, n - k)):
            g[11 + 2 * j] = ahead[k + j, 0]
            g[12 + 2 * j] = ahead[k + j, 1]


class ServerObserver:
    """What `offbench.environment.Observer` is for the shared network: an observation depends on the actions as a whole.

    Parameters
    ----------
    problems
        What is observed. An observation has room for the servers of the one that has most.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.most = max(problem.n_servers for problem in problems)
        self.dynamic = self.width = self.most * SERVER + GLOBAL
        self.first_state = np.cumsum([0, *(problem.n_subtasks + 1 for problem in problems)])
        self._allowed = np.zeros((int(self.first_state[-1]), self.most), dtype=np.bool_)
        for first, problem in zip(self.first_state.tolist(), problems, strict=False):
            n, m = problem.allowed.shape
            self._allowed[first : first + n, :m] = problem.allowed
            self._allowed[first + n, :m] = True

    def masks(self, states: Ints) -> NDArray[np.bool_]:
        """Return which servers the subtask at hand may run on, shape ``(rows, most)``; any at the end."""
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
    """

    def __init__(self, problem: Problem, reference: Ints, onward: bool = True) -> None:
        self.problem = problem
        episode = Episodes(problem, 1)
        changes = -np.concatenate([episode.step(reference[[k]])[0] for k in problem.free])
        self.unit = float(np.abs(changes).sum() / problem.n_subtasks) or 1.0
        """change of Q that a subtask of the reference makes, on average"""
        self.to_go = np.zeros(problem.n_subtasks + 1)
        """what the reference adds to Q from each free subtask on, pinned ones included"""
        self.to_go[problem.free] = changes[::-1].cumsum()[::-1]
        a = problem.arrays
        self._onward = onward_costs(problem.arrays, problem.allowed) if onward else np.zeros(problem.allowed.shape)
        self._task_of = np.searchsorted(a.task_start, np.arange(problem.n_subtasks), side="right") - 1
        into = np.add.reduceat(a.input_mb, a.input_start[:-1].astype(np.int64))
        # Roots, because most layers are small beside the largest.
        self._ahead = np.sqrt(np.stack([into / (into.max() or 1), a.gcycles / (a.gcycles.max() or 1)], axis=1))

    def observe(self, episodes: Episodes, observer: ServerObserver) -> Floats32:
        """Return what is seen in each episode, shape ``(episodes, observer.width)``."""
        found = np.empty((len(episodes), observer.width), dtype=np.float32)
        _observe(
            self.problem.arrays, self.problem.allowed, self._task_of, self._ahead, self._onward, self.unit,
            observer.most, episodes.servers, episodes.decided, episodes.completion, found,
        )  # fmt: skip
        return found


def warm_up() -> None:
    """Load the compiled observation, or compile it if it never ran here; for `Solver.warm_up`."""
    problem = P1(load("tiny-chains"))
    servers = problem.everything_on(problem.arrays.client)
    ProblemFeatures(problem, servers).observe(Episodes(problem, 1), ServerObserver([problem]))
