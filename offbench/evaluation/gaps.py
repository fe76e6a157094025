"""How far a placement is from the best there is: three numbers, always named (MODEL.md section 9).

An objective can be negative or near zero, so that a ratio to it alone misleads. Beside it stands Q_client, the
objective of everything on the client: no unit of measure decides whether two numbers meet.
"""

import math

_RELATIVE = 1e-6
_OF_CLIENT = 1e-9
# What arithmetic may add to a bound.
_ROUNDING = 1e-9


def relative_gap(objective: float, bound: float, *, client_only: float) -> float | None:
    """Return ``(Q - LB) / max(|Q|, 1e-9 |Q_client|)``, what a solver's status goes by.

    None where Q and Q_client are both 0 and the bound isn't: there is nothing to measure by.
    """
    difference, size = objective - bound, max(abs(objective), _OF_CLIENT * abs(client_only))
    if size == 0:
        return 0.0 if difference == 0 else None
    return difference / size


def tolerance(objective: float, *, client_only: float) -> float:
    """Return by how much a bound may lie below an objective that it proves optimal."""
    return max(_RELATIVE * abs(objective), _OF_CLIENT * abs(client_only))


def is_optimal(objective: float, bound: float, *, client_only: float) -> bool:
    """Tell whether bound and objective meet: ``Q - LB <= max(1e-6 |Q|, 1e-9 |Q_client|)``."""
    return math.isfinite(objective) and objective - bound <= tolerance(objective, client_only=client_only)


def contradict(objective: float, bound: float, *, client_only: float) -> bool:
    """Tell whether a lower bound lies above an objective by more than rounding: one of them is wrong."""
    return bound > objective + _ROUNDING * max(abs(objective), abs(client_only))


def absolute_gap(objective: float, best: float) -> float:
    """Return ``Q - Q*``, or ``Q - LB`` where *best* is a bound."""
    return objective - best


def missed_improvement(objective: float, client_only: float, best: float) -> float | None:
    """Return ``(Q - Q*) / (Q_client - Q*)``: what is missed of the possible improvement over the device alone.

    Parameters
    ----------
    objective
        Q of the placement.
    client_only
        Q of everything on the client.
    best
        Q*: the proven optimum, else the best known value.

    Returns
    -------
    float or None
        0 for the best, 1 for what is no better than not offloading; None where not offloading is
        optimal, for there is nothing to improve.
    """
    if is_optimal(client_only, best, client_only=client_only):
        return None
    return (objective - best) / (client_only - best)


def certified(objective: float, client_only: float, bound: float) -> float | None:
    """Return the missed improvement with the best bound in place of Q*: what is missed is at most that."""
    return missed_improvement(objective, client_only, bound)
