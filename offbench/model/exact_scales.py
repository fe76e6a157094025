"""The scales in exact numbers: a benefit is what a value leaves of its scale, and the last digit may be all of it."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The largest value in exact numbers is one of those that are this close to the largest.
_CLOSE = 1e-12


def exact_scales(facts: dict[str, Any], values: tuple[Floats, Floats, Floats]) -> tuple[Fraction, ...]:
    """Return the exact scales of delay, energy and cost.

    Parameters
    ----------
    facts
        The fields of `problem.Arrays`, and what they are made of: ``ghz``, ``client_of``, ``measured``.
    values
        The largest delay, energy and cost of each subtask on each server, of shape ``(subtasks, servers)``.
    """
    found = []
    for indicator, table in enumerate(values):
        largest = float(table.max())
        seen: set[tuple[object, ...]] = set()
        exact = Fraction(0)
        for k, s in np.argwhere(table >= largest * (1 - _CLOSE)).tolist() if largest > 0 else ():
            inputs = slice(int(facts["input_start"][k]), int(facts["input_start"][k + 1]))
            own = (facts["input_of"][inputs] >= len(facts["gcycles"])).tolist()
            megabytes = facts["input_mb"][inputs].tolist()
            ran_s = facts["execution_s"][k, s], facts["execution_rest_s"][k, s]
            c = int(facts["client_of"][k])
            alike = s, c, *ran_s, tuple(zip(own, megabytes, strict=True))
            if alike not in seen:
                seen.add(alike)
                exact = max(exact, _exact(facts, indicator, k, s, own, megabytes))
        found.append(exact)
    return tuple(found)


def _exact(facts: dict[str, Any], indicator: int, k: int, s: int, own: list[bool], megabytes: list[float]) -> Fraction:
    c = int(facts["client_of"][k])
    if facts["measured"][k, s]:
        run_s = Fraction(float(facts["execution_s"][k, s]))
    else:
        run_s = Fraction(float(facts["gcycles"][k])) / Fraction(float(facts["ghz"][c, s]))
    power_w, usd_per_h = float(facts["client_power_w"][c, s]), float(facts["usd_per_h"][c, s])
    per_s = (1, Fraction(power_w), Fraction(usd_per_h) / 3600)[indicator]
    sent = [Fraction(0)] * len(megabytes)
    for q, (rate, power_w, usd_per_gb, latency_s) in enumerate(facts["link"][facts["links_of"][k], :, s].tolist()):
        if q == s:
            continue
        s_per_mb = 1 / Fraction(rate)
        per_mb = (s_per_mb, Fraction(power_w) * s_per_mb, Fraction(usd_per_gb) / 1000)[indicator]
        late = Fraction(latency_s) if indicator == 0 else 0
        for i, mb in enumerate(megabytes):
            if not own[i] or q == facts["client"]:
                sent[i] = max(sent[i], per_mb * Fraction(mb) + late)
    return per_s * run_s + (max(sent) if indicator == 0 else sum(sent, Fraction(0)))
