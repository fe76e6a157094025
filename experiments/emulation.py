"""How far predictions are off: placements of three networks cut, run over shaped links, and measured.

Question: How far is the measured delay of a placement from the predicted one, are placements ranked as predicted, and
what is off where it is?

Command: `make emulation`; with `--networks` also of the other networks that the package onnx ships

Needs: a machine that is idle, with at least two cores; `pip install 'offbench[profile]'`.

Writes: results/emulation: runs.jsonl, each placement from the moment it is done, profile-NAME.json, and table.md;
placements that are there aren't run again.

Time: 20 minutes.

Outcome: the end-to-end delay of 240 placements is off by 1.1 % in the median and 5.5 % at 90 %; with this machine's
times by up to 50 % (a delay of 9 ms), held back to slower devices by at most 8 %. In each of the twelve settings
placements are ranked as predicted (rank correlation 0.992 or more), and the one predicted best is measured within 4 %
of the best. Links hold; what is off is the parts, by some 0.25 ms each.

Twenty placements of each network: the best by `greedy` and by `cp-sat`, everything on each server, one cut at random to
each server, five of stretches drawn at random, and five scattered layer by layer. Links are those of the catalogue.
Computing is once this machine's, measured before, on every server (`here`), and once held back to the times of slower
devices (`paced`). Weights are drawn at random, for those of the files are all the same number.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from experiments._shared.kept_runs import KeptRuns, Row, tell_missing
from experiments._shared.study import parser
from experiments._shared.weighted import light_networks, weighted
from offbench.catalogue.catalogue import load_catalogue
from offbench.catalogue.deployment import deploy
from offbench.emulate.comparison import compared
from offbench.emulate.here import as_here
from offbench.emulate.measuring import Compute, Emulation, emulate
from offbench.evaluation.evaluator import evaluate
from offbench.files.atomic import write_whole
from offbench.importers.onnxruntime.measuring import measure
from offbench.importers.registry import import_network
from offbench.model.instance import Instance
from offbench.model.objectives import with_objective
from offbench.model.placement import Placement
from offbench.model.problem import P1
from offbench.runs.solve import solve

FOLDER = Path(__file__).parents[1] / "results" / "emulation"
NETWORKS = ("squeezenet", "inception_v1", "resnet50")
DEVICES = ("raspberry-pi-3-b-plus", ("raspberry-pi-4",), ("celeron-n5105",))
"""client, edges, clouds: none is faster than one core of today"""
LINKS = {"fast": ("wifi-6", "fibre-to-cloud"), "slow": ("wifi-4", "5g-mid-band")}
"""uplink to the edge, and to the cloud"""
COMPUTE: tuple[Compute, ...] = ("here", "paced")
SEED = 19


def main() -> None:
    """Run the placements that are missing, then make the table."""
    command = parser(__doc__, __file__)
    command.add_argument("--networks", nargs="+", default=list(NETWORKS), metavar="NAME", help="default: %(default)s")
    command.add_argument("--runs", type=int, default=3, help="that count, of each placement (default: %(default)s)")
    command.add_argument("--folder", type=Path, default=FOLDER, help="default: results/emulation")
    command.add_argument("--dry-run", action="store_true", help="tell which placements are missing, and run none")
    options = command.parse_args()
    kept = KeptRuns(options.folder)
    files = light_networks()
    missing = []
    with TemporaryDirectory() as folder:
        for network in options.networks:
            path = weighted(files[network], Path(folder) / f"{network}.onnx")
            profile = options.folder / f"profile-{network}.json"
            if not profile.exists() and not options.dry_run:
                options.folder.mkdir(parents=True, exist_ok=True)
                write_whole(profile, measure(path, {}, device="here").to_text())
            for links in LINKS:
                for compute in COMPUTE:
                    jobs = [
                        {
                            "network": network,
                            "links": links,
                            "compute": compute,
                            "placement": name,
                            "runs": options.runs,
                        }
                        for name in NAMES
                    ]
                    missing += (todo := [job for job in jobs if not kept.has(job)])
                    if options.dry_run or not todo:
                        continue
                    instance = made(network, path, links, profile if compute == "here" else None)
                    found = dict(zip(NAMES, placements(instance), strict=True))
                    for job in todo:
                        begun = perf_counter()
                        emulated = emulate(
                            instance,
                            found[job["placement"]],
                            path,
                            compute=job["compute"],
                            runs=options.runs,
                            warm_up=1,
                        )
                        kept.add(job | told(emulated) | {"seconds": perf_counter() - begun})
                        print(*job.values(), f"{told(emulated)['off']:+.1%}", flush=True)
            path.unlink()
    if options.dry_run:
        return tell_missing(missing)
    rows = [row for row in kept.rows() if row["network"] in options.networks and row["runs"] == options.runs]
    text = "\n".join((*table(rows), "", *overheads(rows))) + "\n"
    write_whole(options.folder / "table.md", text)
    print(text, end="")


def made(network: str, path: Path, links: str, profile: Path | None) -> Instance:
    """Return the instance of a network: on slower devices, or with this machine's times on all."""
    client, edges, clouds = DEVICES
    uplink, cloud_uplink = LINKS[links]
    instance = deploy(
        network, [import_network(path).network], load_catalogue(), client, edges, clouds, uplink, cloud_uplink
    ).instance
    return with_objective(instance if profile is None else as_here(instance, profile, path), "latency")


NAMES = (
    "greedy", "cp-sat", *(f"all on {kind}" for kind in ("client", "edge", "cloud")),
    *(f"cut {k}" for k in range(5)), *(f"stretches {k}" for k in range(5)), *(f"scattered {k}" for k in range(5)),
)  # fmt: skip


def placements(instance: Instance) -> Iterator[Placement]:
    """Yield the placements in the order of `NAMES`."""
    problem, rng = P1(instance), np.random.default_rng(SEED)
    n = problem.n_subtasks
    for solver in ("greedy", "cp-sat"):
        found = solve(instance, solver, time_limit=20.0, seed=0).placement
        assert found is not None
        yield found
    for server in range(3):
        yield Placement(problem.everything_on(server))
    for k in range(5):
        cut = int(rng.integers(1, n - 1))
        yield _allowed(problem, np.where(np.arange(n) < cut, 0, 1 + k % 2))
    for _ in range(5):
        ends = np.sort(rng.integers(0, n, int(rng.integers(2, 6))))
        yield _allowed(problem, rng.integers(0, 3, len(ends) + 1)[np.searchsorted(ends, np.arange(n))])
    for _ in range(5):
        yield _allowed(problem, rng.integers(0, 3, n))


def _allowed(problem: P1, servers: Any) -> Placement:
    return Placement(np.where(problem.allowed[np.arange(len(servers)), servers], servers, 0))


def told(found: Emulation) -> Row:
    """Return what is kept of a placement."""
    if found.error is not None:
        raise SystemExit(found.error)
    rows = compared(found)
    predicted = float(evaluate(found.cut.problem, found.cut.predicted.placement).delay_s)
    measured = float(np.median(found.delay.sum(axis=1)))
    sums = {
        kind: [sum(getattr(row, field) for row in rows if row.kind == kind) for field in ("predicted_s", "measured_s")]
        for kind in ("part", "transfer")
    }
    return {
        "predicted_s": predicted, "measured_s": measured, "off": measured / predicted - 1,
        "spread": float(np.ptp(np.quantile(found.delay.sum(axis=1), (0.25, 0.75))) / measured),
        "parts": len(found.cut.parts.pieces), "transfers": len(found.cut.parts.messages),
        "parts_s": sums["part"], "transfers_s": sums["transfer"], "difference": found.difference,
    }  # fmt: skip


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a Markdown table: how far each setting is off, and whether the ranking holds."""
    heads = ("placements", "median off", "90 %", "worst", "rank correlation", "best predicted", "parts", "transfers")
    yield f"| network | links | compute | {' | '.join(heads)} |"
    yield f"| --- | --- | --- |{' ---: |' * len(heads)}"
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["network"], row["links"], row["compute"]), []).append(row)
    for (network, links, compute), some in groups.items():
        yield f"| {network} | {links} | {compute} | {' | '.join(_line(some))} |"
    yield f"| all | | | {' | '.join(_line(rows, ranked=False))} |"


def overheads(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a Markdown table: by how much parts take longer for each part that there is, and what that leaves."""
    heads = ("placements", "more a part, ms", "R2", "median off", "with that term")
    yield f"| network | compute | {' | '.join(heads)} |"
    yield f"| --- | --- |{' ---: |' * len(heads)}"
    for network in dict.fromkeys(row["network"] for row in rows):
        for compute in COMPUTE:
            some = [row for row in rows if row["network"] == network and row["compute"] == compute]
            if len(some) < 3:
                continue
            parts = np.array([[1.0, row["parts"]] for row in some])
            more = np.array([row["parts_s"][1] - row["parts_s"][0] for row in some])
            fitted, *_ = np.linalg.lstsq(parts, more, rcond=None)
            left = more - parts @ fitted
            predicted, measured = (np.array([row[field] for row in some]) for field in ("predicted_s", "measured_s"))
            after = np.median(np.abs(measured / (predicted + fitted[1] * parts[:, 1]) - 1))
            share = 1 - (left @ left) / ((more - more.mean()) @ (more - more.mean()))
            yield (
                f"| {network} | {compute} | {len(some)} | {1e3 * fitted[1]:.2f} | {share:.2f} | "
                f"{np.median(np.abs(measured / predicted - 1)):.1%} | {after:.1%} |"
            )


def _line(rows: Sequence[Row], ranked: bool = True) -> Iterator[str]:
    off = np.abs([row["off"] for row in rows])
    yield f"{len(rows)}"
    for share in (0.5, 0.9, 1.0):
        yield f"{np.quantile(off, share):.1%}"
    predicted, measured = (np.array([row[field] for row in rows]) for field in ("predicted_s", "measured_s"))
    yield f"{spearmanr(predicted, measured).statistic:.3f}" if ranked else ""
    yield f"{measured[predicted.argmin()] / measured.min() - 1:.1%}" if ranked else ""
    for field in ("parts_s", "transfers_s"):
        sums = np.array([row[field] for row in rows]).sum(axis=0)
        yield f"{sums[1] / sums[0] - 1:+.1%}" if sums[0] else ""


if __name__ == "__main__":
    main()
