"""What a relaxation is, and the best bound of all of them within a budget."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from offbench.model.problem import Problem
from offbench.search.budget import Clock, SearchEnded
from offbench.search.watchdog import signal_behind, watchdog

Ended = Literal["finished", "time-limit", "interrupted", "not-run"]


@dataclass(frozen=True)
class Relaxation:
    """A named way to a lower bound."""

    name: str
    description: str
    """one line: what is left out"""
    bounds: Callable[[Problem], Iterator[float]]
    """yields valid bounds that mostly improve; ends by itself or is left when time is up"""


@dataclass(frozen=True)
class RelaxationResult:
    """What one relaxation came to."""

    relaxation: Relaxation
    bound: float
    """the best that it yielded; minus infinity without one"""
    seconds: float
    ended: Ended


@dataclass(frozen=True)
class Bounds:
    """What the relaxations came to, in their order."""

    outcomes: tuple[RelaxationResult, ...]

    @property
    def best(self) -> RelaxationResult | None:
        """The first of those with the highest bound; None if there is no bound."""
        found = [outcome for outcome in self.outcomes if outcome.bound > -math.inf]
        return max(found, key=lambda outcome: outcome.bound, default=None)

    @property
    def bound(self) -> float:
        """The highest bound; minus infinity without one."""
        return self.best.bound if self.best is not None else -math.inf

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended it."""
        return any(outcome.ended == "interrupted" for outcome in self.outcomes)


def tightest(
    problem: Problem,
    relaxations: Sequence[Relaxation],
    time_limit: float | None = None,
    on_bound: Callable[[Relaxation, float], None] | None = None,
) -> Bounds:
    """Return the best bound of each relaxation within a budget.

    Parameters
    ----------
    problem
        P1 or P2; for P2, bounds on the orders of the given servers.
    relaxations
        In the order in which they run. Each yields its first bound, which shows those that have
        little to say; then each gets an equal part of the time that is left, and what one doesn't
        use goes to the others.
    time_limit
        Seconds, all together. Without it each relaxation ends by itself.
    on_bound
        Called when a relaxation improves its own bound. What it raises ends everything.

    Returns
    -------
    Bounds
        An outcome for each relaxation, also if time ran out or Ctrl-C ended it.

    Raises
    ------
    ValueError
        If a relaxation yields what no bound can be.
    """
    clock = Clock()
    runs = [_Run(relaxation, problem, on_bound) for relaxation in relaxations]
    waiting, first = runs, True
    while waiting:
        for i, run in enumerate(waiting):
            share_s = None if time_limit is None else (time_limit - clock.seconds) / (len(waiting) - i)
            interrupted = any(each.ended == "interrupted" for each in runs)
            if not interrupted and (share_s is None or share_s > 0):
                run.advance(share_s, one_bound=first)
            else:
                run.leave(interrupted)
        waiting, first = [run for run in waiting if run.may_go_on], False
    return Bounds(tuple(run.outcome for run in runs))


class _Run:
    """A relaxation that is run bit by bit."""

    def __init__(
        self, relaxation: Relaxation, problem: Problem, on_bound: Callable[[Relaxation, float], None] | None
    ) -> None:
        self.relaxation = relaxation
        self.best = -math.inf
        self.seconds = 0.0
        self.ended: Ended = "not-run"
        self.may_go_on = True
        self._values = _begun_later(relaxation, problem)
        self._on_bound = on_bound

    @property
    def outcome(self) -> RelaxationResult:
        return RelaxationResult(self.relaxation, self.best, self.seconds, self.ended)

    def advance(self, time_limit: float | None, one_bound: bool) -> None:
        """Take one bound, or bounds until there are no more or time is up."""
        clock = Clock()
        self.may_go_on = False
        try:
            while self._step(clock, time_limit):
                if one_bound or (time_limit is not None and clock.seconds >= time_limit):
                    self.ended = "time-limit"
                    self.may_go_on = True
                    break
        except KeyboardInterrupt:
            self.ended = "interrupted"
        self.seconds += clock.seconds

    def leave(self, interrupted: bool) -> None:
        """Take no more bounds."""
        self.may_go_on = False
        if interrupted and self.ended != "not-run":
            self.ended = "interrupted"

    def _step(self, clock: Clock, time_limit: float | None) -> bool:
        """Take the next bound; return whether there was one."""
        try:
            with watchdog(clock, time_limit):  # armed for one step alone: what on_bound raises must pass
                value = next(self._values, None)
        except SearchEnded:
            self.ended = "time-limit"
            return False
        except SystemError as error:  # the watchdog, or Ctrl-C, in the middle of a C function
            cause = signal_behind(error)
            if cause is None:
                raise
            self.ended = "interrupted" if isinstance(cause, KeyboardInterrupt) else "time-limit"
            return False
        if value is None:
            self.ended = "finished"
            return False
        if not value < math.inf:
            raise ValueError(f"relaxation '{self.relaxation.name}' yields {value}, which is no bound")
        if value > self.best:
            self.best = float(value)
            if self._on_bound is not None:
                self._on_bound(self.relaxation, self.best)
        return True


def _begun_later(relaxation: Relaxation, problem: Problem) -> Iterator[float]:
    """Yield the bounds; also a relaxation that is no generator does its work at the first step."""
    yield from relaxation.bounds(problem)
