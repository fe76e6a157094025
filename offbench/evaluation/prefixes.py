"""The first subtasks of placements, scored again only where one more changes them.

Times, H and sums are the evaluator's (`evaluator.prefix_totals`), for they come from the same functions in the same
order. The violation of memories alone is added up in another order. A prefix in which 16 digits are too few somewhere
(`careful`) is scored as a whole.
"""

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.appending import begin, walk
from offbench.evaluation.evaluator import prefix_totals
from offbench.evaluation.held_weights import cells_of
from offbench.evaluation.kernel import TOTAL, TOTALS
from offbench.evaluation.prefix import NUMBER, SUM, Shared
from offbench.model.arrays import Floats, Indices, Ints
from offbench.model.problem import Problem

_N_TOTALS = len(TOTALS)
_NO_TOTALS, _NO_COMPLETION, _ONE = np.empty((0, _N_TOTALS)), np.empty((0, 0)), np.ones(1, np.bool_)


class Prefixes:
    """Prefixes of placements of one problem, each a row; memory is 120 bytes for a subtask of a row.

    Parameters
    ----------
    problem
        Whose placements they are of.
    count
        How many.
    """

    def __init__(self, problem: Problem, count: int = 1) -> None:
        a, n, tasks = problem.arrays, problem.n_subtasks, problem.n_tasks
        cells = cells_of(problem)
        slots = int(a.slot_start[-1])
        # What is not of a subtask stands behind all that is.
        rest = slots + problem.n_stations + len(SUM)
        self._problem = problem
        self.reals = np.zeros((count, 11 * n + 1 + tasks + 3 * (tasks + 1) + rest))
        whole = 8 * n + tasks + slots + problem.n_servers + int(cells.number[0]) + len(NUMBER)
        self.counts = np.zeros((count, whole), np.uint32)
        self.counts[:, n : n + tasks] = a.client
        self.shared = Shared(
            task_of=problem.task_of,
            shift=np.append(a.arrival_s[problem.task_of] - a.arrival_s.min(), 0.0),
            cells=cells,
            waits_for=np.zeros(n, np.uint32),
            heap_time=np.zeros(n + 1),
            heap=np.zeros(n + 1, np.uint32),
            doubt=np.zeros(1, np.int64),
            times=np.zeros((6, n)),
            bookings=np.zeros((4, n), np.uint32),
        )
        self._slot_free, self._sums = np.split(self.reals[:, -rest:], [slots], axis=1)
        self._slot_user, self._numbers = np.split(self.counts[:, 8 * n + tasks :], [slots], axis=1)
        self._first_row = np.zeros(n, np.int64)
        self.clear()

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def decided(self) -> Indices:
        """How many subtasks each row has, shape ``(count,)``."""
        return self._numbers[:, NUMBER.decided - len(NUMBER)]

    def clear(self, rows: NDArray[np.bool_] | slice = slice(None)) -> None:
        """Take all subtasks from these rows."""
        self._sums[rows] = self._numbers[rows] = 0
        self._slot_free[rows] = -np.inf
        self._slot_user[rows] = self._problem.n_subtasks

    def go_on(
        self, servers: Ints, decided: Ints, active: NDArray[np.bool_] | None = None, completion: Floats | None = None
    ) -> Floats:
        """Let each row be the first *decided* subtasks on their *servers*, and score it.

        Parameters
        ----------
        servers
            Server indices, shape ``(count, n_subtasks)``. Where a row has some of them already these must be the same.
        decided
            How many subtasks each row has then, shape ``(count,)``. A row that has none is made at once; else they are
            appended.
        active
            Which rows are meant; all by default.
        completion
            Filled with when those subtasks are complete whose bookings are new, as `kernel.PART` tells it; same shape
            as *servers*.

        Returns
        -------
        numpy.ndarray
            A row of `kernel.TOTALS` of the decided subtasks for each row; undefined where it isn't active.
        """
        active = np.ones(len(self), np.bool_) if active is None else active
        completion = _NO_COMPLETION if completion is None else completion
        for row in np.flatnonzero(active & (self.decided == 0) & (decided > 1)).tolist():
            self._begin(row, servers[row], int(decided[row]), completion)
        totals = np.empty((len(self), _N_TOTALS))
        self._walk(servers, decided, active, completion, totals, _NO_TOTALS)
        for row in np.flatnonzero(active & np.isnan(totals[:, TOTAL.objective])).tolist():
            totals[row] = prefix_totals(self._problem, servers[row : row + 1, : decided[row]])[0]
        return totals

    def next_totals(self, servers: Ints, decided: int) -> Floats:
        """Score every server for the next subtask, in the first row.

        Parameters
        ----------
        servers
            Server indices, of which the first *decided* count, shape ``(n_subtasks,)``. Where the row has others it is
            made anew.
        decided
            How many subtasks are decided.

        Returns
        -------
        numpy.ndarray
            A row of `kernel.TOTALS` of the first ``decided + 1`` subtasks for each server, infinite where the subtask
            isn't allowed.
        """
        problem, have = self._problem, int(self.decided[0])
        if have > decided or not np.array_equal(self._first_row[:have], servers[:have]):
            self.clear()
            have = 0
        new = slice(have, decided)
        if not _are_allowed(problem, servers[new], have):
            prefix_totals(problem, servers[None, :decided])  # says what isn't allowed
        self._first_row[new] = servers[new]
        if have == 0 and decided > 1:
            self._begin(0, self._first_row, decided, _NO_COMPLETION)
        tried = np.full((problem.n_servers, _N_TOTALS), np.inf)
        totals = np.empty((1, _N_TOTALS))
        self._walk(self._first_row[None], np.array([decided]), _ONE, _NO_COMPLETION, totals, tried)
        if np.isnan(tried[:, TOTAL.objective]).any():
            allowed = np.flatnonzero(problem.allowed[decided])
            candidates = np.repeat(servers[None, : decided + 1], len(allowed), axis=0)
            candidates[:, decided] = allowed
            tried[allowed] = prefix_totals(problem, candidates)
        return tried

    def choose(self, servers: Ints, decided: int, work: int) -> int:
        """Append subtasks to the first row, each at the place with which the prefix is best by `Problem.merit`.

        Parameters
        ----------
        servers
            Those of the row, shape ``(n_subtasks,)``; filled with those that are chosen.
        decided
            How many subtasks it is to have.
        work
            How many bookings that may take.

        Returns
        -------
        int
            How many it took. It ended early where the row has fewer subtasks: because of that, or because the prefix
            must be scored as a whole.
        """
        problem = self._problem
        ceiling = problem.ceiling if problem.constrained else 1.0
        tried = np.empty((problem.n_servers, _N_TOTALS))
        totals = np.empty((1, _N_TOTALS))
        return self._walk(servers[None], np.array([decided]), _ONE, _NO_COMPLETION, totals, tried, ceiling, work)

    def _begin(self, row: int, servers: Ints, decided: int, completion: Floats) -> None:
        begin(*self._problem.packed, self.shared, self.reals, self.counts, row, servers, decided, completion)

    def _walk(
        self,
        servers: Ints,
        decided: Ints,
        active: NDArray[np.bool_],
        completion: Floats,
        totals: Floats,
        tried: Floats,
        ceiling: float = 0.0,
        work: int = 0,
    ) -> int:
        return int(
            walk(
                *self._problem.packed, self._problem.allowed, self.shared, self.reals, self.counts, servers,
                decided, active, completion, totals, tried, ceiling, work,
            )
        )  # fmt: skip


def _are_allowed(problem: Problem, servers: Ints, first: int) -> bool:
    """Tell whether subtasks from the *first* on may run on these servers."""
    if not ((servers >= 0) & (servers < problem.n_servers)).all():
        return False
    return bool(problem.allowed[np.arange(first, first + len(servers)), servers].all())
