"""The same suite on a real local Dask cluster and a real local Ray, a worker of each killed in the middle."""

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from offbench import OffbenchError
from offbench.bench import workers
from offbench.bench.plan import Plan, plan
from offbench.bench.runner import run
from offbench.bench.store import Store
from offbench.bench.suite import Suite
from offbench.bench.workers import Backend

SUITE = {
    "name": "clusters", "instances": ["tiny-chains"], "solvers": ["random", {"name": "greedy", "seeds": 1}], "seeds": 5,
    "time_limit_s": 60, "max_evaluations": 50,
}  # fmt: skip


def executing(folder: Path, kill: bool) -> Callable[..., Any]:
    """Return what makes a run: it stands for `run_job`, and once kills the worker that it runs in."""

    def execute(job: Any, instance: dict[str, Any], jobs: int) -> Any:
        flag = folder / "killed"
        if kill and job.seed == 1 and not flag.exists():
            flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)
        from offbench.bench.row import row_of

        # As deterministic as a solver is: of the job and the instance alone.
        objective = job.seed + len(instance["tasks"]) + len(job.solver) / 100
        evaluation = {"objective": objective, "delay_s": 1.0}
        facts = {
            "status": "feasible", "objective": objective, "client_only": evaluation, "evaluation": evaluation,
            "seconds": 0.1, "stopped": "finished", "evaluations": 1, "trace": [[0.1, 1, objective, None]],
            "placement": {"servers": [["client"]]},
        }  # fmt: skip
        return row_of(job, {"solution": facts}, jobs)

    return execute


def objectives(made: Plan, folder: Path) -> dict[Any, Any]:
    store = Store(folder)
    assert len(store.rows()) == len(made.jobs) == 6
    assert not store.claimed()
    return {row.job.cell: (row.status, row.objective) for row in store.rows()}


@pytest.fixture
def made() -> Plan:
    return plan(Suite.model_validate(SUITE), Path())


def test_loky_dask_and_ray_leave_the_same_rows_though_a_worker_is_killed(
    made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    backends: tuple[Backend, ...] = ("loky", "dask", "ray")
    for backend in backends:
        folder = tmp_path / backend
        folder.mkdir()
        if backend == "ray":
            pytest.importorskip("ray")
            monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        if backend == "dask":
            pytest.importorskip("distributed")
        outcome = run(made, Store(folder), 2, backend, execute=executing(folder, kill=True))
        assert outcome.done == 6, backend
        assert (folder / "killed").exists()
        found[backend] = objectives(made, folder)
    assert found["loky"] == found["dask"] == found["ray"]


def test_cluster_that_cannot_be_reached_is_told_in_one_line(
    made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(workers, "_REACH_S", 0.5)
    with pytest.raises(OffbenchError, match=r"--backend dask: no cluster at tcp://127\.0\.0\.1:9") as caught:
        run(made, Store(tmp_path), 1, "dask", "tcp://127.0.0.1:9")
    assert len(str(caught.value).splitlines()) == 1


def test_workers_that_are_left_early_say_nothing() -> None:
    """As where a disk is full: one line tells that, and joblib has nothing to add."""
    calls: Any = ((each, 0, 0) for each in count(1))
    with warnings.catch_warnings(), workers.workers("loky", None, 2) as crew:
        warnings.simplefilter("error")
        made: Any = crew.run(max, calls)  # type: ignore[arg-type]
        assert next(made) in (1, 2)
        made.close()


LISTENING = """
import psutil, sys
from offbench.bench.workers import workers

if __name__ == "__main__":
    with workers(sys.argv[1], None, 2):
        ours = psutil.Process()
        for each in [ours, *ours.children(recursive=True)]:
            print(*(c.laddr.ip for c in each.net_connections("inet") if c.status == psutil.CONN_LISTEN))
"""


@pytest.mark.parametrize(("backend", "library"), [("dask", "distributed"), ("ray", "ray")])
def test_cluster_made_here_is_for_this_machine_alone(backend: str, library: str, tmp_path: Path) -> None:
    if find_spec(library) is None:
        pytest.skip(f"needs {library}")
    (script := tmp_path / "listening.py").write_text(LISTENING, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, backend], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    assert {ip_address(each).is_loopback for each in done.stdout.replace("::ffff:", "").split()} == {True}
