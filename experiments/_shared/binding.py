"""Random instances of format ``offbench/2`` whose constraints bind, one for each seed: 6 to 14 subtasks.

At most a tenth of random placements are feasible, first come, first served, and one that is feasible is known: what is
admitted is drawn from what random placements need. So memory, deadlines and limits have to be held together. The best
of random placements is not feasible, and everything on the client, be it feasible or not, is worse than some feasible
one, so that the missed improvement is defined.
"""

import math
from functools import cache

import numpy as np

from experiments._shared.drawn_format2 import Json, Rng, draw
from experiments._shared.exhaustive import Exhaustive, Floats, Found, Ints
from experiments._shared.tiny_format2 import dispatch_orders

SEEDS = range(200)
MOST_ASSIGNMENTS = 1_100_000
# With every dispatch order; all but a few are ruled out unseen.
MOST_PLACEMENTS = 1e11
MOST_FEASIBLE = 0.1
# Of the objective of everything on the client.
LEAST_IMPROVEMENT = 1e-3
SAMPLE = 800
# More than any of the seeds takes, some 20 s.
MOST_NODES = 100_000_000


@cache
def binding_data(seed: int) -> Json:
    """Return the instance of a seed, as in a file."""
    rng = np.random.default_rng([seed, 17])
    while True:
        data = _draw(rng, f"binding-{seed}")
        known = _constrain(data, rng)
        if known is not None and _binds(data, known, rng):
            return data


@cache
def binding_optimum(seed: int) -> Found:
    """Return the best placement of the seed's instance, by enumeration of servers and dispatch orders."""
    every = Exhaustive(binding_data(seed))
    objectives, needs = every.measure(every.random_servers(50_000, np.random.default_rng(seed)))
    feasible = every.violation(needs) <= 1e-9
    known = objectives[feasible].min() + 1e-9 if feasible.any() else math.inf
    return every.optimum(MOST_NODES, known=known)


def feasible_share(data: Json, rng: Rng) -> float:
    """Return the share of feasible ones among random placements, first come, first served."""
    every = Exhaustive(data)
    _, needs = every.measure(every.random_servers(SAMPLE, rng))
    return float((every.violation(needs) <= 1e-9).mean())


def _draw(rng: Rng, name: str) -> Json:
    """Return an instance without constraints: a chain, a branching task, or several tasks of one or several clients."""
    shape = int(rng.choice(4, p=[0.2, 0.2, 0.2, 0.4]))
    remotes = int(rng.choice([2, 3]))
    if shape == 0:
        return draw(rng, name, 1, remotes, [int(rng.integers(6, 13 if remotes == 2 else 11))], chains=True)
    if shape == 1:
        return draw(rng, name, 1, remotes, [int(rng.integers(6, 11))], chains=False)
    tasks = int(rng.choice([2, 3, 4], p=[0.45, 0.4, 0.15]))
    sizes = rng.integers(2, 6, size=tasks).tolist()
    clients = 1 if shape == 2 else min(tasks, int(rng.choice([2, 3, 4])))
    return draw(rng, name, clients, remotes, sizes, chains=bool(rng.random() < 0.6))


def _constrain(data: Json, rng: Rng) -> Ints | None:
    """Give memory, deadlines and limits; return servers that hold them, or None where the instance is of no use."""
    every = Exhaustive(data)
    assignments = math.prod(len(row) for row in every.exact.allowed)
    if not 6 <= every.exact.n_subtasks <= 14 or not SAMPLE < assignments <= MOST_ASSIGNMENTS:
        return None
    if assignments * dispatch_orders(every.exact) > MOST_PLACEMENTS:
        return None
    rows = every.random_servers(SAMPLE, rng)
    _, needs = every.measure(rows)
    chosen = _chosen(data, needs, rng)
    if not chosen.size:
        return None
    needs = needs[:, chosen]
    # A share of the placements needs no more than a quantile of each.
    ranks = np.array([np.searchsorted(np.sort(column), column, side="right") for column in needs.T]).max(axis=0)
    share = math.exp(rng.uniform(math.log(1 / SAMPLE), math.log(0.8 * MOST_FEASIBLE)))
    within = ranks <= np.sort(ranks)[max(0, round(share * SAMPLE) - 1)]
    admitted = needs[within].max(axis=0)
    known: Ints = rows[int(np.argmin(ranks))]
    if rng.random() < 0.3:  # so little that random placements hardly show one
        known, least = _less(every, known, chosen, admitted, rng)
        admitted = np.minimum(admitted, least * rng.uniform(1, 1.1, size=len(chosen)))
    smallest = min((mb for mb in every.facts.weights_mb if mb > 0), default=1.0)
    for column, value in zip(chosen.tolist(), admitted.tolist(), strict=True):
        _admit(data, column, _up(max(value, smallest) if column < len(data["servers"]) else value))
    return known


def _chosen(data: Json, needs: Floats, rng: Rng) -> Ints:
    """Return the columns of *needs* that are to be constrained: of one to three kinds, none that never changes."""
    servers, tasks = len(data["servers"]), len(data["tasks"])
    kind = np.repeat([0, 1, 2], [servers, tasks, 3])
    kinds = rng.choice(3, size=rng.choice([1, 2, 3], p=[0.35, 0.4, 0.25]), replace=False)
    wanted = np.isin(kind, kinds) & (rng.random(len(kind)) < 0.7) & (np.ptp(needs, axis=0) > 0)
    return np.flatnonzero(wanted)


def _less(every: Exhaustive, servers: Ints, chosen: Ints, admitted: Floats, rng: Rng) -> tuple[Ints, Floats]:
    """Return servers that need less of what is constrained, by chance changes, and what they need."""
    size = np.where(admitted > 0, admitted, 1.0)
    needs = every.measure(servers[None])[1][0, chosen]
    for _ in range(300):
        other = servers.copy()
        k = rng.integers(len(other))
        other[k] = rng.choice(every.exact.allowed[k])
        found = every.measure(other[None])[1][0, chosen]
        if (found / size).max() <= (needs / size).max():
            servers, needs = other, found
    return servers, needs


def _admit(data: Json, column: int, value: float) -> None:
    servers, tasks = data["servers"], data["tasks"]
    if column < len(servers):
        servers[column]["memory_mb"] = value
    elif column < len(servers) + len(tasks):
        tasks[column - len(servers)]["deadline_s"] = value
    else:
        name = ("delay_s", "energy_j", "cost_usd")[column - len(servers) - len(tasks)]
        data.setdefault("limits", {})[name] = value


def _up(value: float) -> float:
    """Return a number of five digits that is no smaller."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 4)
    return float(f"{math.ceil(value / unit * (1 + 1e-12)) * unit:.5g}")


def _binds(data: Json, known: Ints, rng: Rng) -> bool:
    every = Exhaustive(data)
    rows = every.random_servers(5 * SAMPLE, rng)
    objectives, needs = every.measure(np.vstack([rows, known]))
    feasible = every.violation(needs) <= 1e-9
    # A little less than a tenth of a sample, so that it is at most a tenth of all.
    if not feasible[-1] or feasible[:-1].mean() > 0.9 * MOST_FEASIBLE or feasible[int(np.argmin(objectives))]:
        return False
    client_only = float(every.exact.client_only())
    return bool(client_only - objectives[feasible].min() > LEAST_IMPROVEMENT * abs(client_only))
