"""Prices of resources, by Lagrangian relaxation: what is used above the admitted costs, and what is left is paid back.

For every feasible placement this makes nothing dearer, whatever the prices from 0 on. So the cheapest placement under
prices is a lower bound; they are raised where it uses too much and lowered where it leaves some (the subgradient method
with Polyak's steps).

Rounding: the bound is lowered by what sums of steps, and of what is paid back, can be off by.
"""

from collections.abc import Callable

import numpy as np

from offbench.bounds import Window
from offbench.model.arrays import Floats, Ints

from .resources import Layout

_STEPS = 100
# Without gain for so many steps, they are halved.
_PATIENCE = 6
_SMALLEST = 1e-3
# The step's aim where there is no incumbent: so much above the bound, as a share of the largest |bound| met.
_AIM = 0.1


def best_prices(
    layout: Layout, propose: Callable[[Ints], float], bound: Callable[[float], None], check: Callable[[], None]
) -> Floats:
    """Return the prices of the best bound that was met.

    Parameters
    ----------
    layout
        Program and resources.
    propose
        Called with each cheapest placement; returns the incumbent's objective, infinite without.
    bound
        Called with each bound.
    check
        Called between steps; may raise to end it.
    """
    narrow = Window(layout.problem.arrays, ())
    prices = np.zeros(len(layout.most))
    best, best_bound, length, fruitless = prices, -np.inf, 1.0, 0
    for _ in range(_STEPS):
        check()
        program = layout.priced(prices)
        tables = program.to_go(narrow, check)
        value = program.bound_of(tables) - float(prices @ layout.most) - paid_off(layout, prices)
        bound(value)
        servers = program.cheapest(narrow, tables)
        objective = propose(servers)
        if value > best_bound:
            best, best_bound, fruitless = prices, value, 0
        else:
            fruitless += 1
            if fruitless == _PATIENCE:
                length, fruitless, prices = length / 2, 0, best
        over = layout.used(servers) / layout.most - 1
        over[(prices == 0) & (over < 0)] = 0
        size = float(over @ over)
        if size == 0 or length < _SMALLEST:
            break
        aim = objective if objective < np.inf else best_bound + _AIM * max(abs(best_bound), 1e-9)
        step = length * max(aim - value, 0.0) / size
        prices = np.maximum(0.0, prices + step * over / layout.most)
    return best


def paid_off(layout: Layout, prices: Floats) -> float:
    """Return more than what is paid, and paid back, can be off by."""
    subtasks = layout.problem.n_subtasks
    return float(8 * np.finfo(float).eps * (subtasks + len(prices)) * (prices @ layout.most))
