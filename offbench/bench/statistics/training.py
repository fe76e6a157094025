"""What a solver that learns costs: in full, spread over instances, and without learning here."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def spread_cost(training_s: float, inference_s: float, instances: float) -> float:
    """Return the seconds for each instance where one training serves so many of them."""
    return training_s / instances + inference_s


def break_even(training_s: float, inference_s: float, other_s: float) -> float:
    """Return on how many instances one training costs as much as another solver; infinite if it never does.

    Parameters
    ----------
    training_s
        Of one training.
    inference_s
        Of the trained solver on an instance.
    other_s
        Of the other solver on an instance.
    """
    saved_s = other_s - inference_s
    return training_s / saved_s if saved_s > 0 else math.inf


def training_costs(table: "pd.DataFrame", other_s: float, instances: int = 100) -> "pd.DataFrame":
    """Return what each solver that learns costs, counted in three ways.

    Parameters
    ----------
    table
        Of runs, with *trained*, *training_s* and *inference_s*; those that don't learn are left out.
    other_s
        Seconds on an instance of what it is compared with.
    instances
        That one training is spread over.

    Returns
    -------
    pandas.DataFrame
        A line for each solver and *trained*, medians: *training_s* and *inference_s*; *in_full_s*, both
        together; *spread_s*; *break_even*, in instances. What learns anew on each instance has nothing to spread.
    """
    import pandas as pd

    lines = []
    for (solver, trained), runs in table[table["trained"] != ""].groupby(["solver", "trained"]):
        training_s, inference_s = float(runs["training_s"].median()), float(runs["inference_s"].median())
        lines.append(
            {
                "solver": solver,
                "trained": trained,
                "training_s": training_s,
                "inference_s": inference_s,
                "in_full_s": training_s + (0.0 if math.isnan(inference_s) else inference_s),
                "spread_s": spread_cost(training_s, inference_s, instances),
                "break_even": math.nan if math.isnan(inference_s) else break_even(training_s, inference_s, other_s),
            }
        )
    return pd.DataFrame(lines)
