"""Runs CP-SAT beside the search: solutions and bounds stream in while it works.

CP-SAT runs in a thread of its own, for Python handles signals (Ctrl-C, the run's watchdog) in the main thread
alone, and only while that one runs Python. Its callbacks put things into a queue and raise nothing: no
exception may pass through compiled code. What raises stands in the calling thread, which takes things out;
before an exception leaves it, CP-SAT is told to stop, and has stopped.

CP-SAT may lower the objective unit by unit, from one solution to the next, while nothing changes in the placement
that they mean: its integer variables follow the last solution as far as the new limit lets them. That goes on for
millions of solutions, and no bound comes of it. So a run ends when all that it finds was found before.
"""

import math
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ortools.sat.python import cp_model

from offbench import Placement, Search
from offbench.model.problem import FEASIBLE

from .model import Decision, Met, Model

Ended = Literal["optimal", "infeasible", "repeats", "stopped"]
# How long the calling thread sleeps at most, s; and how long before the time limit CP-SAT is to stop.
_NAP_S = 0.05
_EARLY_S = 0.05
# So many solutions in a row that mean what others meant before end a run.
_REPEATS = 50


@dataclass(frozen=True)
class Settings:
    """Of CP-SAT."""

    workers: int
    seed: int
    log: bool = False


@dataclass
class EngineResult:
    """How a run of CP-SAT ended."""

    ended: Ended
    bound: float
    """on Q of the placements that the model is about; infinite if there are none"""
    met: list[Met]
    """of the last solution, as `Model.met`"""
    decision: Decision | None = None
    """of the last solution"""
    broken: list[Decision] = field(default_factory=list)
    """those of solutions that break constraints by less than the model sees"""


def run(
    model: Model,
    search: Search,
    settings: Settings,
    limit_s: float,
    on_bound: Callable[[float], None] = lambda _: None,
) -> EngineResult:
    """Solve a model, proposing its solutions to the search.

    Parameters
    ----------
    model
        The model.
    search
        Gets the placements.
    settings
        Of CP-SAT.
    limit_s
        Seconds that CP-SAT may take.
    on_bound
        Called with each bound on Q of the placements that the model is about.

    Raises
    ------
    SearchEnded, BoundError, KeyboardInterrupt
        From the search, or from signals; CP-SAT has stopped then.
    """
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = settings.workers
    solver.parameters.random_seed = settings.seed
    solver.parameters.log_search_progress = settings.log
    solver.parameters.linearization_level = 1
    # The presolve of OR-Tools 9.15 cuts off solutions of some of these models (its issue 5274 is of the kind), and
    # gains no time.
    solver.parameters.cp_model_presolve = False
    if limit_s < math.inf:
        solver.parameters.max_time_in_seconds = max(0.01, limit_s - _EARLY_S)
    news: queue.SimpleQueue[_News] = queue.SimpleQueue()
    listener = _Listener(model, news)
    solver.best_bound_callback = lambda value: news.put(_News(bound=model.q(value)))
    status: list[cp_model.CpSolverStatus] = []
    thread = threading.Thread(target=lambda: status.append(solver.solve(model.proto, listener)), daemon=True)
    outcome = EngineResult("stopped", -math.inf, [])
    known: set[tuple[bytes, ...]] = set()
    repeats = 0
    thread.start()
    try:
        while thread.is_alive() or not news.empty():
            try:
                item = news.get(timeout=_NAP_S)
            except queue.Empty:
                search.check()
                continue
            if item.bound > outcome.bound:
                outcome.bound = item.bound
                on_bound(item.bound)
            if item.placements:
                outcome.met, outcome.decision = item.met, item.decision
                if item.meaning in known:
                    repeats += 1
                    search.check()
                else:
                    known.add(item.meaning)
                    repeats = 0
                    broken = [_breaks(search, placement) for placement in item.placements]
                    if item.decision is not None and broken[-1]:
                        outcome.broken.append(item.decision)
                if repeats == _REPEATS:
                    outcome.ended = "repeats"
                    break
    finally:
        _stop(solver, thread)
    if outcome.ended == "repeats":
        return outcome
    if status and status[0] == cp_model.OPTIMAL:
        outcome.ended, outcome.bound = "optimal", model.q(solver.best_objective_bound)
    elif status and status[0] == cp_model.INFEASIBLE:
        outcome.ended, outcome.bound = "infeasible", math.inf
    elif status and status[0] == cp_model.MODEL_INVALID:
        why = model.proto.validate()
        # Numbers that span more than 64 bits do: then nothing is proven.
        if "integer overflow" not in why:
            raise RuntimeError(f"CP-SAT refuses the model: {why}")
    return outcome


def _breaks(search: Search, placement: Placement) -> bool:
    """Propose a placement; tell whether it breaks constraints."""
    orders = None if placement.order is None else placement.order[None]
    _, (violation,) = search.propose_violations(placement.servers[None], orders)
    return bool(violation > FEASIBLE)


@dataclass(frozen=True)
class _News:
    bound: float = -math.inf
    placements: tuple[Placement, ...] = ()
    met: list[Met] = field(default_factory=list)
    decision: Decision | None = None

    @property
    def meaning(self) -> tuple[bytes, ...]:
        """What the placements say, but for an order that comes to the same bookings."""
        first = self.placements[0]
        assert first.order is not None
        booked = () if self.decision is None else self.decision.first
        return first.servers.tobytes(), first.order.tobytes(), repr(booked).encode()


class _Listener(cp_model.CpSolverSolutionCallback):
    """Puts each solution into the queue."""

    def __init__(self, model: Model, news: "queue.SimpleQueue[_News]") -> None:
        super().__init__()
        self._model, self._news = model, news

    def on_solution_callback(self) -> None:
        model = self._model
        placements = tuple(model.placements(self.value))
        self._news.put(_News(placements=placements, met=model.met(self.value), decision=model.decision(self.value)))


def _stop(solver: cp_model.CpSolver, thread: threading.Thread) -> None:
    """Stop CP-SAT and wait for its thread, whatever signals come meanwhile; the last of them is raised after all."""
    raised: BaseException | None = None
    while thread.is_alive():
        try:
            solver.stop_search()
            thread.join(_NAP_S)
        except BaseException as error:
            raised = error
    if raised is not None:
        raise raised
