"""Cases of a residual block: whether its branch or its skip is critical.

Between two layers that nothing bypasses, its fork and its join, lies a block. The join reads the
end of a chain of layers and the fork itself, the skip. Where the chain is critical, all of the block's delay is
the chain's. Where the skip is, the delay is the skip's transmission, and nothing in the chain takes longer: transfers
count with their latencies, and both ways end on the join's server.
Every placement is in one of these cases, so the least of them is a bound. A delay in the chain counts as no longer than
the skip's transfer if it is so but for 1e-12 of it, so that rounding rules no placement out of its case.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from offbench.bounds.frontier import Case
from offbench.bounds.subtask_costs import Assumed, Flow, SubtaskCosts
from offbench.model.arrays import LINK
from offbench.model.problem import Problem

# No more times of a skip's transmission are told apart.
_MOST_TIMES = 12


@dataclass(frozen=True)
class ResidualBlock:
    """A residual block."""

    fork: int
    join: int
    chain: int
    """input of the join that comes through the layers between them"""
    skip: int
    """input of the join that comes from the fork"""


def parts(problem: Problem, steps: SubtaskCosts, flow: Flow) -> list[list[Case]]:
    """Return the problem in parts: blocks with their cases, and single subtasks.

    Parameters
    ----------
    problem, steps
        The problem and what makes its steps.
    flow
        How the delay is spread; within a block it follows the critical way.
    """
    made: list[list[Case]] = []
    blocks = {block.fork + 1: block for block in find_blocks(problem)}
    k = 0
    while k < problem.n_subtasks:
        if k in blocks:
            made.append(list(_cases(problem, steps, flow, blocks[k])))
            k = blocks[k].join + 1
        else:
            made.append([[steps.step(k, flow.subtask[k], flow.transfer)]])
            k += 1
    return made


def find_blocks(problem: Problem) -> Iterator[ResidualBlock]:
    """Yield the residual blocks."""
    last_reader = np.arange(problem.n_subtasks)
    for k in range(problem.n_subtasks):
        for source in problem.sources_of(k):
            if source < problem.n_subtasks:
                last_reader[source] = k
    for subtasks in map(problem.subtasks_of, range(problem.n_tasks)):
        # Behind a cut nothing before it is read.
        first = subtasks.start
        latest = np.maximum.accumulate(last_reader[first : subtasks.stop])
        cuts = [k for k in subtasks if k == first or latest[k - first - 1] <= k]
        for fork, join in pairwise(cuts):
            ends = dict(zip(problem.sources_of(join), problem.inputs_of(join), strict=True))
            between = range(fork + 1, join)
            if between and set(ends) == {fork, join - 1} and all(problem.sources_of(k) == [k - 1] for k in between):
                yield ResidualBlock(fork, join, chain=ends[join - 1], skip=ends[fork])


def _cases(problem: Problem, steps: SubtaskCosts, flow: Flow, block: ResidualBlock) -> Iterator[Case]:
    a = problem.arrays
    through = np.full(problem.n_subtasks, -1)
    through[block.join] = block.chain
    for k in range(block.fork + 1, block.join):
        through[k] = problem.inputs_of(k).start
    yield _case(steps, flow, block, through, Assumed(critical=block.chain))
    # The skip's transmission takes one of few times, or is told to lie between two of them.
    link = a.link[a.links_of[block.join]]
    times_s = np.unique(a.input_mb[block.skip] / link[..., LINK.rate_mb_per_s] + link[..., LINK.latency_s])
    if len(times_s) > _MOST_TIMES:
        times_s = times_s[np.linspace(0, len(times_s) - 1, _MOST_TIMES).round().astype(int)]
    through = np.full(problem.n_subtasks, -1)
    through[block.join] = block.skip
    for shorter, time_s in zip([-np.inf, *times_s[:-1]], times_s, strict=True):
        yield _case(steps, flow, block, through, Assumed(time_s, time_s, block.skip, shorter))


def _case(steps: SubtaskCosts, flow: Flow, block: ResidualBlock, through: NDArray[np.int64], assumed: Assumed) -> Case:
    # What flows through the join comes from the fork, on the critical way.
    share = flow.subtask[block.join]
    way = Flow.along(steps.problem, through)
    inner = Assumed(delay_s=assumed.delay_s)
    chain = [
        steps.step(k, share * way.subtask[k], share * way.transfer, inner) for k in range(block.fork + 1, block.join)
    ]
    # The join's own delay has its execution and queueing too.
    return [*chain, steps.step(block.join, share, share * way.transfer, replace(assumed, delay_s=np.inf))]
