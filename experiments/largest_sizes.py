"""The largest sizes that exact solvers prove optimal in a minute on one core.

Question: Up to how many layers, tasks and servers is an instance proven, for one chain, tasks that queue, and P2?

Command: `make sizes`; a part: `make sizes ARGS="--ladder chain --solver cp-sat"`

Needs: a core; every run is a process of its own on one thread, set-up counted.

Writes: nothing, or every run with --json FILE; prints a line for each run and a table of the highest steps.

Time: an hour or so, by forecast: 28 ladders end with a run that takes its minute.

Outcome: layers of one chain on 5 and 11 servers: milp 24 and 11, cp-sat 36 and 8, chain-exact 3200 (the ladder's end)
and 800; four tasks that queue on 5 servers: milp 2 layers each, cp-sat 5.

Instances grow along a ladder until one of three seeds is not proven. Three ladders: one chain (layers, on 5 and 11
servers), tasks that queue (layers, for each number of tasks and servers), and P2 (the same, the servers given by the
greedy).
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments._shared.drawn import alexnets, chain, queues
from experiments._shared.one_run import OneRun, run
from experiments._shared.study import parser
from offbench.errors import OffbenchError
from offbench.files.atomic import write_whole
from offbench.model.instance import Instance, load
from offbench.runs.solve import solve

SEEDS = (0, 1, 2)
# Each ladder's solvers.
LADDERS: dict[str, tuple[str, ...]] = {
    "chain": ("chain-exact", "milp", "cp-sat"),
    "queues": ("milp", "cp-sat"),
    "orders": ("milp", "cp-sat"),
}
# For each ladder: its rails, (tasks, servers), and the layers that grow along them.
CHAIN_LAYERS = (2, 3, 5, 8, 11, 16, 24, 36, 54, 83, 110, 136, 200, 272, 400, 544, 800, 1600, 3200)
RAILS: dict[str, tuple[list[tuple[int, int]], tuple[int, ...]]] = {
    "chain": ([(1, s) for s in (5, 11)], CHAIN_LAYERS),
    "queues": ([(t, s) for s in (5, 11) for t in (2, 3, 4, 6)], (2, 3, 4, 5, 8, 11, 16, 24)),
    "orders": ([(t, 5) for t in (2, 4, 10)], (2, 3, 5, 8, 11, 16, 24)),
}


@dataclass(frozen=True)
class Size:
    """A step of a ladder."""

    ladder: str
    tasks: int
    layers: int
    servers: int

    def __str__(self) -> str:
        if self.ladder == "chain":
            return f"{self.layers} layers x {self.servers} servers"
        return f"{self.tasks} tasks x {self.layers} layers x {self.servers} servers"

    def instance(self, seed: int) -> Instance:
        """Return the seed's instance; several tasks of seed 0 are AlexNet's first layers."""
        if self.ladder == "chain":
            return chain(self.layers, self.servers, seed)
        if seed == 0:
            return alexnets(self.tasks, self.layers, self.servers)
        return queues(self.tasks, self.layers, self.servers, seed)


def main() -> None:
    """Climb every ladder with every solver, a line for each run, then a table of the highest steps."""
    command = parser(__doc__, __file__)
    command.add_argument("--time-limit", type=float, default=60, help="for each run, s")
    command.add_argument("--solver", action="append", help="default: those that apply")
    command.add_argument("--ladder", action="append", choices=LADDERS)
    command.add_argument("--servers", type=int, action="append", choices=(5, 11))
    command.add_argument("--json", type=Path, help="write every run to this file")
    options = command.parse_args()
    record = Record(options.json)
    tables: list[str] = []
    for ladder in options.ladder or LADDERS:
        for solver in _chosen(options.solver, LADDERS[ladder]):
            if ladder == "orders":
                ten_alexnets(solver, options.time_limit, record)
            tables += climb(ladder, solver, options.time_limit, options.servers, record)
    print("\nLargest sizes of which all seeds are proven, seconds of the slowest:\n")
    print("| ladder | solver | tasks | servers | layers | s |\n| --- | --- | ---: | ---: | ---: | ---: |")
    print("\n".join(tables))


def _chosen(wanted: list[str] | None, solvers: tuple[str, ...]) -> list[str]:
    """Return what was asked for without the solvers that this ladder isn't for."""
    known = {solver for each in LADDERS.values() for solver in each}
    return [solver for solver in wanted or solvers if solver in solvers or solver not in known]


class Record:
    """Every run, in a file from the moment it is done."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []

    def add(self, **facts: Any) -> None:
        self.rows.append(facts)
        if self.path is not None:
            write_whole(self.path, json.dumps(self.rows, indent=1) + "\n")


def climb(ladder: str, solver: str, limit: float, servers: list[int] | None, record: Record) -> Iterator[str]:
    """Climb one ladder with one solver and yield a row of the table for each of its rails.

    A rail is a number of tasks and servers, along which layers grow; it ends at the first step that fails.
    """
    rails, steps = RAILS[ladder]
    for tasks, count in rails:
        if servers is not None and count not in servers:
            continue
        highest, seconds = 0, 0.0
        for layers in steps:
            slowest_s = step(Size(ladder, tasks, layers, count), solver, limit, record)
            if slowest_s is None:
                break
            highest, seconds = layers, slowest_s
        end = " (the ladder's end)" if highest == steps[-1] else ""
        yield f"| {ladder} | `{solver}` | {tasks} | {count} | {highest or 'none'}{end} | {seconds:.1f} |"


def step(size: Size, solver: str, limit: float, record: Record) -> float | None:
    """Run a size's seeds; return the seconds of the slowest, or None as soon as one is not proven."""
    slowest_s = 0.0
    for seed in SEEDS:
        instance = size.instance(seed)
        servers = greedy_servers(instance) if size.ladder == "orders" else None
        row = attempt(instance, solver, limit, servers)
        record.add(**asdict(size), seed=seed, **asdict(row))
        print(f"{solver:12} {size.ladder:7} {size}, seed {seed}: {told(row)}", flush=True)
        if not row.proven or row.seconds is None:
            return None
        slowest_s = max(slowest_s, row.seconds)
    return slowest_s


def attempt(instance: Instance, solver: str, limit: float, servers: list[int] | None = None) -> OneRun:
    """Run a solver once; one that isn't there has a row that says so."""
    try:
        return run(instance, solver, limit, servers)[0]
    except OffbenchError as error:
        return OneRun(instance.name, solver, str(error))


def told(row: OneRun) -> str:
    """Return a run in a line."""
    gap = "" if row.gap is None or row.proven else f", gap {100 * row.gap:.2g} %"
    seconds = "" if row.seconds is None else f", {row.seconds:.2f} s"
    queueing = "" if row.queueing_s is None else f", queueing {row.queueing_s:.2g} s"
    return f"{row.status}{gap}{seconds}{queueing}"


def greedy_servers(instance: Instance) -> list[int]:
    """Return the greedy's server for each subtask: few of them, so that there are queues."""
    placement = solve(instance, "greedy").placement
    assert placement is not None
    return [int(server) for server in placement.servers]


def drawn_servers(instance: Instance) -> list[int]:
    """Return a server for each subtask, any with the same chance."""
    rng = np.random.default_rng(5)
    return [int(server) for server in rng.integers(len(instance.servers), size=instance.subtasks)]


def ten_alexnets(solver: str, limit: float, record: Record) -> None:
    """Order ten AlexNets, all at once and as shipped, on the greedy's servers and on servers drawn."""
    for instance in (alexnets(10, 11, 11), load("alexnet-x10")):
        for whose, servers in (("greedy's", greedy_servers(instance)), ("drawn", drawn_servers(instance))):
            row = attempt(instance, solver, limit, servers)
            record.add(ladder="ten alexnets", servers_of=whose, **asdict(row))
            print(f"{solver:12} P2 of {instance.name}, {whose} servers: {told(row)}", flush=True)


if __name__ == "__main__":
    main()
