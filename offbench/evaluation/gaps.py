"""How far a placement is from the best there is: three numbers, always named (MODEL.md section 9).

An objective can be negative or near zero, so that a ratio to it alone misleads.
"""


def relative_gap(objective: float, bound: float) -> float:
    """Return ``(Q - LB) / max(|Q|, 1e-9)``, what a solver's status goes by."""
    return (objective - bound) / max(abs(objective), 1e-9)


def is_optimal(objective: float, bound: float) -> bool:
    """Tell whether bound and objective meet: relative gap <= 1e-6, or a difference <= 1e-9."""
    return objective - bound <= 1e-9 or relative_gap(objective, bound) <= 1e-6


def contradict(objective: float, bound: float) -> bool:
    """Tell whether a lower bound lies above an objective by more than rounding: one of them is wrong."""
    return bound > objective + 1e-9 * max(1.0, abs(objective))


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
    if is_optimal(client_only, best):
        return None
    return (objective - best) / (client_only - best)


def certified(objective: float, client_only: float, bound: float) -> float | None:
    """Return the missed improvement with the best bound in place of Q*: what is missed is at most that."""
    return missed_improvement(objective, client_only, bound)
