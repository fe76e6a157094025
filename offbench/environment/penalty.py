"""What breaking a constraint costs in rewards (MODEL.md section 7)."""

import numpy as np

from offbench.errors import OffbenchError
from offbench.evaluation.client_only import client_only
from offbench.model.arrays import WEIGHT
from offbench.model.problem import Problem


def penalty_of(problem: Problem, penalty: float | None = None) -> float:
    """Return what a violation of 1 takes off the rewards, in units of Q; 0 where nothing can be broken.

    By default it is what everything on the client amounts to: the three parts of its Q added up without their signs,
    so that they can't cancel out. Taking twice what is admitted then costs about what offloading can gain in all,
    whatever the size and weights of the instance, and values that are learnt stay of the size of Q. To break little
    may still pay in rewards. It never does in what a search keeps: feasible placements come first there.

    Raises
    ------
    OffbenchError
        If *penalty* is negative or not finite.
    """
    if penalty is not None and not 0 <= penalty < np.inf:
        raise OffbenchError(f"environment: penalty: must be a number from 0 on, not {penalty}")
    if not problem.constrained:
        return 0.0
    if penalty is not None:
        return float(penalty)
    found, weights = client_only(problem), problem.arrays.weights
    parts = [found.score, found.coordination, found.balance]
    return float(np.abs(weights[[WEIGHT.score, WEIGHT.coordination, WEIGHT.balance]] * parts).sum()) or 1.0
