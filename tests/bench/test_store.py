"""The store: whole files, damaged ones set aside, claims, plans."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.stand_ins import job, row
from offbench import OffbenchError, load
from offbench.bench.frame import results
from offbench.bench.store import Store


def test_row_comes_back_as_it_was_put(tmp_path: Path) -> None:
    store = Store(tmp_path)
    kept = row(objective=1.25, bound=-0.5)
    assert not store.has(kept.job)
    store.put(kept)
    assert store.get(kept.job) == kept
    assert store.rows() == [kept]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [f"{kept.job.key}.json"]


def listing(folder: Path) -> dict[Path, tuple[int, int]]:
    """Return all that a folder has, and when it was changed."""
    return {path: (path.lstat().st_mtime_ns, path.lstat().st_size) for path in (folder, *folder.rglob("*"))}


WRITER = """
import sys
from pathlib import Path
from bench.stand_ins import row
from offbench.bench.store import Store
store = Store(Path(sys.argv[1]))
print("go", flush=True)
for seed in range(10**9):
    store.put(row(seed=seed % 5, traceback="x" * 300_000 + str(seed)))
"""


def test_kill_while_writing_leaves_whole_files(tmp_path: Path) -> None:
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        assert writer.stdout is not None and writer.stdout.readline() == "go\n"
        time.sleep(0.15)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
    store = Store(tmp_path)
    assert store.rows()
    assert not store.damaged


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"format": "offbench-run/1", "job"', "Invalid JSON"),
        ("", "Invalid JSON"),
        ('{"format": "offbench-run/1"}', "missing"),
        ("another", "another run than its name says"),
    ],
)
def test_damaged_file_is_named_and_set_aside_by_who_writes(text: str, why: str, tmp_path: Path) -> None:
    store, good, bad = Store(tmp_path), row(seed=0), row(seed=1)
    store.put(good)
    store.path_of(bad.job.key).write_text(good.model_dump_json() if text == "another" else text, encoding="utf-8")
    before = listing(tmp_path)
    assert store.rows() == store.rows() == [good]
    (told,) = store.damaged
    assert f"{bad.job.key}.json" in told and why in told and "`offbench bench` sets it aside" in told
    assert listing(tmp_path) == before
    store.mend()
    (told,) = store.damaged
    assert f"{bad.job.key}.json" in told and why in told and "set aside as" in told
    assert not store.has(bad.job)  # so it will be run again
    assert len(list((tmp_path / "damaged").iterdir())) == 1
    assert Store(tmp_path).rows() == [good]


def test_row_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="has none"):
        row(objective=1.0, status="killed")
    with pytest.raises(ValueError, match="has one"):
        row(objective=None, status="optimal")
    with pytest.raises(ValueError, match="lies above"):
        row(objective=1.0, bound=1.1)


def test_instance_is_kept_once(tmp_path: Path) -> None:
    instance = load("tiny-chains")
    store = Store(tmp_path)
    store.keep_instance(instance)
    store.keep_instance(instance)
    assert store.instance(instance.hash) == instance


def test_folder_without_results_is_told(tmp_path: Path) -> None:
    with pytest.raises(OffbenchError, match="has no results"):
        Store.of_results(tmp_path)
    with pytest.raises(OffbenchError, match="no such folder"):
        Store.of_results(tmp_path / "nowhere")


def test_every_planned_run_has_a_line_and_older_code_gives_way(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_plan([job(seed=0), job(seed=1), job(seed=2, code="newer")])
    for made in (row(seed=0), row(seed=2), row(solver="stray", seed=7)):
        store.put(made)
    found = results(store)
    lines = {(line.solver, line.seed): line.status for line in found.table.itertuples()}
    assert lines == {("a", 0): "feasible", ("a", 1): "pending", ("a", 2): "pending", ("stray", 7): "feasible"}
    assert any("1 rows of older code" in note for note in found.notes)


def test_rows_of_different_code_side_by_side_are_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_plan([job(seed=0), job(seed=1, code="newer")])
    store.put(row(seed=0))
    store.put(row(seed=1, code="newer"))
    assert any("different code" in note for note in results(store).notes)


def test_row_whose_key_is_made_in_another_way_by_now_is_older_and_not_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    store.put(row(seed=0))
    monkeypatch.setattr(type(job()), "key", property(lambda self: f"new-{self.seed}"))
    store.add_plan([job(seed=0)])
    found = results(store)
    assert not store.damaged
    assert found.table["status"].tolist() == ["pending"]
    assert any("1 rows of older code" in note for note in found.notes)


def test_row_of_a_newer_version_is_not_damaged(tmp_path: Path) -> None:
    store, kept = Store(tmp_path), row()
    store.put(kept)
    path = store.path_of(kept.job.key)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.removesuffix("}") + ',"news":1}', encoding="utf-8")
    assert store.rows() == [kept]


def test_rows_of_something_else_are_told_by_what_is_other(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for made in (row(seed=0), row(seed=1), row(seed=2), row(seed=3), row(solver="elsewhere", seed=4)):
        store.put(made)
    wanted = [
        job(seed=0), job(seed=1, code="newer"), job(seed=2, instance_hash="another"), job(seed=3, parameters={"x": 1}),
    ]  # fmt: skip
    assert {(each.job.seed, what) for each, what in store.older(wanted)} == {
        (1, "other code"), (2, "an instance that has changed"), (3, "other settings"),
    }  # fmt: skip


def test_row_under_a_hash_of_an_earlier_version_is_of_the_same_instance(tmp_path: Path) -> None:
    store, instance = Store(tmp_path), load("tiny-chains")
    (tmp_path / "instances").mkdir()
    (tmp_path / "instances" / "made-otherwise.json").write_text(instance.to_text(), encoding="utf-8")
    old = row("tiny-chains", instance_hash="made-otherwise")
    store.put(old)
    assert store.hash_now("made-otherwise") == instance.hash
    assert results(store).table["instance_hash"].tolist() == [instance.hash]  # so that its reference is found
    wanted = job("tiny-chains", code="newer", instance_hash=instance.hash)
    assert [what for _, what in store.older([wanted])] == ["other code"]
    store.add_plan([job("tiny-chains", seed=1, instance_hash=instance.hash)])
    assert sorted(results(store).table["status"]) == ["feasible", "pending"]  # none is left out
