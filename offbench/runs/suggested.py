"""Which solver to take where none is named: by the shape, size and objective of an instance.

The rule was made on the shipped instances; `make default-solver` holds it against the other solvers on drawn ones,
which no default was chosen on (results/default-solver).
"""

from typing import Any, NamedTuple

from offbench.model.gates import longest_stretch
from offbench.model.instance import Instance
from offbench.model.problem import P1

# Above this, walks that score one move at a time get nowhere in a minute.
_LARGE = 5000
# Up to so many layers between two gates, branch and bound is quick; of 13 that wait for one another some take minutes.
_STRETCH = 12


# What a solver is much better with than with its defaults, which stay, so that its results keep their meaning.
_BETTER = {"genetic": ("local_search", "true", "which makes it memetic, it misses less than a tenth")}


class Suggestion(NamedTuple):
    """A solver with its parameters, and why it is taken."""

    solver: str
    parameters: dict[str, Any]
    why: str


def suggested(instance: Instance) -> Suggestion:
    """Return the solver that is taken where none is named (P1)."""
    if instance.is_chain:
        return Suggestion("chain-exact", {}, "one chain: it proves the optimum, mostly in seconds")
    w = instance.weights
    if len(instance.tasks) == 1 and w.coordination == w.balance == 0:
        problem = P1(instance)
        if not problem.constrained and longest_stretch(problem) <= _STRETCH:
            return Suggestion("graph-exact", {}, "one network and no H or Z in the objective: it proves the optimum")
        return Suggestion("cp-sat", {}, "one network and no H or Z in the objective: it often proves the optimum")
    if instance.subtasks > _LARGE:
        return Suggestion("local-search", {}, f"{instance.subtasks:,} subtasks: others hardly move in a minute")
    return Suggestion(
        "genetic", {"local_search": True}, "it misses least of what is known, on graphs and several tasks"
    )


def better_with(solver: str, parameters: dict[str, Any]) -> str:
    """Return what a solver by its defaults is much better with, in words; empty where there is nothing to say."""
    name, value, why = _BETTER.get(solver, ("", "", ""))
    return f"'{solver}': with --set {name}={value}, {why}" if name and name not in parameters else ""
