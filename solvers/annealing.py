"""Simulated annealing by heat bath: each step weighs all moves of one kind at one place and draws one of them."""

from pydantic import Field

from offbench import P1, Search, Solver
from offbench.solvers._shared.heat_bath import DEAL, HeatBath, warm_up
from offbench.solvers._shared.moves import start
from offbench.solvers._shared.windows import by_windows, is_large


class Annealing(Solver):
    """Simulated annealing over servers, and over dispatch orders where subtasks can wait.

    A step draws one of all placements that a move leads to, as in a heat bath (`heat_bath`). The temperature
    falls geometrically with the share of the budget used, between two multiples of the median
    difference that moving one subtask makes at the start.
    """

    hot: float = Field(default=0.5, gt=0)
    """first temperature, in median differences"""
    cold: float = Field(default=2e-3, gt=0)
    """last temperature, likewise"""
    longest_run: int = Field(default=9, ge=2)
    """subtasks moved together at most"""
    deal: float = Field(default=DEAL, ge=0)
    """how often a stretch is dealt out to other servers, for each time that a subtask is moved"""

    def warm_up(self) -> None:
        warm_up()

    def solve(self, problem: P1, search: Search) -> None:
        if is_large(problem):
            by_windows(self, problem, search)
        bath = HeatBath(problem, search, start(problem, search), self.longest_run, deal=self.deal)
        typical = bath.typical_difference()
        bath.cool(typical * self.hot, typical * self.cold)
