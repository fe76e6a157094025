"""`suite.toml` beside results can be run again, and is of what was run."""

from pathlib import Path

import pytest

from offbench.bench.suite import Suite, instances_of, read_suite, restricted
from offbench.bench.suite_file import keep_suite

TEXT = """# my own words
name = "small"
instances = ["tiny-chains"]
solvers = ["greedy", "random"]
seeds = 2
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "mine" / "small.toml"
    path.parent.mkdir()
    path.write_text(TEXT, encoding="utf-8")
    (tmp_path / "results").mkdir()
    return path


def test_file_is_kept_as_it_is_where_it_was_run_so(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    assert keep_suite(folder, read_suite(source), source) is None
    assert (folder / "suite.toml").read_text(encoding="utf-8") == TEXT


def test_what_the_command_line_says_stands_there(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    wanted = restricted(read_suite(source), ["alexnet"], ["greedy", "beam"], 3, 7, 50, "score", None)
    assert keep_suite(folder, wanted, source) is None
    assert read_suite(folder / "suite.toml") == wanted


def test_files_are_found_from_there(source: Path, tmp_path: Path) -> None:
    own = Path("../mine/net.json")
    instance = tmp_path / "mine" / "net.json"
    from offbench import load

    instance.write_text(load("tiny-chains").to_text(), encoding="utf-8")
    source.write_text(
        'name = "own"\ninstances = ["net.json", {networks = ["net.json", "alexnet"], tasks = 2, name = "both"}]\n'
        'solvers = [{name = "./mine.py:Mine", parameters = {heat = 0.5}, seeds = [4]}, {policy = "learnt"}]\n',
        encoding="utf-8",
    )
    suite = read_suite(source)
    folder = tmp_path / "results"
    keep_suite(folder, suite.model_copy(update={"instances": suite.instances[:1]}), source)
    kept = read_suite(folder / "suite.toml")
    assert kept.instances == (own.as_posix(),)
    assert [one.name for one in kept.solvers] == ["../mine/mine.py:Mine", "policy learnt"]
    assert (kept.solvers[0].parameters, kept.solvers[0].seeds) == ({"heat": 0.5}, (4,))
    assert kept.solvers[1].policy == "../mine/learnt"
    assert instances_of(kept, folder) == instances_of(
        suite.model_copy(update={"instances": ("net.json",)}), source.parent
    )


def of(instances: list[str], solvers: list[str]) -> Suite:
    return Suite.model_validate({"name": "small", "instances": instances, "solvers": solvers})


def test_what_was_run_before_stays_told(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    path = folder / "suite.toml"
    part, whole = of(["alexnet"], ["greedy"]), of(["alexnet"], ["greedy", "beam"])
    assert keep_suite(folder, part, source) is None
    assert keep_suite(folder, whole, source) == f"replaced {path}: the suite has more runs now"
    # A part of it takes nothing away.
    assert keep_suite(folder, part, source) is None
    assert read_suite(path) == whole
    # Others are put beside, whatever runs they share.
    other = of(["vgg19", "alexnet"], ["greedy"])
    told = keep_suite(folder, other, source)
    assert told is not None and "what was run before stands in suite-1.toml" in told
    assert (read_suite(path), read_suite(folder / "suite-1.toml")) == (other, whole)
    path.write_text("what =", encoding="utf-8")
    assert "suite-2.toml" in (keep_suite(folder, part, source) or "")
    assert (folder / "suite-2.toml").read_text(encoding="utf-8") == "what ="
