"""Where should the layers of a neural network run: device, edge or cloud.

>>> import offbench as ob
>>> ob.solve("alexnet", "greedy", seed=0).summary()  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from offbench.errors import OffbenchError as OffbenchError
    from offbench.evaluator import Evaluation as Evaluation
    from offbench.evaluator import evaluate as evaluate
    from offbench.evaluator import evaluate_many as evaluate_many
    from offbench.instance import Instance as Instance
    from offbench.instance import load as load
    from offbench.placement import Placement as Placement
    from offbench.placement import load_placement as load_placement
    from offbench.problem import P1 as P1
    from offbench.problem import P2 as P2
    from offbench.run import solve as solve
    from offbench.search import Budget as Budget
    from offbench.search import Infeasible as Infeasible
    from offbench.search import Search as Search
    from offbench.search import SearchEnded as SearchEnded
    from offbench.solution import Solution as Solution
    from offbench.solver import Solver as Solver
    from offbench.training import Trainable as Trainable
    from offbench.two_step import solve_two_step as solve_two_step

# Public names and the modules that have them, imported when first used: `import offbench` costs nothing.
_HOME = {
    "OffbenchError": "errors",
    "Evaluation": "evaluator",
    "evaluate": "evaluator",
    "evaluate_many": "evaluator",
    "Instance": "instance",
    "load": "instance",
    "Placement": "placement",
    "load_placement": "placement",
    "P1": "problem",
    "P2": "problem",
    "Budget": "search",
    "Infeasible": "search",
    "Search": "search",
    "SearchEnded": "search",
    "Solution": "solution",
    "solve": "run",
    "solve_two_step": "two_step",
    "Solver": "solver",
    "Trainable": "training",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'offbench' has no attribute '{name}'")
    value = getattr(import_module(f"offbench.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
