"""One network without H and Z: which are proven, how fast, and what stays open.

Question: Does graph-exact prove every network of the nine ONNX files, and every shipped instance of one network, in
60 s on one core, for score, latency, energy and cost, on eleven servers?

Command: `make single-networks`

Needs: a core that is free; all runs are one process on one thread.

Writes: results/single-networks: runs.jsonl, each run from the moment it is done, and table.md; runs that are there
aren't made again.

Time: 8 minutes.

Outcome: 162 of 164 are proven, 158 of them in a second and the slowest in 12. Inception-v2 node by node on ten alike
boards stays open for score and latency, by 7.3 and 10.3 %: 37 nodes in branches between two gates.

The files are those that the package onnx ships. They are imported layer by layer (what a runtime fuses is one) and node
by node, and set up twice with devices of the catalogue: `home`, where a Raspberry Pi reaches faster edges by Wi-Fi and
clouds by 5G, and `rack`, ten boards about as fast as one another, one layer at a time each, on 10-gigabit Ethernet.
There branches are spread, and queueing is what is hard. Where nothing is proven local-search has the same time, and the
gap is that of the better placement to graph-exact's bound.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from experiments._shared.kept_runs import KeptRuns, Row, tell_missing
from experiments._shared.study import add_time_limit, parser
from experiments._shared.weighted import light_networks
from offbench.catalogue.catalogue import load_catalogue
from offbench.catalogue.deployment import deploy
from offbench.evaluation.gaps import relative_gap
from offbench.files.atomic import write_whole
from offbench.importers.registry import import_network
from offbench.model.gates import longest_stretch
from offbench.model.instance import Instance, load, shipped
from offbench.model.objectives import with_objective
from offbench.model.problem import P1
from offbench.runs.solve import solve

FOLDER = Path(__file__).parents[1] / "results" / "single-networks"
OBJECTIVES = ("score", "latency", "energy", "cost")
GRANULARITIES: tuple[Literal["layer", "node"], ...] = ("layer", "node")
TIME_LIMIT_S = 60.0


class Devices(NamedTuple):
    """A client, ten servers, and the links between them."""

    client: str
    edges: Sequence[str]
    clouds: Sequence[str]
    uplink: str
    cloud_uplink: str
    backhaul: str


DEVICES = {
    "home": Devices(
        "raspberry-pi-4", ("jetson-nano", "jetson-orin-nano", "jetson-agx-xavier", "core-i7-13700k", "rtx-2080"),
        ("t4", "v100", "a10g", "xeon-8124m-8-cores", "a100"), "wifi-5", "5g-mid-band", "fibre-to-cloud",
    ),
    "rack": Devices(
        "raspberry-pi-4", ("raspberry-pi-5", "orange-pi-5", "snapdragon-888", "kirin-970", "celeron-n5105"),
        ("snapdragon-855-plus", "raspberry-pi-5", "nucbox-g3-plus", "raspberry-pi-4", "snapdragon-8-gen-2"),
        "ethernet-10g", "ethernet-10g", "ethernet-10g",
    ),
}  # fmt: skip


class Setting(NamedTuple):
    """A network as it is read, and where it runs."""

    network: str
    granularity: str
    """of an ONNX file, or ``shipped``"""
    devices: str
    """of `DEVICES`, or ``paper``"""


def main() -> None:
    """Make the runs that are missing, then the table."""
    command = parser(__doc__, __file__)
    add_time_limit(command, TIME_LIMIT_S)
    command.add_argument("--folder", type=Path, default=FOLDER, help="default: results/single-networks")
    command.add_argument("--dry-run", action="store_true", help="tell which runs are missing, and make none")
    options = command.parse_args()
    kept = KeptRuns(options.folder)
    wanted = [
        (setting, setting._asdict() | {"objective": objective, "time_limit": options.time_limit})
        for setting in settings()
        for objective in OBJECTIVES
    ]
    missing = [(setting, job) for setting, job in wanted if not kept.has(job)]
    if options.dry_run:
        return tell_missing([job for _, job in missing])
    for setting, job in missing:
        instance = made(setting)
        posed = with_objective(instance, job["objective"])
        found = solve(posed, "graph-exact", time_limit=options.time_limit)
        least = found.objective
        if found.status != "optimal":
            least = min(least, solve(posed, "local-search", time_limit=options.time_limit).objective)
        gap = max(0.0, relative_gap(least, found.lower_bound, client_only=found.client_only.objective) or 0.0)
        row = job | {"layers": instance.subtasks, "widest": longest_stretch(P1(instance))} | {
            "status": found.status, "seconds": found.seconds, "gap": gap
        }  # fmt: skip
        kept.add(row)
        print(*row.values(), flush=True)
    text = "\n".join(table([row for row in kept.rows() if row["time_limit"] == options.time_limit])) + "\n"
    write_whole(options.folder / "table.md", text)
    print(text, end="")


def settings() -> Iterator[Setting]:
    """Yield all of them."""
    for name in shipped():
        if len(load(name).tasks) == 1 and not P1(load(name)).constrained:
            yield Setting(name, "shipped", "paper")
    for name in light_networks():
        for granularity in GRANULARITIES:
            yield from (Setting(name, granularity, devices) for devices in DEVICES)


@cache
def made(setting: Setting) -> Instance:
    """Return the instance, with some objective."""
    if setting.granularity == "shipped":
        return load(setting.network)
    granularity = next(each for each in GRANULARITIES if each == setting.granularity)
    network = import_network(light_networks()[setting.network], granularity=granularity).network
    return deploy(setting.network, [network], load_catalogue(), *DEVICES[setting.devices]).instance


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield Markdown: a line for each setting, then what isn't proven."""
    yield "Seconds until `graph-exact` has the proof, on eleven servers. A dash: not proven; see below."
    yield ""
    yield f"| network | as | devices | layers | widest stretch | {' | '.join(OBJECTIVES)} |"
    yield f"| --- | --- | --- | ---: | ---: |{' ---: |' * len(OBJECTIVES)}"
    for setting in settings():
        some = {row["objective"]: row for row in rows if setting._asdict().items() <= row.items()}
        if not some:
            continue
        one = next(iter(some.values()))
        cells = [_seconds(some[objective]) if objective in some else "" for objective in OBJECTIVES]
        yield f"| {' | '.join(setting)} | {one['layers']} | {one['widest']} | {' | '.join(cells)} |"
    still = [row for row in rows if row["status"] != "optimal"]
    yield ""
    yield f"{len(rows) - len(still)} of {len(rows)} are proven."
    if still:
        yield ""
        yield "| not proven | as | devices | objective | relative gap |"
        yield "| --- | --- | --- | --- | ---: |"
    for row in still:
        gap = row["status"] if row["gap"] is None else f"{row['gap']:.1%}"
        yield f"| {row['network']} | {row['granularity']} | {row['devices']} | {row['objective']} | {gap} |"


def _seconds(row: Row) -> str:
    return f"{row['seconds']:.1f}" if row["status"] == "optimal" else "-"


if __name__ == "__main__":
    main()
