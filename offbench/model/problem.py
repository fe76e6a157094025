"""P1 and P2: what a solver is given, an instance as arrays (MODEL.md sections 2-4)."""

from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbench.errors import OffbenchError
from offbench.model import assembly
from offbench.model.arrays import SCALE, WEIGHT, Arrays, Floats, Indices, Ints, pack
from offbench.model.exact_scales import exact_scales
from offbench.model.instance import Instance, Scales, load
from offbench.model.placement import HasPlacement, Placement, indices

FEASIBLE = 1e-9
"""the largest violation of a placement that is feasible (MODEL.md section 4)"""


class Problem:
    """An instance as arrays. Use `P1` or `P2`.

    Parameters
    ----------
    instance
        The instance.
    """

    instance: Instance
    arrays: Arrays
    allowed: NDArray[np.bool_]
    """at which places each subtask may run, shape ``(n_subtasks, n_servers)``"""
    scales: Scales
    """as the instance states them, else computed (MODEL.md section 4)"""
    exact_scales: tuple[Fraction, ...]
    """of each `INDICATOR`, without rounding where benefits count"""
    packed: tuple[Indices, Floats]
    """the arrays as compiled code takes them (`evaluation.workspace.unpack`)"""

    def __init__(self, instance: Instance | str | Path) -> None:
        instance = instance if isinstance(instance, Instance) else load(instance)
        self.instance = instance
        self.allowed = assembly.allowed(instance)
        facts = assembly.facts(instance)
        values = assembly.largest_of_each(facts)
        largest = (*(float(each.max()) for each in values), float(facts["peers"].max() * len(facts["gcycles"])))
        scales = largest if instance.scales is None else tuple(instance.scales.model_dump().values())
        # Also where an instance states its scales: no placement may exceed what a number can hold.
        if not np.isfinite(largest).all() or any(0 < scale < 1e-300 for scale in scales):
            raise OffbenchError(f"instance '{instance.name}': its numbers are too large, or its scales too small")
        self.scales = Scales(delay_s=scales[0], energy_j=scales[1], cost_usd=scales[2], balance=scales[3])
        facts["scale"] = np.array([scale if scale > 0 else np.inf for scale in scales])
        self.exact_scales = tuple(Fraction(scale) for scale in scales[:3])
        if facts["benefits"] and any(scale == value for scale, value in zip(scales[:3], largest, strict=False)):
            # A stated scale that is the largest value to the last digit, as in two steps, means that value.
            self.exact_scales = tuple(
                exact if scale == value else Fraction(scale)
                for exact, scale, value in zip(exact_scales(facts, values), scales, largest, strict=False)
            )
        rests = [float(exact - Fraction(scale)) for exact, scale in zip(self.exact_scales, scales, strict=False)]
        facts["scale_rest"] = np.array(rests)
        self.arrays = Arrays(**{name: facts[name] for name in Arrays._fields})
        self.packed = pack(self.arrays)

    def __repr__(self) -> str:
        sizes = f"{self.n_subtasks:,} subtasks, {self.n_servers} servers"
        return f"<{type(self).__name__} of {self.instance.name!r}: {sizes}>"

    @property
    def n_subtasks(self) -> int:
        """How many subtasks there are."""
        return len(self.arrays.gcycles)

    @property
    def n_tasks(self) -> int:
        """How many tasks there are."""
        return len(self.arrays.arrival_s)

    @property
    def n_servers(self) -> int:
        """How many places a subtask chooses among: its own client and the remote servers."""
        return len(self.arrays.kind)

    @property
    def n_stations(self) -> int:
        """How many servers there are, all clients among them; arrays of slots and memories count these."""
        return len(self.arrays.memory_mb)

    @property
    def constrained(self) -> bool:
        """Whether a placement can break a constraint: a memory, a deadline or a limit."""
        return bool(self.arrays.constrained)

    @cached_property
    def constraints(self) -> bool | None:
        """The same for compiled functions: None where there are none, so that nothing of them is compiled."""
        return True if self.constrained else None

    @cached_property
    def ceiling(self) -> float:
        """What no placement's Q exceeds, at least 1.

        Each subtask waits for its inputs or for one that holds its slot. So the last one is complete before the last
        arrival, and all executions and transfers one after another.
        """
        a, n = self.arrays, self.n_subtasks
        delay, energy, cost = (float(values.max(axis=1).sum()) for values in assembly.largest_of_each(a._asdict()))
        total_s = delay + float(a.arrival_s.max() - a.arrival_s.min())
        most = self.n_tasks * total_s, energy, cost
        score = sum(float(w * x / scale) for w, x, scale in zip(a.weights, most, a.scale, strict=False))
        balance = n * n * float(a.peers.max()) / float(a.scale[SCALE.balance])
        return max(1.0, float(a.weights[WEIGHT.score]) * score + float(a.weights[WEIGHT.balance]) * balance)

    def merit(self, objectives: Floats, violations: Floats) -> Floats:
        """Return numbers that order placements as MODEL.md section 4 does: the lower the better.

        Of a feasible placement it is Q. Of one that breaks constraints it is above `ceiling`, and the more it breaks
        the higher.
        """
        if not self.constrained:
            return objectives
        return np.where(violations <= FEASIBLE, objectives, self.ceiling * (1 + violations))

    @cached_property
    def free(self) -> Ints:
        """The subtasks with a choice of servers, ascending; the others are pinned, and moving them is in vain.

        All of them where none has a choice, so that there is always one to draw.
        """
        free = np.flatnonzero(self.allowed.sum(axis=1) > 1)
        return free if free.size else np.arange(self.n_subtasks)

    @cached_property
    def _input_start(self) -> list[int]:
        starts: list[int] = self.arrays.input_start.tolist()
        return starts

    @cached_property
    def _sources(self) -> list[list[int]]:
        sources = self.arrays.input_of.tolist()
        return [sources[i:j] for i, j in pairwise(self._input_start)]

    @cached_property
    def _readers(self) -> list[list[int]]:
        readers = self.arrays.reader_of.tolist()
        return [readers[i:j] for i, j in pairwise(self.arrays.reader_start.tolist())]

    def inputs_of(self, k: int) -> range:
        """Return where the inputs of subtask *k* stand in ``input_of``, ``input_mb`` and ``input_gb``."""
        return range(self._input_start[k], self._input_start[k + 1])

    def sources_of(self, k: int) -> list[int]:
        """Return what subtask *k* reads: subtasks, or ``n_subtasks + i`` for the input of task i."""
        return self._sources[k]

    def readers_of(self, k: int) -> list[int]:
        """Return the subtasks that read the output of subtask *k*."""
        return self._readers[k]

    def subtasks_of(self, i: int) -> range:
        """Return the subtasks of task *i*."""
        start = self.arrays.task_start
        return range(int(start[i]), int(start[i + 1]))

    @cached_property
    def chains(self) -> tuple[bool, ...]:
        """Of each task, whether it is a chain: every layer but the first reads the one before and nothing else."""
        return tuple(task.is_chain for task in self.instance.tasks)

    @property
    def is_chain(self) -> bool:
        """Whether all is one task, and a chain."""
        return self.instance.is_chain

    @cached_property
    def task_of(self) -> Ints:
        """The task of each subtask."""
        task_start: Ints = self.arrays.task_start.astype(np.int64)
        return np.searchsorted(task_start, np.arange(self.n_subtasks), side="right").astype(np.int64) - 1

    def stations(self, servers: Ints) -> Ints:
        """Return at which station each subtask runs, whose slots and memory it takes; *servers* are places."""
        return np.where(servers == self.arrays.client, self.arrays.own_station, servers).astype(np.int64)

    @cached_property
    def station_names(self) -> list[str]:
        """The name of each station."""
        instance = self.instance
        return [instance.servers[s].name for s in (*instance.places, *instance.clients[1:])]

    def server_name(self, k: int, server: int) -> str:
        """Return the name of the server that subtask *k* finds at a place."""
        return self.instance.server_at(int(self.task_of[k]), server).name

    def everything_on(self, server: int) -> Ints:
        """Return servers, shape ``(n_subtasks,)``: all on one; what may not run there, where it first may."""
        return np.where(self.allowed[:, server], server, self.allowed.argmax(axis=1))

    def subtask_name(self, k: int) -> str:
        """Say where subtask *k* stands in the instance: ``tasks[0].layers[3] ('conv2')``."""
        i = int(np.searchsorted(self.arrays.task_start, k, side="right")) - 1
        j = k - int(self.arrays.task_start[i])
        return f"tasks[{i}].layers[{j}] ('{self.instance.tasks[i].layers[j].name}')"


class P1(Problem):
    """Choose a server for every subtask, and a dispatch order (Eq. 13)."""


class P2(Problem):
    """Servers given, choose the dispatch order alone (Eq. 23).

    Parameters
    ----------
    instance
        The instance.
    servers
        Server index of each subtask, shape ``(n_subtasks,)``, or a placement or solution whose servers are
        taken. `allowed` then admits nothing else.

    Raises
    ------
    OffbenchError
        If *servers* is missing, has the wrong length, or stands where `allowed` forbids.
    """

    servers: Ints
    """server of each subtask, shape (n_subtasks,)"""
    order: Ints | None
    """dispatch order of the placement that the servers are from, to begin with; None without"""

    def __init__(
        self, instance: Instance | str | Path, servers: ArrayLike | HasPlacement | Placement | None = None
    ) -> None:
        if servers is None:
            raise OffbenchError("P2: servers: which subtask is where, P2(instance, placement); P1 chooses servers, too")
        super().__init__(instance)
        if isinstance(servers, HasPlacement):
            if servers.placement is None:
                raise OffbenchError("P2: servers: the solution has no placement")
            servers = servers.placement
        chosen = servers.servers if isinstance(servers, Placement) else servers
        self.order = servers.order if isinstance(servers, Placement) else None
        self.servers = indices(chosen, copy=True)
        if self.servers.shape != (self.n_subtasks,):
            raise OffbenchError(f"P2: {self.servers.size} servers given for {self.n_subtasks} subtasks")
        given = np.arange(self.n_servers) == self.servers[:, None]
        forbidden = np.flatnonzero(~(given & self.allowed).any(axis=1))
        if forbidden.size:
            k = forbidden[0]
            raise OffbenchError(f"P2: {self.subtask_name(k)} may not run on server {self.servers[k]}")
        self.allowed = given
