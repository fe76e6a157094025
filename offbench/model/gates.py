"""The gates of a network: layers that all before them leads to, that all behind them comes from, and no edge passes."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from offbench.model.problem import Problem

INPUT = -1
"""the network's input among what a layer reads"""


def gates_among(reads: Sequence[Iterable[int]]) -> list[int]:
    """Return the layers that are gates, ascending.

    Parameters
    ----------
    reads
        Of each layer the earlier ones that it reads; `INPUT` for the network's input.
    """
    last: dict[int, int] = {}
    for k, sources in enumerate(reads):
        for source in sources:
            last[source] = k
    found = []
    crosses, ended = last.get(INPUT, -1), False
    for k in range(len(reads)):
        if crosses <= k and not ended:
            found.append(k)
        ended |= k not in last  # nobody reads it
        crosses = max(crosses, last.get(k, -1))
    return found


def gates(problem: Problem) -> list[int]:
    """Return the subtasks of a problem of one task that are gates, ascending.

    When a gate has run, all that came before it has ended. So the slots are free, and what is to come depends on where
    the gate ran alone.
    """
    n = problem.n_subtasks
    return gates_among([[INPUT if source == n else source for source in problem.sources_of(k)] for k in range(n)])


def longest_stretch(problem: Problem) -> int:
    """Return how many layers there are at most from behind a gate up to the next one."""
    ends = [-1, *gates(problem), problem.n_subtasks - 1]
    return max(end - start for start, end in pairwise(ends))
