"""What two minutes certify of every shipped instance.

Question: How far from the optimum can the best placement be at most, by the best bound of relaxations and exact
solvers?

Command: `make certified`

Needs: a core; every row is a process of its own on one thread.

Writes: nothing, or every run with --json FILE; prints a table.

Time: 90 minutes at most: 11 instances, for each the relaxations and up to four solvers with 120 s each, some proven in
seconds.

Outcome: missed at most, of references that any run may improve: resnet 0.5 %, googlenet 12.0, mixed-4 7.1,
inception-nested 9.9, alexnet-x10 0.4, resnet-x10 6.8; the others are proven.

For each instance a row for the best relaxation (`offbench bound`), one for each exact solver that applies, and one for
all of them together: the best objective against the best bound (MODEL.md section 9).
"""

import json
import math
from pathlib import Path
from typing import Any

from experiments._shared.command import offbench
from experiments._shared.one_run import GRACE_S, OneRun, run
from experiments._shared.study import parser
from offbench.errors import OffbenchError
from offbench.evaluation.gaps import certified, relative_gap
from offbench.files.atomic import write_whole
from offbench.model.instance import load, shipped

SOLVERS = ("milp", "cp-sat", "chain-exact", "beam")
# Largest certified share that the project aims at.
TARGETS = {
    "googlenet": 0.05, "resnet": 0.05, "inception-nested": 0.10,
    "mixed-4": 0.05, "alexnet-x10": 0.15, "resnet-x10": 0.05,
}  # fmt: skip


def main() -> None:
    """Run all, a row as it is done."""
    command = parser(__doc__, __file__)
    command.add_argument("--time-limit", type=float, default=120, help="for each run, s")
    command.add_argument("--instance", action="append", help="default: every shipped one")
    command.add_argument("--solver", action="append", help=f"default: {', '.join(SOLVERS)}")
    command.add_argument("--json", type=Path, help="write every run to this file")
    options = command.parse_args()
    record: list[dict[str, Any]] = []
    print("| instance | by | Q | LB | relative gap | certified | target | status | s |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |")
    for name in options.instance or shipped():
        instance = load(name)
        rows = [bound_row(name, options.time_limit)]
        show(name, rows[0])
        for solver in options.solver or SOLVERS:
            if solver != "chain-exact" or instance.is_chain:
                rows.append(attempt(name, solver, options.time_limit))
                show(name, rows[-1])
        rows.append(together(name, rows))
        show(name, rows[-1])
        record += [vars(row) for row in rows]
        if options.json is not None:
            write_whole(options.json, json.dumps(record, indent=1) + "\n")


def attempt(name: str, solver: str, limit: float) -> OneRun:
    """Run a solver; one that isn't there has a row that says so."""
    try:
        return run(load(name), solver, limit)[0]
    except OffbenchError as error:
        return OneRun(name, solver, str(error))


def bound_row(name: str, limit: float) -> OneRun:
    """Return the best bound of all relaxations, by the command line."""
    facts = offbench("bound", "--time-limit", str(limit), name, at_most_s=limit + GRACE_S)
    if "error" in facts:
        return OneRun(name, "bound", facts["error"])
    return OneRun(name, f"bound ({facts['by']})", "bound", bound=facts["bound"], seconds=facts["seconds"])


def together(name: str, rows: list[OneRun]) -> OneRun:
    """Return the best objective and the best bound of all rows."""
    objective = min((row.objective for row in rows if row.objective is not None), default=None)
    bound = max((row.bound for row in rows if row.bound is not None), default=None)
    client_only = next((row.client_only for row in rows if row.client_only is not None), None)
    return OneRun(name, "together", "", objective, bound, client_only=client_only)


def show(name: str, row: OneRun) -> None:
    """Print a row of the table."""
    gap = share = None
    if row.objective is not None and row.bound is not None and row.client_only is not None:
        gap = max(0.0, relative_gap(row.objective, row.bound, client_only=row.client_only) or 0.0)
        share = certified(row.objective, row.client_only, row.bound)
    target = TARGETS.get(name)
    cells = (
        name, row.solver, _number(row.objective), _number(row.bound), _percent(gap), _percent(share),
        _percent(target), row.status, "" if row.seconds is None else f"{row.seconds:.1f}",
    )  # fmt: skip
    print("|", " | ".join(cells), "|", flush=True)


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.6f}"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.3g} %"


if __name__ == "__main__":
    main()
