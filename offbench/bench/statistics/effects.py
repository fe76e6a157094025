"""How large differences between solvers are: Vargha and Delaney's A, and Cliff's delta."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import pandas as pd


def vargha_delaney(first: ArrayLike, second: ArrayLike) -> float:
    """Return how probable it is that a number of the first sample is lower than one of the second, a tie half.

    Notes
    -----
    A. Vargha, H. D. Delaney: A critique and improvement of the CL common language effect size statistics, 2000. It is
    0.5 where neither tends to be lower; Cliff's delta is ``2 A - 1``.
    """
    a, b = np.asarray(first, dtype=np.float64)[:, None], np.asarray(second, dtype=np.float64)[None]
    return float(((a < b) + 0.5 * (a == b)).mean())


def lower_in_the_mean(table: "pd.DataFrame", value: str, first: str, second: str) -> float:
    """Return `vargha_delaney` of two solvers' runs on each instance, in the mean over the instances.

    Parameters
    ----------
    table
        Of runs.
    value
        Its column; infinite where a run failed.
    first, second
        Solvers.
    """
    found = []
    for _, runs in table.dropna(subset=[value]).groupby("instance"):
        of_first, of_second = (runs.loc[runs["solver"] == solver, value] for solver in (first, second))
        if len(of_first) and len(of_second):
            found.append(vargha_delaney(of_first, of_second))
    return float(np.mean(found)) if found else float("nan")
