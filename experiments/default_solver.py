"""Which solver `offbench solve` takes where none is named, held against the others.

Question: How much does the solver that `offbench solve INSTANCE` picks miss of the best that any solver finds in the
same time, on instances that no default was chosen on?

Command: `make default-solver`

Needs: a core that is free; every run is a process of its own on one thread.

Writes: results/default-solver: runs.jsonl, each run from the moment it is done, and table.md; runs that are there
aren't made again.

Time: 32 minutes on one core.

Outcome: what is picked misses 0.61 % of the best found in the mean of 24, and 9.8 % at most (three networks with the
paper's objective, where `beam` is better). It proves all seven that are one chain, or one network without H and Z. On
the ten others with the paper's objective what is picked misses 1.4 % in the mean, `local-search` and the memetic
genetic 1.5, `beam` 1.7, `annealing` 2.5 and `cp-sat` 5.2.

The instances are drawn (`_shared/drawn.py`): chains, one to three networks with other numbers than the shipped ones,
and tasks that queue, once 500 of them; each with the paper's objective and with the score alone.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments._shared.drawn import chain, perturbed, queues
from experiments._shared.kept_runs import KeptRuns, Row, tell_missing
from experiments._shared.one_run import run
from experiments._shared.study import parser
from offbench.evaluation.client_only import client_only
from offbench.evaluation.gaps import missed_improvement
from offbench.files.atomic import write_whole
from offbench.model.instance import Instance
from offbench.model.objectives import with_objective
from offbench.model.problem import P1
from offbench.runs.suggested import suggested

FOLDER = Path(__file__).parents[1] / "results" / "default-solver"
OBJECTIVES = ("paper", "score")
RIVALS = (
    "chain-exact", "graph-exact", "cp-sat", "genetic:local_search=true", "annealing", "beam", "local-search", "greedy",
)  # fmt: skip
# Seeds from here on neither the training set nor any choice of defaults has.
SEED = 700
SINGLE, SEVERAL = 3, 4


def main() -> None:
    """Make the runs that are missing, then the table."""
    command = parser(__doc__, __file__)
    command.add_argument("--time-limit", type=float, default=10, help="of each run, s (default: %(default)g)")
    command.add_argument("--folder", type=Path, default=FOLDER, help="default: results/default-solver")
    command.add_argument("--dry-run", action="store_true", help="tell which runs are missing, and make none")
    options = command.parse_args()
    kept = KeptRuns(options.folder)
    made = {instance.name: instance for instance in instances()}
    jobs = [
        {"instance": name, "solver": solver, "time_limit": options.time_limit}
        for name, instance in made.items()
        for solver in RIVALS
        if fits(solver, instance)
    ]
    missing = [job for job in jobs if not kept.has(job)]
    if options.dry_run:
        return tell_missing(missing)
    for job in missing:
        instance = made[job["instance"]]
        solver, *settings = job["solver"].split(":")
        parameters = dict(setting.split("=") for setting in settings)
        found = run(instance, solver, job["time_limit"], parameters=parameters)[0]
        row = job | {"objective": found.objective, "status": found.status, "seconds": found.seconds}
        kept.add(row)
        print(*row.values(), flush=True)
    rows = [row for row in kept.rows() if row["time_limit"] == options.time_limit and row["instance"] in made]
    text = "\n".join(table(rows, made)) + "\n"
    write_whole(options.folder / "table.md", text)
    print(text, end="")


def fits(solver: str, instance: Instance) -> bool:
    """Tell whether a solver takes an instance."""
    if solver == "graph-exact":
        return len(instance.tasks) == 1 and instance.weights.coordination == instance.weights.balance == 0
    return solver != "chain-exact" or instance.is_chain


def instances() -> Iterator[Instance]:
    """Yield the drawn instances with each objective."""
    drawn = [chain(30, 11, SEED), chain(120, 5, SEED + 1), queues(4, 12, 5, SEED), queues(8, 20, 11, SEED + 1)]
    drawn.append(queues(500, 12, 11, SEED + 2))
    graphs = [made for made in map(perturbed, range(SEED, SEED + 50)) if not made.is_chain]
    single = [made for made in graphs if len(made.tasks) == 1][:SINGLE]
    several = [made for made in graphs if len(made.tasks) > 1][:SEVERAL]
    for instance in (*drawn, *single, *several):
        for objective in OBJECTIVES:
            made = with_objective(instance, objective)
            yield made.model_copy(update={"name": f"{instance.name}, {objective}"})


def table(rows: Sequence[Row], made: dict[str, Instance]) -> Iterator[str]:
    """Yield a Markdown table: what each solver misses of the best found, the one that is picked in bold."""
    yield "Missed improvement against the best found by any of them; bold: what `offbench solve` picks; * proven."
    yield ""
    yield f"| instance | subtasks | {' | '.join(f'`{solver}`' for solver in RIVALS)} |"
    yield f"| --- | ---: |{' ---: |' * len(RIVALS)}"
    picked: list[float] = []
    for name, instance in made.items():
        some = {row["solver"]: row for row in rows if row["instance"] == name}
        found = [row["objective"] for row in some.values() if row["objective"] is not None]
        pick = suggested(instance)
        label = ":".join([pick.solver, *(f"{key}={str(value).lower()}" for key, value in pick.parameters.items())])
        device = client_only(P1(instance)).objective
        cells = []
        for solver in RIVALS:
            row = some.get(solver)
            if row is None or row["objective"] is None:
                cells.append("" if row is None else "none")
                continue
            missed = missed_improvement(row["objective"], device, min(found)) or 0.0
            cell = f"{missed:z.2%}{'*' if row['status'] == 'optimal' else ''}"
            cells.append(f"**{cell}**" if solver == label else cell)
            if solver == label:
                picked.append(missed)
        yield f"| {name} | {instance.subtasks} | {' | '.join(cells)} |"
    yield ""
    if picked:
        mean = sum(picked) / len(picked)
        yield f"What is picked misses {mean:.2%} in the mean of {len(picked)}, {max(picked):.2%} at most."


if __name__ == "__main__":
    main()
