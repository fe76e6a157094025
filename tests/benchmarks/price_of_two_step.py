"""What two-step offloading costs against placing all layers at once: ``make two-step``.

Each solver solves each instance both ways in the same time, each run in a process of its own on one thread. A pair such
as ``chain-exact+cp-sat`` names the solvers of both steps and has no joint run. Where the initial solution is
proven optimal, the relaxations bound its secondary problem: below that no two-step result from it can be. Every run is
kept in ``runs.jsonl`` and not made again, so that more solvers can be added later; ``table.md`` and ``price.svg`` are
made from all that is there.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from offbench.instances.build import STAGGER_S

from offbench.compose import arrivals, compose
from offbench.gaps import is_optimal
from offbench.graph import Nesting, pin
from offbench.instance import Instance, load
from offbench.references import references
from offbench.run import solve

from .one_run import GRACE_S, ONE_THREAD

Row = dict[str, Any]

FOLDER = Path(__file__).parents[2] / "results" / "two-step"
NETWORKS = ("googlenet", "resnet", "inception-nested")
SOLVERS = ("greedy", "annealing", "beam", "cp-sat", "chain-exact+annealing", "chain-exact+cp-sat")


def main() -> None:
    """Make the runs that are missing, then table and figure."""
    parser = argparse.ArgumentParser(prog="price_of_two_step", description=__doc__)
    parser.add_argument("--solver", action="append", help=f"default: {', '.join(SOLVERS)}")
    parser.add_argument(
        "--instance", action="append", help="default: GoogLeNet, ResNet101, Inception-v4, and ten of each"
    )
    parser.add_argument("--time-limit", type=float, default=60, help="for each run, s")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    log = options.folder / "runs.jsonl"
    instances = [each for each in cases() if not options.instance or each.name in options.instance]
    with tempfile.TemporaryDirectory() as folder:
        for instance in instances:
            file = Path(folder) / f"{instance.name}.json"
            file.write_text(instance.to_text(), encoding="utf-8")
            for job in jobs(instance, options.solver or SOLVERS, options.seeds):
                job |= {"time_limit": options.time_limit}
                if not any(job.items() <= row.items() for row in read(log)):
                    row = job | run(file, job)
                    with log.open("a", encoding="utf-8") as lines:
                        lines.write(json.dumps(row) + "\n")
                    print(*row.values(), flush=True)
    rows = read(log)
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
    found = offbench(
        "solve", "--solver", first, *how, "--seed", str(job["seed"]), "--time-limit", str(limit), str(file)
    )
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


def results(rows: list[Row]) -> Iterator[Row]:
    """Yield for each instance and solver the median of Q either way, and what is known of the instance."""
    for name in dict.fromkeys(row["instance"] for row in rows):
        here = [row for row in rows if row["instance"] == name]
        known = references().instances.get(name)
        reached = [row["objective"] for row in here if row.get("objective") is not None]
        if not reached:
            continue
        client_only = next(row["client_only"] for row in here if "client_only" in row)
        best = min([*reached, known.best_objective] if known else reached)
        bounds = {way: max(_bounds(here, way), default=None) for way in ("joint", "two-step")}
        if known and known.best_bound is not None:
            bounds["joint"] = max(known.best_bound, bounds["joint"] or -math.inf)
        for solver in dict.fromkeys(row["solver"] for row in here if row["solver"] != "bound"):
            medians = {way: _median(here, solver, way) for way in ("joint", "two-step")}
            yield {"instance": name, "solver": solver, "client_only": client_only, "best": best, **medians}
        yield {"instance": name, "solver": "bound", "client_only": client_only, "best": best, **bounds}


def _bounds(rows: list[Row], way: str) -> Iterator[float]:
    for row in rows:
        if row["way"] == way and row.get("bound") is not None:
            yield row["bound"]
        # Behind a proven initial solution, what bounds the one stage that follows bounds all two-step results.
        stages = row.get("stages", [])
        if way == "two-step" and len(stages) == 2 and None not in (stages[0]["bound"], stages[1]["bound"]):
            if is_optimal(stages[0]["objective"], stages[0]["bound"]):
                yield stages[1]["bound"]


def _median(rows: list[Row], solver: str, way: str) -> float | None:
    found = [
        row["objective"] for row in rows
        if row["solver"] == solver and row["way"] == way and row.get("objective") is not None
    ]  # fmt: skip
    return statistics.median(found) if found else None


def table(rows: list[Row]) -> Iterator[str]:
    """Yield the table: Q either way, and the price in Q and in shares of the possible improvement over the client."""
    limits = ", ".join(f"{limit:g}" for limit in sorted({row["time_limit"] for row in rows}))
    seeds = len({row["seed"] for row in rows})
    yield f"{limits} s for each run on one core; median of {seeds} seed{'s' * (seeds > 1)}. Price: two-step less joint, in Q and"
    yield "as a share of the best improvement known over everything on the client; negative where two steps do better."
    yield ""
    yield "| instance | solver | joint Q | two-step Q | price | share |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for row in results(rows):
        joint, two_step = row["joint"], row["two-step"]
        price = share = None
        if row["solver"] == "bound":
            # Against the best placement known, for bounds of both ways have no difference that means anything.
            joint, price = row["joint"], None if two_step is None else two_step - row["best"]
        elif joint is not None and two_step is not None:
            price = two_step - joint
        elif two_step is not None:
            price = two_step - row["best"]
        if price is not None:
            share = price / (row["client_only"] - row["best"])
        least = "at least " if row["solver"] == "bound" and price is not None else ""
        cells = (row["instance"], f"`{row['solver']}`", _number(joint), _number(two_step))
        yield f"| {' | '.join(cells)} | {least}{_number(price)} | {'' if share is None else f'{share:.1%}'} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


_ROW, _LEFT, _WIDTH = 18, 320, 480


def figure(rows: list[Row]) -> Iterator[str]:
    """Yield a figure as SVG: for each instance and solver the improvement either way, 1 for the best known."""
    shown = [row for row in results(rows) if row["solver"] != "bound"]
    height = _ROW * (len(shown) + 3)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 40}" height="{height}" font-family="sans-serif" font-size="12">'
    yield '<rect width="100%" height="100%" fill="white"/>'
    yield f'<text x="{_LEFT}" y="14">share of the best improvement known over everything on the client:</text>'
    yield f'<text x="{_LEFT}" y="30"><tspan fill="#1f77b4">● joint</tspan> <tspan fill="#d62728">● two-step</tspan></text>'
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = _LEFT + tick * _WIDTH
        yield f'<line x1="{x}" y1="36" x2="{x}" y2="{height - 18}" stroke="#ddd"/>'
        yield f'<text x="{x}" y="{height - 4}" text-anchor="middle">{tick:g}</text>'
    for i, row in enumerate(shown):
        y = 48 + _ROW * i
        yield f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{escape(row["instance"])}, {escape(row["solver"])}</text>'
        places = []
        for way, colour in (("joint", "#1f77b4"), ("two-step", "#d62728")):
            if row[way] is not None:
                share = (row["client_only"] - row[way]) / (row["client_only"] - row["best"])
                places.append((_LEFT + max(0.0, share) * _WIDTH, colour))
        yield f'<line x1="{places[0][0]:.1f}" y1="{y}" x2="{places[-1][0]:.1f}" y2="{y}" stroke="#999"/>'
        yield from (f'<circle cx="{x:.1f}" cy="{y}" r="4.5" fill="{colour}"/>' for x, colour in places)
    yield "</svg>"


if __name__ == "__main__":
    main()
