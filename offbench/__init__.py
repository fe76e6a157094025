"""Where should the layers of a neural network run: device, edge or cloud.

>>> import offbench as ob
>>> ob.solve("alexnet", "greedy", seed=0).summary()  # doctest: +SKIP
"""

from importlib import import_module

TYPE_CHECKING = False  # typing isn't imported: under `python -m offbench` the current folder could have one
if TYPE_CHECKING:
    from typing import Any

    from offbench.catalogue.catalogue import load_catalogue as load_catalogue
    from offbench.catalogue.deployment import deploy as deploy
    from offbench.errors import OffbenchError as OffbenchError
    from offbench.evaluation.evaluator import Evaluation as Evaluation
    from offbench.evaluation.evaluator import evaluate as evaluate
    from offbench.evaluation.evaluator import evaluate_many as evaluate_many
    from offbench.importers.registry import import_network as import_network
    from offbench.learning.trainable import Trainable as Trainable
    from offbench.model.instance import Instance as Instance
    from offbench.model.instance import load as load
    from offbench.model.objectives import with_objective as with_objective
    from offbench.model.placement import Placement as Placement
    from offbench.model.placement import load_placement as load_placement
    from offbench.model.problem import P1 as P1
    from offbench.model.problem import P2 as P2
    from offbench.runs.advice.advice import advise as advise
    from offbench.runs.solution import Solution as Solution
    from offbench.runs.solve import solve as solve
    from offbench.runs.two_step import solve_two_step as solve_two_step
    from offbench.search.budget import Budget as Budget
    from offbench.search.budget import GaveUp as GaveUp
    from offbench.search.budget import Infeasible as Infeasible
    from offbench.search.budget import SearchEnded as SearchEnded
    from offbench.search.search import Search as Search
    from offbench.search.solver import Solver as Solver

# Public names and the modules that have them, imported when first used: `import offbench` costs nothing.
_HOME = {
    "OffbenchError": "errors",
    "advise": "runs.advice.advice",
    "deploy": "catalogue.deployment",
    "import_network": "importers.registry",
    "load_catalogue": "catalogue.catalogue",
    "Evaluation": "evaluation.evaluator",
    "evaluate": "evaluation.evaluator",
    "evaluate_many": "evaluation.evaluator",
    "Instance": "model.instance",
    "load": "model.instance",
    "with_objective": "model.objectives",
    "Placement": "model.placement",
    "load_placement": "model.placement",
    "P1": "model.problem",
    "P2": "model.problem",
    "Budget": "search.budget",
    "GaveUp": "search.budget",
    "Infeasible": "search.budget",
    "Search": "search.search",
    "SearchEnded": "search.budget",
    "Solution": "runs.solution",
    "solve": "runs.solve",
    "solve_two_step": "runs.two_step",
    "Solver": "search.solver",
    "Trainable": "learning.trainable",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> "Any":
    if name not in _HOME:
        raise AttributeError(f"module 'offbench' has no attribute '{name}'")
    value = getattr(import_module(f"offbench.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
