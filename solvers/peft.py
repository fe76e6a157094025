"""PEFT: predict earliest finish time."""

from offbench import P1, Search, Solver
from offbench.solvers._shared.list_scheduling import warm_up
from offbench.solvers._shared.peft import peft
from offbench.solvers._shared.repair import repair


class Peft(Solver):
    """Predict earliest finish time: HEFT that looks ahead by a table of optimistic costs (Arabnejad, Barbosa, 2014).

    The table tells for each subtask and place how long the rest of the task takes at least, if every
    later subtask had the best place for itself. Where the paper has mean transfer times it has those of our links.
    Like HEFT it looks at time alone; what breaks constraints is repaired.
    """

    def warm_up(self) -> None:
        warm_up()

    def solve(self, problem: P1, search: Search) -> None:
        repair(search, peft(problem, search.check))
