"""What is to be run: nothing that was planned is lost, whoever else plans at the same time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.stand_ins import job, row
from offbench import OffbenchError
from offbench.bench.frame import results
from offbench.bench.plans import OLDEST, PlanFile
from offbench.bench.store import Store
from offbench.files.atomic import write_whole

PLANNER = """
import sys
from pathlib import Path
from bench.stand_ins import job
from offbench.bench.store import Store
from offbench.files.atomic import write_whole
store = Store(Path(sys.argv[1]))
jobs = [job(solver=sys.argv[2], seed=seed, time_limit_s=float(sys.argv[3])) for seed in range(50)]
print("ready", flush=True)
input()
store.add_plan(jobs)
print("done", flush=True)
"""


def together(folder: Path, *arguments: tuple[object, ...]) -> list[int]:
    """Have processes plan at once; return their exit codes."""
    planners = [
        subprocess.Popen(
            [sys.executable, "-c", PLANNER, str(folder), *map(str, each)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for each in arguments
    ]  # fmt: skip
    for planner in planners:
        assert planner.stdout is not None and planner.stdout.readline() == "ready\n"
    for planner in planners:
        assert planner.stdin is not None
        planner.stdin.write("\n")
        planner.stdin.flush()
    for planner in planners:
        planner.communicate(timeout=60)
    return [planner.returncode for planner in planners]


@pytest.mark.parametrize("trial", range(5))
def test_three_that_plan_at_once_plan_all(trial: int, tmp_path: Path) -> None:
    assert together(tmp_path / "new", *((solver, 10) for solver in "abc")) == [0, 0, 0]
    assert {one.cell for one in Store(tmp_path / "new").planned()} == {
        ("one", solver, seed) for solver in "abc" for seed in range(50)
    }


@pytest.mark.parametrize("trial", range(3))
def test_of_two_budgets_at_once_at_most_one_is_planned(trial: int, tmp_path: Path) -> None:
    codes = together(tmp_path, ("a", 10), ("b", 20))
    budgets = {one.time_limit_s for one in Store(tmp_path).planned()}
    assert len(budgets) == codes.count(0) <= 1


def test_plan_grows_and_the_last_job_of_a_cell_counts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_plan([job(seed=0), job(seed=1)])
    store.add_plan([job(seed=1, code="newer"), job(seed=2)])
    assert [(one.seed, one.code) for one in store.planned()] == [(0, "code"), (1, "newer"), (2, "code")]
    store.add_plan([job(seed=0), job(seed=1)])  # the code of before again
    assert [(one.seed, one.code) for one in store.planned()] == [(1, "code"), (2, "code"), (0, "code")]


def test_what_a_later_plan_replaces_is_removed_and_the_same_again_writes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for code in ("1", "2", "3", "3"):
        store.add_plan([job(seed=0, code=code), job(seed=1, code=code)])
    (kept,) = (tmp_path / "plans").iterdir()
    assert kept.name.startswith("000003-")
    assert {one.code for one in store.planned()} == {"3"}


def test_budget_that_is_refused_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_plan([job(seed=0)])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for refuse in (store.add_plan, store.refuse_other_budget):
        with pytest.raises(OffbenchError, match=r"budget of 10 s, these would have 20 s.*--output"):
            refuse([job(time_limit_s=20.0)])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_budget_of_somebody_who_plans_at_the_same_moment_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)

    def after_another(path: Path, text: str) -> None:
        write_whole(path.with_name("000001-theirs.json"), PlanFile(jobs=(job(time_limit_s=20.0),)).model_dump_json())
        write_whole(path, text)

    monkeypatch.setattr("offbench.bench.plans.write_whole", after_another)
    with pytest.raises(OffbenchError, match="have a budget of 20 s, these would have 10 s"):
        store.add_plan([job()])
    assert [path.name for path in (tmp_path / "plans").iterdir()] == ["000001-theirs.json"]


def test_plan_of_an_earlier_version_counts_first(tmp_path: Path) -> None:
    old = PlanFile(jobs=(job(seed=0, code="old"), job(seed=1, code="old")))
    (tmp_path / OLDEST).write_text(old.model_dump_json(), encoding="utf-8")
    store = Store(tmp_path)
    store.put(row(seed=0, code="old"))
    assert Store.of_results(tmp_path).has_plan
    assert results(store).table["status"].tolist() == ["feasible", "pending"]
    with pytest.raises(OffbenchError, match="budget of 10 s"):
        store.add_plan([job(time_limit_s=20.0)])
    store.add_plan([job(seed=1, code="new")])
    assert [(one.seed, one.code) for one in store.planned()] == [(0, "old"), (1, "new")]
    store.add_plan([job(seed=0, code="new"), job(seed=1, code="new")])
    assert {one.code for one in store.planned()} == {"new"} and not (tmp_path / OLDEST).exists()
