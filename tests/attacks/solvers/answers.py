"""A solver that hands back what is no answer."""

import os
from typing import Any

import numpy as np

from offbench import P1, Placement, Solver


class Answers(Solver):
    """Proposes the client alone, then tells something odd of itself."""

    how: str

    def solve(self, problem: P1, search: Any) -> None:
        search.propose(problem.everything_on(problem.arrays.client))
        getattr(self, self.how)(problem, search)

    # Counts.
    def half_a_count(self, problem: P1, search: Any) -> None:
        search.count(0.5)

    def count_of_numpy(self, problem: P1, search: Any) -> None:
        search.count(np.int32(7))

    def negative_count(self, problem: P1, search: Any) -> None:
        search.count(-1000)

    def word_for_a_count(self, problem: P1, search: Any) -> None:
        _forge(search, "evaluations", "plenty")

    # Bounds.
    def bound_of_numpy(self, problem: P1, search: Any) -> None:
        search.bound(np.float32(-64))
        search.bound(np.float64(-32))

    def nan_for_a_bound(self, problem: P1, search: Any) -> None:
        _forge(search, "lower_bound", float("nan"))

    def infinite_bound(self, problem: P1, search: Any) -> None:
        search.bound(float("inf"))

    def bound_above(self, problem: P1, search: Any) -> None:
        _forge(search, "lower_bound", search.objective + 1)

    # What was found.
    def forged_objective(self, problem: P1, search: Any) -> None:
        _forge(search, "objective", -1e6)

    def forged_incumbent(self, problem: P1, search: Any) -> None:
        _forge(search, "incumbent", Placement(np.full(problem.n_subtasks, problem.n_servers - 1)))

    def no_incumbent(self, problem: P1, search: Any) -> None:
        _forge(search, "incumbent", None)

    def cheaper_problem(self, problem: P1, search: Any) -> None:
        for array in vars(problem.arrays).values():
            if isinstance(array, np.ndarray) and array.dtype.kind == "f":
                array.setflags(write=True)
                array *= 0.5
        search.propose(problem.everything_on(problem.arrays.client))

    def forged_trace(self, problem: P1, search: Any) -> None:
        _forge(search, "trace", [*search.trace, (0.0, 2, -1e6, None)])

    def nan_in_the_trace(self, problem: P1, search: Any) -> None:
        _forge(search, "trace", [*search.trace, (float("nan"), 2, float("nan"), float("nan"))])

    def no_trace(self, problem: P1, search: Any) -> None:
        _forge(search, "trace", None)

    def clock_put_back(self, problem: P1, search: Any) -> None:
        search.clock._start += 1e7

    # What a learner tells.
    def nan_in_a_curve(self, problem: P1, search: Any) -> None:
        for k in range(1, 300):
            search.diary.tell("loss", float("nan") if k % 2 else 1.0, k)

    def infinity_in_a_curve(self, problem: P1, search: Any) -> None:
        for k in range(1, 300):
            search.diary.tell("reward", -float("inf"), k)

    def curve_of_numpy(self, problem: P1, search: Any) -> None:
        for k in np.arange(1, 300):
            search.diary.tell("loss", np.float32(0.25), k)

    def policy_of_another_shape(self, problem: P1, search: Any) -> None:
        search.policy = np.array([1000, -5])

    # Words.
    def error_of_no_text(self, problem: P1, search: Any) -> None:
        raise RuntimeError(os.fsdecode(b"file \xe9\xff"))

    def error_without_end(self, problem: P1, search: Any) -> None:
        raise RuntimeError("and " * 2_000_000)

    def error_that_commands(self, problem: P1, search: Any) -> None:
        raise RuntimeError("\x1b]0;title\x07\x1b[2J\r\n\x00 <script>alert(1)</script>\u202e")

    def error_that_cannot_be_told(self, problem: P1, search: Any) -> None:
        class Mute(Exception):  # noqa: N818
            def __str__(self) -> str:
                raise ValueError("no words")

        raise Mute


def _forge(search: object, name: str, value: object) -> None:
    """Set what a search has on record, where it shows it and where it keeps it."""
    for place in (name, f"_{name}"):
        try:
            setattr(search, place, value)
        except AttributeError:
            continue
