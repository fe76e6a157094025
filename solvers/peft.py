"""PEFT: predict earliest finish time."""

from offbench import P1, Search, Solver
from offbench.solvers._shared.peft import peft


class Peft(Solver):
    """Predict earliest finish time: HEFT that looks ahead by a table of optimistic costs (Arabnejad, Barbosa, 2014).

    The table tells for each subtask and server how long the rest of the task takes at least, if every
    later subtask had the best server for itself. Where the paper has mean transfer times it has those of our links.
    Like HEFT it looks at time alone.
    """

    def solve(self, problem: P1, search: Search) -> None:
        search.propose(peft(problem, search.check))
