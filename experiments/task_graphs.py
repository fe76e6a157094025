"""Graphs of many tasks on equal processors: what fills its servers, and how well that is certified.

Question: How far from the optimum can the best placement be at most, on random graphs of 50 and 100 tasks like those of
the Standard Task Graph Set, on 2 to 16 processors?

Command: `make task-graphs`

Needs: a core that is free; every run is a process of its own on one thread.

Writes: results/task-graphs: runs.jsonl, each run from the moment it is done, and table.md; runs that are there aren't
made again.

Time: 30 minutes; a run that proves its placement ends.

Outcome: of 96 graphs 92 are proven, mostly in seconds; the certified gap is 0 % in the median and 2.5 % at most. By the
longest path alone it would be 62 and 55 % in the median on two processors, 24 and 16 % on four.

No data is sent and the delay alone counts, so it is makespan minimisation on identical machines with precedences. The
graphs are drawn (`_shared/task_graphs.py`), four ways of drawing edges, three distributions of times. `cp-sat` begins
with the bound `areas` and has 60 s; where it proves nothing `local-search` has 60 s as well. The gap is that of the
best placement and the best bound, relative to the placement. Beside it what it is with the longest path as the bound.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from experiments._shared.kept_runs import KeptRuns, Row, tell_missing
from experiments._shared.one_run import run
from experiments._shared.study import add_time_limit, parser
from experiments._shared.task_graphs import METHODS, TIMES, task_graph
from offbench.evaluation.critical_path import earliest_starts_s
from offbench.files.atomic import write_whole
from offbench.model.instance import Instance
from offbench.model.problem import P1

FOLDER = Path(__file__).parents[1] / "results" / "task-graphs"
TASKS = (50, 100)
PROCESSORS = (2, 4, 8, 16)
SOLVERS = ("cp-sat", "local-search")
TIME_LIMIT_S = 60.0
AIM = 0.05
SEED = 0


class Graph(NamedTuple):
    """What tells one graph on its processors from another."""

    method: str
    times: str
    tasks: int
    processors: int

    def instance(self) -> Instance:
        """Return it."""
        return task_graph(*self, SEED)


GRAPHS = [Graph(method, times, n, p) for n in TASKS for p in PROCESSORS for method in METHODS for times in TIMES]


def main() -> None:
    """Make the runs that are missing, then the table."""
    command = parser(__doc__, __file__)
    add_time_limit(command, TIME_LIMIT_S)
    command.add_argument("--folder", type=Path, default=FOLDER, help="default: results/task-graphs")
    command.add_argument("--dry-run", action="store_true", help="tell which runs are missing, and make none")
    options = command.parse_args()
    kept = KeptRuns(options.folder)
    missing = [job for graph in GRAPHS for job in jobs(graph, options.time_limit, kept)]
    if options.dry_run:
        return tell_missing(missing)
    for graph in GRAPHS:
        for job in jobs(graph, options.time_limit, kept):
            found = run(graph.instance(), job["solver"], options.time_limit)[0]
            row = job | {"objective": found.objective, "bound": found.bound} | {
                "status": found.status, "seconds": found.seconds, "path": longest_path_s(graph)
            }  # fmt: skip
            kept.add(row)
            print(*row.values(), flush=True)
            if found.proven:
                break
    text = "\n".join(table([row for row in kept.rows() if row["time_limit"] == options.time_limit])) + "\n"
    write_whole(options.folder / "table.md", text)
    print(text, end="")


def jobs(graph: Graph, time_limit: float, kept: KeptRuns) -> Iterator[Row]:
    """Yield the runs of a graph that aren't kept; none where one that is has a proof."""
    wanted = [graph._asdict() | {"solver": solver, "time_limit": time_limit} for solver in SOLVERS]
    if not any(kept.has(job | {"status": "optimal"}) for job in wanted):
        yield from (job for job in wanted if not kept.has(job))


def longest_path_s(graph: Graph) -> float:
    """Return the longest path, which says nothing of processors."""
    problem = P1(graph.instance())
    return float((earliest_starts_s(problem) + problem.arrays.execution_s).min(axis=1).max())


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield Markdown: gaps by tasks and processors, then the graphs that aren't proven."""
    yield (
        "Gap of the best placement, relative to it: median, largest in brackets. "
        "Of each line twelve graphs, of four ways to draw edges and three distributions of times."
    )
    yield ""
    yield "| tasks | processors | proven | certified gap | gap by the longest path alone |"
    yield "| ---: | ---: | ---: | ---: | ---: |"
    gaps: dict[Graph, tuple[float, float]] = {}
    for graph in GRAPHS:
        found = [row for row in rows if graph._asdict().items() <= row.items() and row["objective"] is not None]
        if found:
            least = min(row["objective"] for row in found)
            bound = max(row["bound"] for row in found if row["bound"] is not None)
            proven = any(row["status"] == "optimal" for row in found) or least - bound <= 1e-6 * least
            gaps[graph] = 0.0 if proven else 1 - bound / least, 1 - found[0]["path"] / least
    for n in TASKS:
        for p in PROCESSORS:
            some = [gap for graph, gap in gaps.items() if (graph.tasks, graph.processors) == (n, p)]
            if some:
                proven = sum(gap == 0 for gap, _ in some)
                cells = (_spread([gap[which] for gap in some]) for which in range(2))
                yield f"| {n} | {p} | {proven} of {len(some)} | {' | '.join(cells)} |"
    if not gaps:
        return
    certified = [gap for gap, _ in gaps.values()]
    yield ""
    yield (
        f"Of {len(certified)} together {sum(gap == 0 for gap in certified)} are proven, the median of the certified "
        f"gap is {median(certified):.2%}, the largest {max(certified):.2%}; {sum(gap > AIM for gap in certified)} are "
        f"above {AIM:.0%}."
    )
    if any(certified):
        yield ""
        yield "| not proven | tasks | processors | gap |"
        yield "| --- | ---: | ---: | ---: |"
    for graph, (gap, _) in gaps.items():
        if gap > 0:
            yield f"| {graph.method}, {graph.times} | {graph.tasks} | {graph.processors} | {gap:.2%} |"


def _spread(gaps: Sequence[float]) -> str:
    return f"{median(gaps):.2%} ({max(gaps):.2%})"


if __name__ == "__main__":
    main()
