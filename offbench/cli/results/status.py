"""`offbench status`: what is done, what failed and why."""

from offbench.cli.results.folder import Folder
from offbench.cli.shared.arguments import Json
from offbench.cli.shared.errors import say


def status(results: Folder, json: Json = False) -> None:
    """Say what is done, what failed and why, and what is left."""
    from offbench.bench.frame import results as read
    from offbench.bench.row import MEANING
    from offbench.bench.store import Store
    from offbench.cli.shared.console import show, show_json

    store = Store.of_results(results)
    claimed = store.claimed()
    found = read(store)
    counts = {str(status): int(count) for status, count in found.table["status"].value_counts().items()}
    failures = [row for row in found.rows if row.failed]
    if json:
        show_json(
            {
                "folder": str(results), "runs": len(found.table), "statuses": counts, "in_flight": len(claimed),
                "failures": [
                    {"run": row.job.key, "instance": row.job.instance, "solver": row.job.solver, "seed": row.job.seed,
                     "status": row.status, "message": row.message}
                    for row in failures
                ],
                "notes": found.notes,
            }
        )  # fmt: skip
        return

    from rich.table import Table

    drawn = Table("status", "runs", "means")
    drawn.columns[1].justify = "right"
    for name, text in {**MEANING, "pending": "not made yet"}.items():
        if counts.get(name):
            drawn.add_row(name, str(counts[name]), text)
    done = len(found.table) - counts.get("pending", 0)
    show(f"{results}: {done} of {len(found.table)} runs done, {len(claimed)} in flight", drawn)
    for row in failures:
        what = f"{row.job.solver} on {row.job.instance}, seed {row.job.seed}"
        show(f"{row.status}: {what}: {row.message} [runs/{row.job.key}.json]")
    for note in found.notes:
        say(note)
    if failures:
        say("the command that made them runs the failed ones again with `--rerun failed`")
