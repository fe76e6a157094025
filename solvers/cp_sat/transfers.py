"""What it takes to send inputs from server to server, by the links of the reader's client."""

import numpy as np

from offbench.model.arrays import LINK, Floats, Ints
from offbench.model.problem import Problem


def transfers(problem: Problem, k: int, i: int) -> Floats:
    """Return seconds, energy (J) and cost ($) of input *i* on its way to subtask *k*, shape (servers, servers, 3)."""
    a = problem.arrays
    link = a.link[a.links_of[k]]
    flows_s = a.input_mb[i] / link[..., LINK.rate_mb_per_s]
    return np.stack(
        (
            flows_s + link[..., LINK.latency_s],
            link[..., LINK.power_w] * flows_s,
            a.input_gb[i] * link[..., LINK.usd_per_gb],
        ),
        axis=-1,
    )


def transfer_s(problem: Problem, k: int, i: int, q: int, s: int) -> float:
    """Return the seconds of input *i* on its way from server *q* to subtask *k* on server *s*."""
    a = problem.arrays
    link = a.link[a.links_of[k], q, s]
    return float(a.input_mb[i] / link[LINK.rate_mb_per_s] + link[LINK.latency_s])


def flows_s(problem: Problem) -> Floats:
    """Return how long data of each input flows, without latency, shape (inputs, servers, servers)."""
    a = problem.arrays
    rates: Floats = a.link[..., LINK.rate_mb_per_s][_tables(problem)]
    return a.input_mb[:, None, None] / rates


def slowest_s(problem: Problem) -> Floats:
    """Return the seconds that each input takes at most, shape (inputs,)."""
    latency_s: Floats = problem.arrays.link[..., LINK.latency_s][_tables(problem)]
    slowest: Floats = (flows_s(problem) + latency_s).max(axis=(1, 2))
    return slowest


def _tables(problem: Problem) -> Ints:
    """Return which table of links each input goes by: that of its reader."""
    a = problem.arrays
    inputs: Ints = np.diff(a.input_start.astype(np.int64))
    return np.repeat(a.links_of.astype(np.int64), inputs)
