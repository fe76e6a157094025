"""The gates of a network: layers that all before them leads to, that all behind them comes from, and no edge passes."""

from itertools import pairwise

from offbench.model.problem import Problem


def gates(problem: Problem) -> list[int]:
    """Return the subtasks of a problem of one task that are gates, ascending.

    When a gate has run, all that came before it has ended. So the slots are free, and what is to come depends on where
    the gate ran alone.

    Parameters
    ----------
    problem
        Of one task.
    """
    n = problem.n_subtasks
    last = [-1] * (n + 1)  # reader of each subtask, and of the task's input
    for k in range(n):
        for source in problem.sources_of(k):
            last[source] = k
    found = []
    crosses, ended = last[n], False
    for k in range(n):
        if crosses <= k and not ended:
            found.append(k)
        ended |= last[k] < 0  # nobody reads it
        crosses = max(crosses, last[k])
    return found


def longest_stretch(problem: Problem) -> int:
    """Return how many layers there are at most from behind a gate up to the next one."""
    ends = [-1, *gates(problem), problem.n_subtasks - 1]
    return max(end - start for start, end in pairwise(ends))
