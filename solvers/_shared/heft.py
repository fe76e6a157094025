"""The construction of HEFT, heterogeneous earliest finish time: for itself, and for what begins with its placement."""

from collections.abc import Callable

import numpy as np

from offbench import Placement
from offbench.model.arrays import LINK, Floats
from offbench.model.problem import Problem
from offbench.solvers._shared.list_scheduling import schedule


def heft(problem: Problem, check: Callable[[], None] = lambda: None) -> Placement:
    """Return HEFT's placement; *check* is called now and then, and may raise to end it."""
    rank = upward_rank(problem)
    return schedule(problem, np.lexsort((np.arange(len(rank)), -rank)), check=check)[0]


def upward_rank(problem: Problem) -> Floats:
    """Return each subtask's mean execution time plus the longest way from its end to its task's."""
    a, n, places = problem.arrays, problem.n_subtasks, problem.n_servers
    execution_s = np.ma.masked_array(a.execution_s, ~problem.allowed).mean(axis=1).filled(0).tolist()
    pairs = max(1, places * (places - 1))
    s_per_mb = ((1 / a.link[..., LINK.rate_mb_per_s]).sum(axis=(1, 2)) / pairs).tolist()
    latency_s = (a.link[..., LINK.latency_s].sum(axis=(1, 2)) / pairs).tolist()
    table, megabytes = a.links_of.tolist(), a.input_mb.tolist()
    rank, longest = [0.0] * n, [0.0] * n
    for k in range(n - 1, -1, -1):
        rank[k] = execution_s[k] + longest[k]
        for source, i in zip(problem.sources_of(k), problem.inputs_of(k), strict=True):
            if source < n:
                way = megabytes[i] * s_per_mb[table[k]] + latency_s[table[k]] + rank[k]
                longest[source] = max(longest[source], way)
    return np.array(rank)
