"""What two-step offloading costs against placing all layers at once.

Question: How much of the improvement does a solver lose, or gain, by the paper's two steps in equal time?

Command: `make two-step`

Needs: a core that is free; every run is a process of its own on one thread.

Writes: results/two-step: runs.jsonl, each run from the moment it is done, table.md and price.svg; runs that are there
aren't made again.

Time: 40 minutes with one seed, 20 s a run.

Outcome: beam, annealing and ddpqn-plus lose 1.4 to 7.6 % on googlenet, resnet and inception-nested; behind a proven
first step resnet loses 2.7 % at least; greedy gains 6.6 to 28.4, ddpqn 12.7 to 19.0; in tens it goes either way.

Each solver solves each instance both ways in the same time. A pair such as ``chain-exact+cp-sat`` names the solvers of
both steps and has no joint run. Where the initial solution is proven optimal, the relaxations bound its secondary
problem: below that no two-step result from it can be. More solvers can be added later; table and figure are made from
all that is there with the same time limit.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from experiments._shared.command import offbench
from experiments._shared.kept_runs import KeptRuns, Row, tell_missing
from experiments._shared.one_run import GRACE_S
from experiments._shared.price_table import figure, table
from experiments._shared.study import parser
from offbench.files.atomic import write_whole
from offbench.instances.build import STAGGER_S
from offbench.model.composition import arrivals, compose
from offbench.model.instance import Instance, load
from offbench.model.modules import Nesting, pin
from offbench.runs.solve import solve
from offbench.search.registry import locate

FOLDER = Path(__file__).parents[1] / "results" / "two-step"
NETWORKS = ("googlenet", "resnet", "inception-nested")
SOLVERS = (
    "greedy", "annealing", "beam", "genetic", "cp-sat", "ddpqn", "ddpqn-plus", "chain-exact", "chain-exact+annealing",
    "chain-exact+cp-sat",
)  # fmt: skip
AT_MOST_S = 3600 + GRACE_S


def main() -> None:
    """Make the runs that are missing, then table and figure."""
    command = parser(__doc__, __file__)
    command.add_argument("--solver", action="append", help=f"default: {', '.join(SOLVERS)}")
    instances = {instance.name: instance for instance in cases()}
    command.add_argument("--instance", action="append", choices=instances, help="default: all of them")
    command.add_argument("--time-limit", type=float, default=20, help="for each run, s (default: %(default)g)")
    command.add_argument("--seeds", type=int, default=1, help="0 to N-1 (default: %(default)s)")
    command.add_argument("--folder", type=Path, default=FOLDER, help="default: results/two-step")
    command.add_argument("--dry-run", action="store_true", help="tell which runs are missing, and make none")
    options = command.parse_args()
    solvers = options.solver or SOLVERS
    for solver in solvers:
        for name in solver.split("+"):
            locate(name)
    kept = KeptRuns(options.folder)
    missing = [
        job | {"time_limit": options.time_limit}
        for name in options.instance or instances
        for job in jobs(instances[name], solvers, options.seeds)
        if not kept.has(job | {"time_limit": options.time_limit})
    ]
    if options.dry_run:
        return tell_missing(missing)
    with tempfile.TemporaryDirectory() as folder:
        for job in missing:
            file = Path(folder) / f"{job['instance']}.json"
            write_whole(file, instances[job["instance"]].to_text())
            row = job | run(file, job)
            print(*row.values(), flush=True)
            if "error" not in row:
                kept.add(row)
    rows = [row for row in kept.rows() if row["time_limit"] == options.time_limit]
    write_whole(options.folder / "table.md", "\n".join(table(rows)) + "\n")
    write_whole(options.folder / "price.svg", "\n".join(figure(rows)) + "\n")
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
    found = offbench("solve", "--quiet", "--solver", first, *how, *budget, str(file), at_most_s=AT_MOST_S)
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
        write_whole(file, pin(instance, servers, nesting.depth == 0).to_text())
    row = offbench("bound", "--quiet", "--time-limit", str(limit), str(file), at_most_s=AT_MOST_S)
    return row if "error" in row else {"bound": row["bound"], "by": row["by"]}


if __name__ == "__main__":
    main()
