"""How long it will take."""

from collections.abc import Iterable, Mapping

from offbench.bench.job import NOT_INSTALLED, Job
from offbench.bench.runner import Progress

# What a run takes beside its own clock: a process, and the evaluator's loading.
_START_S = 1.5


def seconds_of_all(jobs: Iterable[Job], known: Mapping[str, float]) -> float:
    """Return the seconds that runs take one after another: as known of their solver, or else all their time."""
    return sum(known.get(job.solver, job.time_limit_s) + _START_S for job in jobs if job.code != NOT_INSTALLED)


def state(progress: Progress, known: Mapping[str, float]) -> tuple[float, str]:
    """Return the share that is done, and the state in words.

    Parameters
    ----------
    progress
        Of the runner.
    known
        Seconds that a solver's runs took before.
    """
    rows = dict(progress.rows)  # the runner goes on adding to it
    seconds: dict[str, list[float]] = {}
    for row in rows.values():
        if row.seconds is not None:
            seconds.setdefault(row.job.solver, []).append(row.seconds)
    means = dict(known) | {solver: sum(each) / len(each) for solver, each in seconds.items()}
    left_s = seconds_of_all((job for job in progress.todo if job.key not in rows), means) / max(1, progress.jobs)
    failed = f", {progress.failed} failed" if progress.failed else ""
    total = len(progress.todo)
    return len(rows) / max(1, total), f"{len(rows)} of {total} runs{failed}, about {duration(left_s)} left"


def duration(seconds: float) -> str:
    """Write a time as a reader would say it: ``40 s``, ``5 min``, ``3.2 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
