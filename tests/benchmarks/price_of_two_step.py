"""What two-step offloading costs against placing all layers at once: ``make two-step``.

Each solver solves each instance both ways in the same time, each run in a process of its own on one thread. A pair such
as ``chain-exact+cp-sat`` names the solvers of both steps and has no joint run. Where the initial solution is
proven optimal, the relaxations bound its secondary problem: below that no two-step result from it can be. Every run is
kept in ``runs.jsonl`` and not made again, so that more solvers can be added later; ``table.md`` and ``price.svg`` are
made from all that is there with the same time limit.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from offbench.instances.build import STAGGER_S
from offbench.model.composition import arrivals, compose
from offbench.model.instance import Instance, load
from offbench.model.modules import Nesting, pin
from offbench.runs.solve import solve
from offbench.search.registry import locate

from .one_run import GRACE_S, ONE_THREAD
from .price_table import Row, figure, table

FOLDER = Path(__file__).parents[2] / "results" / "two-step"
NETWORKS = ("googlenet", "resnet", "inception-nested")
SOLVERS = (
    "greedy", "annealing", "beam", "genetic", "cp-sat", "ddpqn", "ddpqn-plus", "chain-exact", "chain-exact+annealing",
    "chain-exact+cp-sat",
)  # fmt: skip


def main() -> None:
    """Make the runs that are missing, then table and figure."""
    parser = argparse.ArgumentParser(prog="price_of_two_step", description=__doc__)
    parser.add_argument("--solver", action="append", help=f"default: {', '.join(SOLVERS)}")
    instances = {instance.name: instance for instance in cases()}
    parser.add_argument("--instance", action="append", choices=instances, help="default: all of them")
    parser.add_argument("--time-limit", type=float, default=20, help="for each run, s")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    for solver in options.solver or SOLVERS:
        for name in solver.split("+"):
            locate(name)
    options.folder.mkdir(parents=True, exist_ok=True)
    log = options.folder / "runs.jsonl"
    with tempfile.TemporaryDirectory() as folder:
        for instance in (instances[name] for name in options.instance or instances):
            file = Path(folder) / f"{instance.name}.json"
            file.write_text(instance.to_text(), encoding="utf-8")
            for job in jobs(instance, options.solver or SOLVERS, options.seeds):
                job |= {"time_limit": options.time_limit}
                if not any(job.items() <= row.items() for row in read(log)):
                    row = job | run(file, job)
                    print(*row.values(), flush=True)
                    if "error" not in row:
                        with log.open("a", encoding="utf-8") as lines:
                            lines.write(json.dumps(row) + "\n")
    rows = [row for row in read(log) if row["time_limit"] == options.time_limit]
    (options.folder / "table.md").write_text("\n".join(table(rows)) + "\n", encoding="utf-8")
    (options.folder / "price.svg").write_text("\n".join(figure(rows)) + "\n", encoding="utf-8")
    print("\n".join(table(rows)))


def cases() -> Iterator[Instance]:
    """Yield each network alone and ten of it, one every 0.1 s."""
    for name in NETWORKS:
        yield load(name)
    for name in NETWORKS:
        yield compose(f"{name}-x10", [load(name)], arrivals(10, interval_s=STAGGER_S))


def jobs(instance: Instance, solvers: tuple[str, ...] | list[str], seeds: int) -> Iterator[Row]:
    """Yield what to run on an instance: bounds, then each solver both ways."""
    one_task = len(instance.tasks) == 1
    yield {"instance": instance.name, "way": "joint", "solver": "bound", "seed": 0}
    if one_task:
        yield {"instance": instance.name, "way": "two-step", "solver": "bound", "seed": 0}
    for solver in solvers:
        if "chain-exact" in solver and not one_task:
            continue
        for seed in range(seeds):
            for way in ("joint", "two-step") if "+" not in solver else ("two-step",):
                yield {"instance": instance.name, "way": way, "solver": solver, "seed": seed}


def run(file: Path, job: Row) -> Row:
    """Return objective, bound and seconds of a job, or why there are none."""
    limit = job["time_limit"]
    if job["solver"] == "bound":
        return bound(file, job["way"] == "two-step", limit)
    first, _, second = job["solver"].partition("+")
    how = [] if job["way"] == "joint" else ["--two-step", *(["--secondary", second] if second else [])]
    budget = ("--seed", str(job["seed"]), "--time-limit", str(limit))
    found = offbench("solve", "--solver", first, *how, *budget, str(file))
    if "error" in found:
        return found
    stages = [
        {"solver": stage["solution"]["solver"], "objective": stage["solution"]["objective"],
         "bound": stage["solution"]["lower_bound"]}
        for stage in found["stages"]
    ]  # fmt: skip
    return {
        "objective": found["objective"],
        "bound": found["lower_bound"],
        "client_only": found["client_only"]["objective"],
        "seconds": round(found["seconds"], 2),
        "stages": stages,
    }


def bound(file: Path, two_step: bool, limit: float) -> Row:
    """Return the relaxations' bound of the full problem, or of the secondary one behind a proven initial solution."""
    if two_step:
        instance = load(file)
        nesting = Nesting(instance)
        found = solve(nesting.contract(), "chain-exact", time_limit=limit)
        if found.status != "optimal" or found.placement is None:
            return {"error": f"the initial problem is {found.status}"}
        servers = found.placement.servers[nesting.part_of()]
        file = file.with_suffix(".secondary.json")
        file.write_text(pin(instance, servers, nesting.depth == 0).to_text(), encoding="utf-8")
    row = offbench("bound", "--time-limit", str(limit), str(file))
    return row if "error" in row else {"bound": row["bound"], "by": row["by"]}


def offbench(*arguments: str) -> Row:
    """Return what a command prints as JSON, or its error."""
    line = [sys.executable, "-m", "offbench", arguments[0], "--json", "--quiet", *arguments[1:]]
    done = subprocess.run(
        line, capture_output=True, text=True, env={**os.environ, **ONE_THREAD}, timeout=3600 + GRACE_S, check=False
    )
    try:
        found: Row = json.loads(done.stdout)
    except json.JSONDecodeError:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return found


def read(log: Path) -> list[Row]:
    """Return the runs made so far."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []


if __name__ == "__main__":
    main()
