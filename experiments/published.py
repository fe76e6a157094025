"""Held against others: cases of papers whose answer is known, beside what offbench finds.

Question: What does offbench find where Neurosurgeon, DADS and msr-fiddle published an answer?

Command: `make published ARGS=dnn-partitioning`; without the folder what is kept of msr-fiddle's graphs stays

Needs: for msr-fiddle's graphs the folder of github.com/msr-fiddle/dnn-partitioning at b207b6a; two cores.

Writes: results/published: runs.jsonl, each case from the moment it is done, and table.md; cases that are there aren't
made again.

Time: 20 seconds without the graphs, 20 minutes with the eight of them.

Outcome: AlexNet over Wi-Fi is cut after pool5 and Tiny YOLOv2 at 4 Mbit/s after max5, as published; by data sheets fc6
takes 45.0 % of AlexNet's time on the device, published 45. At 18 Mbit/s Tiny YOLOv2 is cut after max3, 1.7 % better
than published. ResNet-18's cuts differ: by DADS's own equations the published ones aren't the best. `min-cut`, their
method, finds 16 of 16 proven optima. Of msr-fiddle's eight graphs one is proven, 100.2 ms by both rules; by their rule
the least found is 0 to 66 % below their greedy, and offbench's model, where transfers overlap, 0 to 31 % below that.

Where each published figure is from, what is assumed, and why some differ: docs/reference/published.md.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments._published import dads, fiddle, neurosurgeon
from experiments._shared.kept_runs import KeptRuns, Row, tell_missing
from experiments._shared.study import add_time_limit, parser
from offbench.files.atomic import write_whole

FOLDER = Path(__file__).parents[1] / "results" / "published"
SMALL = {"Neurosurgeon": neurosurgeon.CASES, "DADS": dads.CASES}
TIME_LIMIT_S = 30.0


def main() -> None:
    """Make the cases that are missing, then the tables."""
    command = parser(__doc__, __file__)
    command.add_argument("graphs", type=Path, nargs="?", help="folder of msr-fiddle/dnn-partitioning")
    add_time_limit(command, TIME_LIMIT_S, "of each solver on a graph, s")
    command.add_argument("--folder", type=Path, default=FOLDER, help="default: results/published")
    command.add_argument("--dry-run", action="store_true", help="tell which cases are missing, and make none")
    options = command.parse_args()
    kept = KeptRuns(options.folder)
    small = [{"paper": paper, "case": case} for paper, cases in SMALL.items() for case in cases]
    files = () if options.graphs is None else sorted((options.graphs / "latency-inputs").glob("*/*.json"))
    graphs = {graph.name: graph for graph in map(fiddle.read, files)}
    large = [{"paper": "msr-fiddle", "case": name, "time_limit": options.time_limit} for name in graphs]
    missing: list[Row] = [job for job in (*small, *large) if not kept.has(job)]
    if options.dry_run:
        return tell_missing(missing)
    for job in missing:
        if job["paper"] in SMALL:
            published, found = SMALL[job["paper"]][job["case"]]()
            row = job | {"published": published, "found": found}
        else:
            graph = graphs[job["case"]]
            experts = options.graphs / "human-experts" / f"{graph.path.stem}_expert.json"
            given = experts if graph.name in fiddle.EXPERTS_MS else None
            row = job | fiddle.compare(graph, given, options.time_limit)
        kept.add(row)
        print(*row.values(), flush=True)
    text = "\n".join(table(kept.rows())) + "\n"
    write_whole(options.folder / "table.md", text)
    print(text, end="")


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a Markdown table for each paper."""
    known = {(row["paper"], row["case"]): row for row in rows}
    for paper, cases in SMALL.items():
        yield from (f"## {paper}", "", "| case | published | found |", "| --- | --- | --- |")
        for row in (known[paper, case] for case in cases if (paper, case) in known):
            yield f"| {row['case']} | {row['published']} | {row['found']} |"
        yield ""
    yield from ("## msr-fiddle", "")
    yield (
        "Latency in ms. A star: it needs more memory than there is, by the share in brackets, or more accelerators. "
        "Brackets of the least and of offbench's: no placement is below that."
    )
    yield ""
    yield (
        "| graph | nodes | accelerators | processors alone | experts' split | their greedy | "
        "least found by their rule | offbench's model | that split by their rule | colours that it breaks |"
    )
    yield f"| --- |{' ---: |' * 9}"
    for row in rows:
        if row["paper"] == "msr-fiddle":
            cells = (
                row["case"], str(row["nodes"]), str(row["accelerators"]), _ms(row["processors_ms"]), _experts(row),
                _ms(fiddle.GREEDY_MS[row["case"]]), f"{_ms(row['least_ms'])} ({_ms(row['least_bound_ms'])})",
                f"{_ms(row['here_ms'])} ({_ms(row['here_bound_ms'])})", _ms(row["here_by_their_rule_ms"]),
                str(row["broken_colours"]),
            )  # fmt: skip
            yield f"| {' | '.join(cells)} |"


def _experts(row: dict[str, Any]) -> str:
    if "experts_ms" not in row:
        return ""
    over = row["experts_overfull"]
    if row["experts_accelerators"] > row["accelerators"]:
        return f"{_ms(row['experts_ms'])}* ({row['experts_accelerators']} accelerators)"
    return f"{_ms(row['experts_ms'])}* ({100 * over:.0f} %)" if over > 0 else _ms(row["experts_ms"])


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    main()
