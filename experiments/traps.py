"""What H as printed, H of benefits and Z do to delay, energy and cost, and from which weight on offloading gets slower.

Question: What do H and Z buy at the best placements known, and from which of their weights on are these slower than the
device?

Command: `make traps`

Needs: a core; every run has the same number of evaluations, so that other work counts little.

Writes: results/traps: runs.jsonl, each run from the moment it is done, and table.md; runs that are there aren't made
again.

Time: 80 seconds on one core.

Outcome: with H as printed the best known is slower than the device from a weight of 0.2 on for vgg19, 0.05 for
googlenet, 0.1 for resnet; with Z from 0.02 on for vgg19 and resnet, and mostly for googlenet; never for alexnet, and
never with H of benefits. The score alone takes 0.12, 0.17, 0.61 and 0.24 of the device's delay.

For each of the four networks delay, energy and cost keep the weights of the paper in the score, and the score shares Q
with one of H as printed, H of benefits and Z, whose weight rises; beside these stand the weights of the paper.
The best placement is the best of the solvers' and of everything on one server. Chains are proven (`chain-exact`).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments._shared.kept_runs import KeptRuns, Row, tell_missing
from experiments._shared.study import parser
from offbench.evaluation.client_only import client_only
from offbench.evaluation.evaluator import Evaluation, evaluate
from offbench.evaluation.single_server import best_single_server
from offbench.files.atomic import write_whole
from offbench.model.instance import Coordination, Instance, load
from offbench.model.objectives import with_objective
from offbench.model.problem import P1
from offbench.runs.solve import solve

FOLDER = Path(__file__).parents[1] / "results" / "traps"
NETWORKS = ("alexnet", "vgg19", "googlenet", "resnet")
WEIGHTS = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4)
READINGS = {"H as printed": Coordination(), "H of benefits": Coordination(indicators="benefits", root=3)}
SOLVERS: tuple[tuple[str, dict[str, object]], ...] = (
    ("annealing", {}), ("genetic", {"local_search": True}),
)  # fmt: skip
PROOF_S = 60.0


def main() -> None:
    """Make the runs that are missing, then the table."""
    command = parser(__doc__, __file__)
    command.add_argument("--max-evaluations", type=int, default=2_000_000, help="of each run (default: %(default)s)")
    command.add_argument("--folder", type=Path, default=FOLDER, help="default: results/traps")
    command.add_argument("--dry-run", action="store_true", help="tell which runs are missing, and make none")
    options = command.parse_args()
    kept = KeptRuns(options.folder)
    missing = [
        {"network": network, "buys": buys, "weight": weight, "max_evaluations": options.max_evaluations}
        for network in NETWORKS
        for buys, weight in settings()
    ]
    missing = [job for job in missing if not kept.has(job)]
    if options.dry_run:
        return tell_missing(missing)
    for job in missing:
        row = job | best_of(instance_of(job["network"], job["buys"], job["weight"]), job["max_evaluations"])
        kept.add(row)
        print(*row.values(), flush=True)
    rows = [row for row in kept.rows() if row["max_evaluations"] == options.max_evaluations]
    text = "\n".join(table(rows)) + "\n"
    write_whole(options.folder / "table.md", text)
    print(text, end="")


def settings() -> Iterator[tuple[str, float]]:
    """Yield what shares Q with the score, and its weight; that of the paper's own weights is told as 0."""
    yield "nothing", 0.0
    for buys in (*READINGS, "Z"):
        for weight in WEIGHTS:
            yield buys, weight
    for reading in READINGS:
        yield f"the paper's weights, {reading}", 0.0


def instance_of(network: str, buys: str, weight: float) -> Instance:
    """Return the network with the objective of a setting."""
    instance = load(network)
    if buys == "nothing":
        return with_objective(instance, "score")
    if buys.startswith("the paper's"):
        return with_objective(instance, "paper" if buys.endswith("printed") else "benefits")
    name = "balance" if buys == "Z" else "coordination"
    made = with_objective(instance, weights={"score": 1 - weight, name: weight})
    return made.model_copy(update={"coordination": READINGS.get(buys, made.coordination)})


def best_of(instance: Instance, max_evaluations: int) -> Row:
    """Return the best placement known of an instance, beside the device's."""
    problem = P1(instance)
    device, single = client_only(problem), best_single_server(problem)
    found: list[tuple[Evaluation, str, bool]] = [(device, "everything on the device", False)]
    if single is not None:
        found.append((single.evaluation, f"everything on {single.server}", False))
    if instance.is_chain:
        solution = solve(instance, "chain-exact", time_limit=PROOF_S)
        if solution.evaluation is not None:
            found.append((solution.evaluation, "chain-exact", solution.status == "optimal"))
    if not found[-1][2]:
        for solver, parameters in SOLVERS:
            solution = solve(instance, solver, parameters=parameters, max_evaluations=max_evaluations)
            if solution.placement is not None:
                found.append((evaluate(problem, solution.placement), solver, False))
    best, by, proven = min(found, key=lambda each: (each[0].objective, not each[2]))
    return {
        "by": by,
        "proven": proven,
        **{name: getattr(best, name) for name in ("objective", "delay_s", "energy_j", "cost_usd", "score")},
        **{f"device_{name}": getattr(device, name) for name in ("objective", "delay_s", "energy_j", "score")},
    }


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a Markdown table of the settings, and one of the weights from which on offloading is slower."""
    yield "Delay, energy and score as multiples of the device's, at the best placement known (* proven optimal)."
    yield ""
    yield "| network | beside the score | weight | delay | energy | cost, $ | score | by |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for row in rows:
        ratios = [row[name] / row[f"device_{name}"] for name in ("delay_s", "energy_j", "score")]
        delay, energy, score = (f"{ratio:.3g}" for ratio in ratios)
        weight = f"{row['weight']:g}" if row["weight"] else ""
        by = f"{row['by']}{'*' if row['proven'] else ''}"
        cells = row["network"], row["buys"], weight, delay, energy, f"{row['cost_usd']:.3g}", score, by
        yield f"| {' | '.join(cells)} |"
    yield ""
    weights = ", ".join(f"{weight:g}" for weight in WEIGHTS)
    yield f"Of the weights {weights} those with which it is slower than the device:"
    yield ""
    kinds = [*READINGS, "Z"]
    yield f"| network | {' | '.join(kinds)} |"
    yield f"| --- |{' --- |' * len(kinds)}"
    for network in dict.fromkeys(row["network"] for row in rows):
        yield f"| {network} | {' | '.join(_slower(rows, network, kind) for kind in kinds)} |"


def _slower(rows: Sequence[Row], network: str, kind: str) -> str:
    some = [row for row in rows if row["network"] == network and row["buys"] == kind]
    slower = [f"{row['weight']:g}" for row in some if row["delay_s"] > row["device_delay_s"]]
    return "all" if len(slower) == len(WEIGHTS) else ", ".join(slower) or "none"


if __name__ == "__main__":
    main()
