"""Ten thousand clients.

Question: How long do loading, building, evaluating and placing take where 1,000 or 10,000 clients with one AlexNet each
share ten edges and five clouds, and with which power of their number do they grow?

Command: `make many-clients`

Needs: one free core and 2 GB of memory.

Writes: nothing, or the instances with --keep FOLDER; prints a table.

Time: 12 minutes, most of it the minute that each run of local-search has.

Outcome: on two cores with ten other busy processes, clients that are the same, 1,000 and 10,000 of them: loaded in 1.1
and 15 s, built in 0.5 and 13 s, placed by greedy in 1.0 and 10 s, by heft in 0.9 and 15 s, in 0.24 and 0.74 GB. In
processor time 10,000 are loaded and built in 4 s, evaluated in 13 ms (49 ms with all anywhere), put by the greedy in
0.4 s and by heft in 0.6 s; with speeds and links of their own loaded and built in 8 s in 0.93 GB, evaluated in 82 ms.

Servers, links and layers are those of `alexnet`, its edges twice. Clients are the same; or each has a speed of its own;
or links of its own as well, named one by one. A row is a process of its own, and its power is that of ten times as many
clients. Times are seconds on the clock, those of a solver from its start to its last incumbent.
"""

import argparse
import json
import math
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from experiments._shared.study import parser
from offbench.evaluation.evaluator import evaluate, warm_up
from offbench.model.instance import load
from offbench.model.problem import P1
from offbench.runs.solve import solve

SIZES = (1_000, 10_000)
SORTS = ("same", "speeds", "links")
SOLVERS = ("greedy", "heft", "peft", "local-search")


def many_clients(number: int, sort: str = "same") -> dict[str, Any]:
    """Return an instance of so many clients, as in a file."""
    rng = np.random.default_rng(number)
    data: dict[str, Any] = json.loads(load("alexnet").to_text())
    client, *remotes = data["servers"]
    edges = [server for server in remotes if server["kind"] == "edge"]
    remotes += [{**edge, "name": f"{edge['name']}-twin"} for edge in edges]
    names = [f"client-{i}" for i in range(1, number + 1)]
    speeds = client["compute_ghz"] * (np.ones(number) if sort == "same" else rng.uniform(0.5, 1.5, number))
    links = list(data["links"])
    if sort == "links":
        of_kind = {tuple(link["between"]): link for link in links}
        for name, share in zip(names, rng.uniform(0.3, 1.5, number).tolist(), strict=True):
            for server in remotes:
                link = of_kind["client", server["kind"]]
                rate = link["rate_mb_per_s"] * share
                links.append({**link, "between": [name, server["name"]], "rate_mb_per_s": rate})
    return data | {
        "format": "offbench/2",
        "name": f"{number}-clients-{sort}",
        "servers": [
            *({**client, "name": name, "compute_ghz": ghz} for name, ghz in zip(names, speeds.tolist(), strict=True)),
            *remotes,
        ],
        "links": links,
        "tasks": [{**data["tasks"][0], "name": f"task-{name}", "client": name} for name in names],
    }


def build(path: Path) -> dict[str, float]:
    """Return the seconds that loading, building and evaluating take."""
    warm_up()
    begin = perf_counter()
    instance = load(path)
    loaded = perf_counter()
    problem = P1(instance)
    built = perf_counter()
    rng = np.random.default_rng(0)
    placements = {
        "evaluate, all on the clients": problem.everything_on(problem.arrays.client),
        "evaluate, anywhere": rng.integers(problem.n_servers, size=problem.n_subtasks),
    }
    found = {"load": loaded - begin, "build": built - loaded}
    for name, servers in placements.items():
        times = []
        for _ in range(7):
            begin = perf_counter()
            evaluate(problem, servers)
            times.append(perf_counter() - begin)
        found[name] = min(times)
    return found | {"peak MB": _peak_mb()}


def place(path: Path, solver: str) -> dict[str, float]:
    """Return how long a solver takes in the default minute, and its Q."""
    solution = solve(path, solver)
    seconds = solution.trace[-1].seconds if solution.trace else math.nan
    return {solver: seconds, f"{solver}: Q": solution.objective, f"{solver}: peak MB": _peak_mb()}


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1024


def main() -> None:
    """Run the study."""
    command = parser(__doc__, __file__)
    command.add_argument("--sort", action="append", choices=SORTS)
    command.add_argument("--solver", action="append", help="default: " + ", ".join(SOLVERS))
    command.add_argument("--keep", type=Path, help="write the instances to this folder")
    options = command.parse_args()
    with TemporaryDirectory() as scratch:
        folder: Path = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print("| clients | what | " + " | ".join(f"{size:,}" for size in SIZES) + " | power |")
        print("| --- | --- |" + " ---: |" * (len(SIZES) + 1))
        for sort in options.sort or SORTS:
            _measure(folder, sort, options)


def _measure(folder: Path, sort: str, options: argparse.Namespace) -> None:
    columns: list[dict[str, float]] = []
    for size in SIZES:
        data = many_clients(size, sort)
        path = folder / f"{data['name']}.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        found: dict[str, float] = {}
        # A process each, for its peak of memory.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
            found |= pool.submit(build, path).result()
            for solver in options.solver or SOLVERS:
                found |= pool.submit(place, path, solver).result()
        columns.append(found)
    for what in columns[0]:
        values = [column[what] for column in columns]
        power = math.log(values[-1] / values[0]) / math.log(SIZES[-1] / SIZES[0]) if min(values) > 0 else math.nan
        told = " | ".join(f"{value:,.4g}" for value in values)
        print(f"| {sort} | {what} | {told} | {power:.2f} |", flush=True)


if __name__ == "__main__":
    main()
