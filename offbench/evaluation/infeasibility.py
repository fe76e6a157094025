"""Why no placement can be feasible, where that shows before any search.

What is told is proven: whatever the places and the dispatch order, the violation is more than what rounding can make of
a feasible one (`tightening.ROOM`). That nothing is told proves nothing.
"""

from collections.abc import Iterator

import numpy as np

from offbench.evaluation.tightening import (
    ROOM,
    Admitted,
    admitting,
    fitting,
    least_delays_s,
    least_energies_and_costs,
    paths_s,
    tighten,
)
from offbench.files.numbers import apart
from offbench.files.plain import plain
from offbench.model.arrays import INDICATOR, Ints
from offbench.model.instance import Instance, load
from offbench.model.problem import P1, Problem

# Sets of places that are looked at for weights that only they may hold.
_MOST_SETS = 20
# Servers and characters of a name that a sentence has.
_MOST_NAMES = 3
_LONGEST = 40


def why_infeasible(problem: Problem) -> str | None:
    """Return in one line what can't be, or None where nothing shows, as without constraints.

    A layer that fits on no server that it may use; weights that exceed all memories that may hold them; a deadline
    below the least delay of its task; a limit below the least that its total can be; a layer to which all these
    together leave no server. The time it takes grows with subtasks, inputs and pairs of places.

    Parameters
    ----------
    problem
        P1, or P2 whose servers are given.
    """
    return next(_reasons(problem), None) if problem.constrained else None


def warm_up(instance: Instance) -> None:
    """Load what is compiled for this, or compile it if it never ran here, where an instance has constraints."""
    if instance.may_be_constrained:
        problem = P1(load("tiny-chains"))
        paths_s(problem)
        least_energies_and_costs(problem)


def _reasons(problem: Problem) -> Iterator[str]:
    """Yield reasons; each check may take for granted that those before it found none."""
    fits = fitting(problem)
    yield from _too_large(problem, problem.allowed & fits)
    yield from _too_full(problem, problem.allowed & fits)
    yield from _beyond_times_and_limits(admitting(problem, fits))


def _too_large(problem: Problem, fits: Admitted) -> Iterator[str]:
    """Find a layer whose weights exceed the memory of each server that it may use."""
    a = problem.arrays
    nowhere = np.flatnonzero(~fits.any(axis=1))
    if nowhere.size:
        k = int(nowhere[a.weights_mb[nowhere].argmax()])
        stations = np.where(np.arange(problem.n_servers) == a.client, a.own_station[k], np.arange(problem.n_servers))
        stations = stations[problem.allowed[k]]
        largest = int(stations[a.memory_mb[stations].argmax()])
        weights, memory = apart(a.weights_mb[k], a.memory_mb[largest])
        yield (
            f"{_layer(problem, k)} fits on no server that it may use: its weights take {weights} MB, and "
            f"{_name(problem.station_names[largest])} has {memory} MB, the largest memory there"
        )


def _too_full(problem: Problem, fits: Admitted) -> Iterator[str]:
    """Find servers that are the only ones for some layers, and too small for their weights together."""
    a, client = problem.arrays, problem.arrays.client
    if not a.weighed.size:
        return
    own = a.own_station[a.weighed].astype(np.int64)
    order = np.lexsort((own, a.weights_of))  # those of the same weights and client one after another
    k, held, own = a.weighed[order].astype(np.int64), a.weights_of[order].astype(np.int64), own[order]
    may, weights_mb = fits[k], a.weights_mb[k]
    for places in _sets(may):
        remote_mb = float(a.memory_mb[: problem.n_servers][places & (np.arange(len(places)) != client)].sum())
        inside = np.flatnonzero(~(may & ~places).any(axis=1))
        if not inside.size or not np.isfinite(remote_mb):
            continue
        if places[client]:
            # Of each client's layers, which have it and the remote servers.
            each = inside[_first(held[inside], own[inside])]
            needed = np.bincount(own[each], weights=weights_mb[each], minlength=problem.n_stations)
            worst = int((needed / (a.memory_mb + remote_mb)).argmax())
            if needed[worst] > (a.memory_mb[worst] + remote_mb) * ROOM:
                yield _full(problem, k[inside[own[inside] == worst]], places, float(needed[worst]))
                return
        each = inside[_first(held[inside])]
        clients_mb = float(a.memory_mb[np.unique(own[inside])].sum()) if places[client] else 0.0
        if weights_mb[each].sum() > (clients_mb + remote_mb) * ROOM:
            yield _full(problem, k[inside], places, float(weights_mb[each].sum()))
            return


def _sets(may: Admitted) -> Iterator[Admitted]:
    """Yield sets of places that some layers are restricted to, the smallest first, and all places."""
    # Where two sets have the same code only one is looked at.
    codes = may @ (np.uint64(1) << np.arange(may.shape[1], dtype=np.uint64) % np.uint64(64))
    sets = may[np.unique(codes, return_index=True)[1]]
    yield from sets[np.argsort(sets.sum(axis=1), kind="stable")][:_MOST_SETS]
    yield np.ones(may.shape[1], np.bool_)


def _first(*sorted_by: Ints) -> Ints:
    """Return where a row differs from the one before."""
    differs = np.ones(len(sorted_by[0]), np.bool_)
    differs[1:] = np.any([each[1:] != each[:-1] for each in sorted_by], axis=0)
    return np.flatnonzero(differs)


def _full(problem: Problem, k: Ints, places: Admitted, weights_mb: float) -> str:
    """Say that subtasks *k*, which only run at some *places*, have weights beyond the memories there."""
    a = problem.arrays
    remote = np.flatnonzero(places & (np.arange(len(places)) != a.client))
    clients = np.unique(a.own_station[k]) if places[a.client] else remote[:0]
    stations = np.concatenate((clients, remote)).astype(np.int64)
    weights, memory = apart(weights_mb, float(a.memory_mb[stations].sum()))
    names = [_name(problem.station_names[s]) for s in stations[:_MOST_NAMES]]
    if len(stations) > _MOST_NAMES:
        names.append(f"{len(stations) - _MOST_NAMES:,} more")
    where = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    one = len(k) == 1
    return (
        f"{len(k):,} layer{'' if one else 's'} can be on {where} alone, with {memory} MB of memory"
        f"{' together' if len(stations) > 1 else ''}, but {'its' if one else 'their'} weights take {weights} MB"
    )


def _beyond_times_and_limits(problem: Problem) -> Iterator[str]:
    """Find a deadline or a limit that is below the least that there can be; *problem* has places that fit alone."""
    a = problem.arrays
    paths = paths_s(problem)
    least_s = least_delays_s(problem, paths)
    late = np.flatnonzero(least_s > a.deadline_s * ROOM)
    if late.size:
        i = int(late[(least_s[late] / a.deadline_s[late]).argmax()])
        least, deadline = apart(least_s[i], a.deadline_s[i])
        yield (
            f"task {_name(problem.instance.tasks[i].name)} can't meet its deadline of {deadline} s: its critical path "
            f"takes {least} s at least, without queueing"
        )
        return
    if least_s.sum() > a.limit[INDICATOR.delay] * ROOM:
        least, limit = apart(least_s.sum(), a.limit[INDICATOR.delay])
        yield f"the limit of {limit} s on the delay is too low: the critical paths alone take {least} s"
        return
    in_time = admitting(problem, paths <= (a.deadline_s * ROOM)[problem.task_of][:, None])
    kinds = ((INDICATOR.energy, "energy", "J"), (INDICATOR.cost, "cost", "$"))
    if np.isfinite(a.limit[[INDICATOR.energy, INDICATOR.cost]]).any():
        for (indicator, name, unit), values in zip(kinds, least_energies_and_costs(in_time), strict=True):
            total = float(values.min(axis=1).sum())
            if total > a.limit[indicator] * ROOM:
                least, limit = apart(total, a.limit[indicator])
                yield (
                    f"the limit of {limit} {unit} on the {name} is too low: each layer where it takes least, all take "
                    f"{least} {unit}"
                )
                return
    left = tighten(in_time).allowed.any(axis=1)
    if not left.all():
        yield f"memories, deadlines and limits together leave {_layer(problem, int(left.argmin()))} no server"


def _layer(problem: Problem, k: int) -> str:
    i = int(problem.task_of[k])
    task = problem.instance.tasks[i]
    return f"layer {_name(task.layers[k - int(problem.arrays.task_start[i])].name)} of task {_name(task.name)}"


def _name(name: str) -> str:
    return f"'{plain(name, _LONGEST)}'"
