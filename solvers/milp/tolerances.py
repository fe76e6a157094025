"""What HiGHS's tolerances can be worth, and how the model is built so that they cost no placement.

HiGHS takes a row for satisfied, and a node for empty, up to an absolute tolerance, and leaves coefficients out that are
below another. So it may cut off a point that satisfies every row, but only just; then its bound is too high. With
numbers that span ten orders of magnitude that happens.

**Assumed of HiGHS**: that it cuts off no point whose binaries are 0 or 1, that satisfies the equations, and that
satisfies every inequality with `ROOM` to spare, twice its feasibility tolerance; that its reduced costs are right to
`_REDUCED_COST` and its sums to `_ARITHMETIC`. No more: neither that its solutions are solutions, nor that what
it calls optimal is. Then a model that it calls infeasible has no such point. This holds for the rows that it solves.
Its presolve makes others of them, divided by what may be small, and was seen to cut off placements far from any limit.
So it is off where times are on a clock, or rows tell of memories, deadlines or limits. Elsewhere all coefficients are
1 or -1, and it is on. Nor is HiGHS given the incumbent to begin with: the bound of completing it, all servers given,
would come out as if it were the whole model's.

**Every placement is such a point.** Rows are of three kinds. Those among binaries and flows, balance included, have
whole numbers, and a placement satisfies them exactly. Equations define one time each by others; the point has the
values that they define. Inequalities of times and gains are written with `ROOM` more than they say, and so are bounds
that were computed. What they say, placements satisfy up to rounding and to coefficients left out, below `SMALLEST`
each: with times in units of the latest one, and other rows divided by their largest coefficient, both are far below
`ROOM`. Where arrivals are so late that the last digits of times are not, `ModelData.room` has more.

**Memories, deadlines and limits** (`constraints`) admit what the evaluator does, up to 1e-9 of each beyond it, and have
`ROOM` beside that. A row of a memory, or of a limit of energy or cost, has shares of what is admitted; deadlines and
the limit of delay are in the model's unit of time, as what they bound. So each feasible placement is such a point,
those at the edge too, and where HiGHS finds the model infeasible no placement is feasible. Places ruled out beforehand
(`offbench.bounds.tightened`) break a constraint by more than that, whatever the rest. The other way round, a solution
may exceed what is admitted: by what `ROOM` and tolerances are worth, or by 1e-9 several times. The evaluator says so,
and it is excluded (`refinement`).

**Large numbers** are lowered. A transfer or execution that takes `LONGEST` times the latest time is in no feasible
placement better than the incumbent, and still isn't when it takes no more than that; likewise a part that is `LONGEST`
times what a memory or a limit admits. Costs beyond `DEAREST` are lowered to it, where the variable can't be negative:
that lowers the objective of points, and so the bound.

**What is left** is what reduced costs and sums can be wrong by, times the range of each variable, and the gap at which
HiGHS stops: `margin`, which is taken off every bound. All variables have finite ranges for this.

What `ROOM` is worth shows in the model's optimum, a valid bound that is lower by what adds up along chains of subtasks,
times the slope of Q. Where that is more than a proof allows, solutions come out that look better than they are.
They are scored and excluded one after another (`refinement`), which takes no tolerance, until none is left.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_FEASIBILITY = 1e-9
ROOM = 2 * _FEASIBILITY
"""what inequalities of times and gains have to spare, in the model's unit"""
SMALLEST = 1e-12
"""coefficients below it are left out"""
LONGEST = 4.0
"""to what longer executions and transfers are cut, in the model's unit, in which no time is above 1.001; and larger
shares of what is admitted"""
DEAREST = 1e6
"""to what larger costs are cut, where Q is about `SIZE`"""
SIZE = 100.0
"""the objective that HiGHS sees, about"""
_REDUCED_COST = 2e-9
_ARITHMETIC = 1e-13
_GAP = 1e-7

# HiGHS solves relaxations with a tenth of the tolerance for its reduced costs, and takes none below 1e-10: with a
# tighter tolerance than this it would, without a word, go back to 1e-7.
OPTIONS = {
    "mip_rel_gap": _GAP,
    "mip_abs_gap": _GAP,
    "primal_feasibility_tolerance": _FEASIBILITY,
    "dual_feasibility_tolerance": _FEASIBILITY,
    "mip_feasibility_tolerance": _FEASIBILITY,
    "small_matrix_value": SMALLEST,
}


def lowered(costs: Floats, lower: Floats) -> Floats:
    """Return the costs of variables, those cut to `DEAREST` that no negative value can have."""
    return np.where(lower >= 0, np.minimum(costs, DEAREST), costs)


def margin(costs: Floats, lower: Floats, upper: Floats, offset: float) -> float:
    """Return by how much HiGHS's bound may be too high: the gap it stops at, reduced costs, sums.

    Parameters
    ----------
    costs, lower, upper
        Of each variable, as HiGHS has them.
    offset
        What is added to the objective.
    """
    ranges = upper - lower
    if not np.isfinite(ranges).all():
        return math.inf
    largest = np.abs(costs) * np.maximum(np.abs(lower), np.abs(upper))
    sums = abs(offset) + largest.sum()
    return float(_GAP * SIZE + _REDUCED_COST * ranges.sum() + _ARITHMETIC * sums)
