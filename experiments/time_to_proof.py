"""Time to proof of the exact solvers side by side, on the same tiny and small instances.

Question: How long does each exact solver take to prove the optimum, and how much does chain-exact gain on chains?

Command: `make compare-exact`

Needs: a core that is free; every run is a process of its own on one thread.

Writes: nothing; prints a table, means and ratios.

Time: 15 minutes on a busy machine.

Outcome: on chains chain-exact is 200 times as fast as milp in the mean once loaded (at least 26, at five layers), 11
times for a first solve; milp takes 6 to 42 s for 11 layers on 11 servers.

*First* is `Solution.seconds` of a process's first solve, with the imports and compiled code that it had to load (numba
keeps it on disk); *then* is a second solve of the same instance in the same process, without them. What isn't proven
within the limit counts as the limit and is named. Brute force scores every placement with every dispatch order; where
there are too many it is left out.
"""

import math
from collections.abc import Iterator

from experiments._shared.brute_force import placements
from experiments._shared.drawn import chain, inception, queues
from experiments._shared.enumeration import ENUMERATE
from experiments._shared.one_run import OneRun, run
from experiments._shared.study import parser
from experiments._shared.tiny import tiny_instance
from offbench.bench.statistics.times import shifted_geometric_mean
from offbench.errors import OffbenchError
from offbench.model.composition import compose
from offbench.model.instance import Instance, load
from offbench.model.problem import P1

BRUTE_FORCE = "brute force"
MOST_PLACEMENTS = 10_000_000
SOLVERS = (BRUTE_FORCE, "milp", "cp-sat", "chain-exact")
SHIFT_S = 1.0
TARGET_RATIO = 100
Groups = dict[str, list[Instance]]


def groups() -> Groups:
    """Return the instances; those drawn have seeds 1 (small) and 0 to 5 (tiny)."""
    alexnet = load("alexnet")
    return {
        "tiny": [
            *(load(name) for name in ("tiny-chains", "tiny-graphs", "tiny-wireless")),
            *(tiny_instance(seed) for seed in range(6)),
        ],
        "chains": [
            *(_beginning(alexnet, layers, *remotes) for layers in (5, 8, 11) for remotes in ((2, 2), (5, 5))),
            *(chain(layers, servers, seed=1) for layers in (5, 8, 11) for servers in (5, 11)),
        ],
        "queues": [queues(*size, servers, seed=1) for size in ((2, 3), (2, 5), (3, 4)) for servers in (3, 5)],
        "graph": [inception(servers) for servers in (3, 5)],
    }


def _beginning(network: Instance, layers: int, edges: int, clouds: int) -> Instance:
    task = network.tasks[0].model_copy(update={"layers": network.tasks[0].layers[:layers]})
    cut = network.model_copy(update={"tasks": (task,)})
    return compose(f"{network.name} {layers} x {1 + edges + clouds}", [cut], [0.0], edges, clouds)


def main() -> None:
    """Run all, print a row for each instance as it is done, then the means and the ratio."""
    command = parser(__doc__, __file__)
    command.add_argument("--time-limit", type=float, default=60, help="for each run, s")
    command.add_argument("--solver", action="append", help=f"default: {', '.join(SOLVERS)}")
    command.add_argument("--group", action="append", choices=("tiny", "chains", "queues", "graph"))
    options = command.parse_args()
    solvers = options.solver or SOLVERS
    limit = options.time_limit
    print(f"Seconds to proof, first (then); limit {limit:g} s.\n")
    print("| group | instance | optimum |", " | ".join(f"`{solver}`" for solver in solvers), "|")
    print("| --- | --- | ---: |", " | ".join("---:" for _ in solvers), "|")
    runs: dict[str, dict[tuple[str, str], list[OneRun]]] = {}
    for group, instances in groups().items():
        if options.group is None or group in options.group:
            runs[group] = {}
            for instance in instances:
                rows = {solver: _run(instance, solver, limit) for solver in solvers if _applies(solver, instance)}
                runs[group] |= {(solver, instance.name): row for solver, row in rows.items()}
                proven = [row[0].objective for row in rows.values() if row[0].proven and row[0].objective is not None]
                optimum = f"{min(proven):.6f}" if proven else "not proven"
                if proven and max(proven) - min(proven) > 1e-6:
                    optimum = f"DISAGREE: {min(proven)!r} to {max(proven)!r}"
                cells = [_cell(rows.get(solver)) for solver in solvers]
                print(f"| {group} | {instance.name} | {optimum} |", " | ".join(cells), "|", flush=True)
    for group, found in runs.items():
        print("\n".join(_means(group, found, limit)))
    if "chains" in runs and {"milp", "chain-exact"} <= set(solvers):
        print("\n".join(_ratios(runs["chains"], limit)))


def _applies(solver: str, instance: Instance) -> bool:
    if solver == BRUTE_FORCE:
        problem = P1(instance)
        return int(problem.allowed.sum(axis=1).prod()) <= MOST_PLACEMENTS >= placements(problem)
    return solver != "chain-exact" or instance.is_chain


def _run(instance: Instance, solver: str, limit: float) -> list[OneRun]:
    try:
        return run(instance, ENUMERATE if solver == BRUTE_FORCE else solver, limit, again=True)
    except OffbenchError as error:
        return [OneRun(instance.name, solver, str(error))]


def _cell(rows: list[OneRun] | None) -> str:
    if rows is None:
        return ""
    if not rows[0].proven:
        gap = "" if rows[0].gap is None else f", gap {100 * rows[0].gap:.2g} %"
        return f"{rows[0].status}{gap}"
    return f"{rows[0].seconds:.3f} ({rows[-1].seconds:.3f})"


def _seconds(rows: list[OneRun], limit: float) -> tuple[float, float]:
    """Return the seconds of the first solve and of the second, the limit where nothing was proven."""
    first, then = (row.seconds if row.proven and row.seconds is not None else limit for row in (rows[0], rows[-1]))
    return first, then


def _means(group: str, found: dict[tuple[str, str], list[OneRun]], limit: float) -> Iterator[str]:
    yield f"\n{group}: shifted geometric mean (shift {SHIFT_S:g} s), first and then"
    for solver in dict.fromkeys(solver for solver, _ in found):
        rows = {name: row for (who, name), row in found.items() if who == solver}
        first, then = zip(*(_seconds(row, limit) for row in rows.values()), strict=True)
        open_ = [name for name, row in rows.items() if not row[0].proven]
        unsolved = f"; counted as {limit:g} s: {', '.join(open_)}" if open_ else ""
        means = f"{shifted_geometric_mean(first, SHIFT_S):9.3f} s {shifted_geometric_mean(then, SHIFT_S):9.3f} s"
        yield f"  {solver:12} {means}   {len(rows) - len(open_)} of {len(rows)} proven{unsolved}"


def _ratios(found: dict[tuple[str, str], list[OneRun]], limit: float) -> Iterator[str]:
    yield f"\nchains: milp's seconds over chain-exact's (target: {TARGET_RATIO}), first and then"
    every: list[tuple[float, float]] = []
    for name in dict.fromkeys(name for _, name in found):
        milp, labels = found["milp", name], found["chain-exact", name]
        if not labels[0].proven:
            yield f"  {name:28} chain-exact: {labels[0].status}"
            continue
        slow, fast = _seconds(milp, limit), _seconds(labels, limit)
        every.append((slow[0] / fast[0], slow[1] / fast[1]))
        at_least = "" if milp[0].proven else ">= "
        yield f"  {name:28} {at_least}{every[-1][0]:.0f}, {at_least}{every[-1][1]:.0f}"
    if every:
        first, then = (math.exp(sum(map(math.log, ratios)) / len(every)) for ratios in zip(*every, strict=True))
        yield f"  geometric mean: {first:.0f}, {then:.0f}; least: {min(e[0] for e in every):.0f}, " + (
            f"{min(e[1] for e in every):.0f}"
        )


if __name__ == "__main__":
    main()
