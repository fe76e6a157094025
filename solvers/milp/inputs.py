"""What an input takes from place to place (Eq. 3, 6 and 8), in the evaluator's arithmetic.

*k* is the reader, *i* one of its inputs, *p* and *s* are places: numbers, or arrays that broadcast.
"""

from typing import Any

from offbench.model.arrays import LINK, Arrays


def transfer_s(a: Arrays, k: int, i: int, p: Any, s: Any) -> Any:
    """Return how long the transfer takes, latency included; 0 on one server."""
    link = a.link[a.links_of[k], p, s]
    return a.input_mb[i] / link[..., LINK.rate_mb_per_s] + link[..., LINK.latency_s]


def transfer_j(a: Arrays, k: int, i: int, p: Any, s: Any) -> Any:
    """Return what the client's radio draws while data flows."""
    link = a.link[a.links_of[k], p, s]
    return link[..., LINK.power_w] * (a.input_mb[i] / link[..., LINK.rate_mb_per_s])


def transfer_usd(a: Arrays, k: int, i: int, p: Any, s: Any) -> Any:
    """Return what the transfer costs."""
    return a.input_gb[i] * a.link[a.links_of[k], p, s, LINK.usd_per_gb]
