"""Many episodes at once, compiled: what both Gymnasium environments and our own agents run on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbench.environment.observation import FACT, Observation, Observer
from offbench.environment.outlook import CONSTRAINT, completion_of, constraint_facts, latest_of, next_free, transfers
from offbench.environment.penalty import penalty_of
from offbench.errors import OffbenchError
from offbench.evaluation.compiled import borrowed, compiled
from offbench.evaluation.kernel import TOTAL
from offbench.evaluation.prefix import prefix_of
from offbench.evaluation.prefixes import Prefixes
from offbench.evaluation.workspace import unpack
from offbench.model.arrays import SCALE, Floats, Ints
from offbench.model.instance import load
from offbench.model.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

_STATE = ("servers", "decided", "objective", "violation", "used", "completion")
_USED = slice(TOTAL.delay_s, TOTAL.cost_usd + 1)


class Episodes:
    """Placements in the making, a row each.

    Pinned subtasks, which have a single server allowed, are nobody's decision: an episode moves past them, and what
    they change is part of the reward of the decision before them; of the first decision, where none is before.
    Where nothing is free, every subtask is stepped through (`Problem.free`).

    Rewards of an episode sum to ``-(Q + penalty * violation)``.

    Parameters
    ----------
    problem
        What is decided.
    count
        How many episodes.
    observer
        How they are observed; in the paper's layout by default.
    index
        Which of the observer's problems this one is.
    penalty
        What a violation of 1 takes off the rewards (`penalty_of`).
    """

    def __init__(
        self,
        problem: Problem,
        count: int,
        observer: Observer | None = None,
        index: int = 0,
        penalty: float | None = None,
    ) -> None:
        self.problem = problem
        self.penalty = penalty_of(problem, penalty)
        """what a violation of 1 takes off the rewards; 0 where nothing can be broken"""
        self.observer = observer or Observer([problem])
        self.servers: Ints = np.repeat(problem.allowed.argmax(axis=1)[None], count, axis=0)
        """the servers of each episode's decided subtasks, shape ``(count, n_subtasks)``"""
        self.decided = np.full(count, problem.free[0])
        """how many subtasks are decided in each, pinned ones among them"""
        self.objective = np.zeros(count)
        """Q of the decided ones"""
        self.violation = np.zeros(count)
        """by how much the decided ones break constraints"""
        self.used = np.zeros((count, 3))
        """their delay, energy and cost in total"""
        self._first_state = int(self.observer.first_state[index])
        self.completion = np.zeros((count, problem.n_subtasks))
        self._following = np.full(problem.n_subtasks, problem.n_subtasks)
        self._following[problem.free[:-1]] = problem.free[1:]
        self._prefixes = Prefixes(problem, count)
        self._spread = np.zeros((count, 2, problem.n_servers), np.float32)
        self._seen = np.zeros(count, np.int64)
        self._work = float(problem.arrays.gcycles.cumsum()[-1])
        self.reset()

    def __len__(self) -> int:
        return len(self.decided)

    def reset(self, rows: NDArray[np.bool_] | slice = slice(None)) -> None:
        """Begin these episodes: nothing is decided but what is pinned."""
        self.decided[rows] = self.problem.free[0]
        self.objective[rows] = self.violation[rows] = 0
        self.used[rows] = self.completion[rows] = 0
        self._forget(rows)
        if self.problem.free[0] > 0:
            self.used[rows] = self._catch_up()[rows, _USED]

    def _forget(self, rows: NDArray[np.bool_] | slice) -> None:
        """Let nothing be known of what is decided in these episodes; it is looked at again when it is needed."""
        self._prefixes.clear(rows)
        self._spread[rows] = self._seen[rows] = 0

    def _catch_up(self, active: NDArray[np.bool_] | None = None) -> Floats:
        return self._prefixes.go_on(self.servers, self.decided, active, self.completion)

    def step(self, actions: Ints, active: NDArray[np.bool_] | None = None) -> tuple[Floats, NDArray[np.bool_]]:
        """Put the subtask at hand of each episode on a server, and move on to the next that is free.

        Parameters
        ----------
        actions
            Servers, shape ``(count,)``.
        active
            Which episodes go on; all of them by default. The others stay, with a reward of 0.

        Returns
        -------
        tuple
            Rewards, and which episodes ended just now; both of shape ``(count,)``.

        Raises
        ------
        OffbenchError
            If a server isn't allowed, or an episode is over.
        """
        if active is None:
            active = np.ones(len(self), dtype=np.bool_)
        rewards = np.zeros(len(self))
        fault = _decide(
            self.problem.allowed, self._following, np.asarray(actions, dtype=np.int64), active, self.servers,
            self.decided,
        )  # fmt: skip
        if fault >= 0:
            raise OffbenchError(self._explain(fault, int(actions[fault])))
        totals = self._catch_up(active)
        _reward(totals, active, self.penalty, self.objective, self.violation, self.used, rewards)
        return rewards, active & (self.decided == self.problem.n_subtasks)

    @property
    def prefixes(self) -> Prefixes:
        """What is decided in each episode, scored, a row each."""
        if not np.array_equal(self._prefixes.decided, self.decided):
            self._catch_up()
        return self._prefixes

    def place(self, actions: Ints) -> None:
        """Do the same without rewards, for the paper's layout, whose observations don't depend on them."""
        self.servers[np.arange(len(self)), self.decided] = actions
        self.decided = self._following[self.decided]

    @property
    def states(self) -> Ints:
        """The observer's state of each episode, shape ``(count,)``."""
        return self.decided + self._first_state

    def masks(self) -> NDArray[np.bool_]:
        """Return the places that the subtask at hand may have, shape ``(count, n_servers)`` (`Observer.masks`)."""
        return self.observer.masks(self.states)

    def dynamic(self) -> Observation:
        """Return the dynamic parts of the observations, shape ``(count, observer.dynamic)``."""
        found = np.empty((len(self), self.observer.dynamic), dtype=np.float32)
        full = self.observer.layout == "full"
        prefixes = self.prefixes if full else self._prefixes
        _dynamic(
            *self.problem.packed, prefixes.shared, prefixes.reals, prefixes.counts, self.servers, self.decided,
            self.completion, self.used, self._spread, self._seen, self._work, full, self.observer.constrained, found,
        )  # fmt: skip
        return found

    def observe(self) -> Observation:
        """Return what is seen in each episode, shape ``(count, observer.width)``."""
        return self.observer.compose(self.dynamic(), self.states)

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""
        return {name: getattr(self, name).copy() for name in _STATE}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        for name in _STATE:
            if name in state:  # those from before there were constraints lack some
                getattr(self, name)[:] = state[name]
        self._forget(slice(None))

    def _explain(self, row: int, action: int) -> str:
        k = int(self.decided[row])
        if k == self.problem.n_subtasks:
            return "environment: the episode is over; reset it"
        names = self.problem.instance.names_of(int(self.problem.task_of[k]))
        if not 0 <= action < len(names):
            return f"environment: action {action}, but there are {len(names)} servers, counted from 0"
        may = ", ".join(name for name, ok in zip(names, self.problem.allowed[k], strict=True) if ok)
        return f"environment: {self.problem.subtask_name(k)} may not run on '{names[action]}'; allowed: {may}"


def warm_up() -> None:
    """Load the compiled steps, or compile them if they never ran here; for `Solver.warm_up`.

    A signal in the middle of numba's compiling, such as the watchdog's, leaves a function behind that never works.
    """
    problem = Problem(load("tiny-chains"))
    observer = Observer([problem], "full")
    episodes = Episodes(problem, 1, observer)
    observer.compose(episodes.dynamic(), np.zeros(1, np.int64))
    for decided in (0, 2):  # one more of none, and many at once
        episodes.reset()
        episodes.decided[:] = decided
        episodes.step(np.array([problem.arrays.client]))


@compiled
def _decide(allowed, following, actions, active, servers, decided):
    """Put the subtask at hand of each episode on a server; return an episode with an action that can't be, or -1."""
    n, m = allowed.shape
    for row in range(decided.size):
        k, action = decided[row], actions[row]
        if active[row] and (k >= n or action < 0 or action >= m or not allowed[k, action]):
            return row
    for row in range(decided.size):
        if active[row]:
            servers[row, decided[row]] = actions[row]
            decided[row] = following[decided[row]]
    return -1


@compiled
def _reward(totals, active, penalty, objective, violation, used, rewards):
    """Keep what episodes come to now, and reward what that is better than before."""
    for row in range(active.size):
        if not active[row]:
            continue
        rewards[row] = objective[row] - totals[row, TOTAL.objective]
        rewards[row] -= penalty * (totals[row, TOTAL.violation] - violation[row])
        objective[row] = totals[row, TOTAL.objective]
        violation[row] = totals[row, TOTAL.violation]
        used[row, 0], used[row, 1] = totals[row, TOTAL.delay_s], totals[row, TOTAL.energy_j]
        used[row, 2] = totals[row, TOTAL.cost_usd]


@compiled
def _dynamic(
    ints, floats, shared, reals, counts, servers, decided, completion, used, spread, seen, work, full, constrained,
    found,
):  # fmt: skip
    """Fill the dynamic part of each episode's observation."""
    p = borrowed(unpack(ints, floats))
    n, m, facts, more = p.gcycles.size, p.kind.size, len(FACT), len(CONSTRAINT)
    shared, reals, counts, used, spread = (
        borrowed(shared), borrowed(reals), borrowed(counts), borrowed(used), borrowed(spread)
    )  # fmt: skip
    servers, decided, completion, found = borrowed(servers), borrowed(decided), borrowed(completion), borrowed(found)
    for row in range(decided.size):
        x = borrowed(prefix_of(p, shared, reals[row], counts[row]))
        k = decided[row]
        is_first = k == 0 or (k < n and shared.task_of[k] != shared.task_of[k - 1])
        found[row, 0] = 1 + (p.client if is_first else servers[row, k - 1])
        if not full:
            continue
        for j in range(seen[row], k):
            spread[row, 0, servers[row, j]] += m / n
            spread[row, 1, servers[row, j]] += p.gcycles[j] / work if work > 0 else 0
        seen[row] = k
        features = found[row, 1:]
        features[:] = 0
        for s in range(m):
            features[facts * s + FACT.placed] = spread[row, 0, s]
            features[facts * s + FACT.booked] = spread[row, 1, s]
        if k == n:
            continue
        latest = -np.inf
        for i in range(p.input_start[k], p.input_start[k + 1]):
            latest = max(latest, completion_of(p, i, completion[row]))
        for s in range(m):
            ready, sent, energy, cost = transfers(p, k, s, servers[row], completion[row])
            fact = features[facts * s : facts * (s + 1)]
            fact[FACT.free] = max(0.0, next_free(p, x, k, s, completion[row]) - latest) / p.scale[SCALE.delay]
            fact[FACT.execution] = p.execution_s[k, s] / p.scale[SCALE.delay]
            fact[FACT.transmission] = (ready - sent) / p.scale[SCALE.delay]
            fact[FACT.energy] = (energy + p.run_energy_j[k, s]) / p.scale[SCALE.energy]
            fact[FACT.cost] = (cost + p.run_usd[k, s]) / p.scale[SCALE.cost]
        if not constrained:
            continue
        task = shared.task_of[k]
        latest = latest_of(p, x, k)
        for s in range(m):
            ready, sent, energy, cost = transfers(p, k, s, servers[row], completion[row])
            done = max(ready, next_free(p, x, k, s, completion[row])) + p.execution_s[k, s]
            fact = features[facts * m + more * s : facts * m + more * (s + 1)]
            constraint_facts(
                p, x, task, k, s, used[row], latest, done, energy + p.run_energy_j[k, s], cost + p.run_usd[k, s], fact
            )
        for indicator in range(3):
            features[(facts + more) * m + indicator] = 1 - used[row, indicator] / p.limit[indicator]
