"""The studies: described in one form, listed, and each answering on its command line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import ablation, defaults
from experiments._shared.equal_time import cell
from experiments._shared.kept_runs import KeptRuns
from experiments._shared.study import FIELDS, FOLDER, FormError, Study, read, studies, table

HOME = FOLDER.parent
STUDIES = list(studies())
PARAGRAPHS = ["A title.", *(f"{field}: of it,\nin words | signs." for field in FIELDS), "More text."]
FORM = '"""' + "\n\n".join(PARAGRAPHS) + '\n"""\n'


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a study from the checkout, without the tests' folder on the path."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True, text=True, check=False, cwd=HOME, timeout=300,
        env={**os.environ, "PYTHONPATH": str(HOME)},
    )  # fmt: skip


def test_table_of_the_readme_is_what_the_docstrings_say() -> None:
    lines = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    told = [line for line in lines if line.startswith("|")]
    assert told == list(table()), "python -m experiments prints the lines that belong there"


def test_every_field_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(FORM, encoding="utf-8")
    (tmp_path / "_shared.py").write_text("no study\n", encoding="utf-8")
    assert list(studies(tmp_path)) == [Study("mine", "A title.", dict.fromkeys(FIELDS, "of it, in words | signs."))]
    assert list(table(tmp_path))[-1] == "| [mine](mine.py) |" + r" of it, in words \| signs. |" * len(FIELDS)


@pytest.mark.parametrize("field", FIELDS)
def test_missing_field_is_named_with_its_file(tmp_path: Path, field: str) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(FORM.replace(f"{field}: ", ""), encoding="utf-8")
    with pytest.raises(FormError, match=rf"mine\.py: .* {field}: isn't in its place"):
        read(mine)


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_study_answers_help(study: Study) -> None:
    done = run(f"experiments.{study.name}", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert study.title in done.stdout
    assert f"usage: python -m experiments.{study.name} " in done.stdout


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_command_that_is_told_runs_the_study(study: Study) -> None:
    target = re.match(r"`make ([a-z-]+)", study.fields["Command"])
    assert target is not None
    # Quiet on folders also where the tests are run by make.
    line = ["make", "--no-print-directory", "--dry-run", target[1], "ARGS=--help"]
    done = subprocess.run(line, capture_output=True, text=True, check=True, cwd=HOME, timeout=60)
    assert done.stdout.splitlines()[-1].endswith(f"-m experiments.{study.name} --help")


def test_results_that_are_told_are_there() -> None:
    told = {path for study in STUDIES for path in re.findall(r"results/[a-z-]+", study.fields["Writes"])}
    kept = {f"results/{path.parent.name}" for path in HOME.glob("results/*/runs.jsonl")}
    assert told == kept != set()


def test_solvers_at_equal_time_are_run_and_told() -> None:
    done = run(
        "experiments.metaheuristics", "--time-limit", "20", "--seeds", "2", "--no-missed",
        "--solver", "fcfs", "--solver", "greedy", "--instance", "tiny-chains",
    )  # fmt: skip
    refused, greedy = done.stdout.splitlines()[-2:]
    assert refused == "| `fcfs` | - |"
    assert "fcfs on tiny-chains, seed 0: offbench: " in done.stderr  # why
    assert re.fullmatch(r"\| `greedy` \| -?\d+\.\d{4} \|", greedy)


def test_cell_has_median_least_and_largest() -> None:
    assert cell([3.0, None, 1.0, 2.5], missed=False) == "2.5000 (1.0000 to 3.0000)"
    assert cell([0.5, 0.5], missed=True) == "50.00%"


def test_runs_that_are_kept_are_not_made_again(tmp_path: Path) -> None:
    kept = KeptRuns(tmp_path / "new")
    job = {"solver": "greedy", "seed": 0, "time_limit": 20.0}
    assert not kept.has(job)
    kept.add(job | {"objective": 1.5})
    assert KeptRuns(tmp_path / "new").has(job)
    assert not any(kept.has(job | change) for change in ({"seed": 1}, {"time_limit": 5.0}, {"solver": "beam"}))
    assert kept.rows() == [job | {"objective": 1.5}]


@pytest.mark.parametrize("study", ["ablation", "defaults"])
def test_committed_runs_are_found(study: str) -> None:
    assert run(f"experiments.{study}", "--dry-run").stdout == "no runs to make\n"


def test_dry_run_names_what_is_missing_and_makes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    done = run("experiments.ablation", "--dry-run", "--seeds", "1", "--row", "annealing", "--folder", str(folder))
    assert done.stdout.splitlines() == ["annealing 1002 0 5", "annealing 1003 0 5", "2 runs to make"]
    assert not folder.exists()


def test_tables_that_are_committed_are_made_of_the_runs_beside_them() -> None:
    of_ablation = ablation.table(KeptRuns(ablation.FOLDER).rows())
    of_defaults = defaults.table(KeptRuns(defaults.FOLDER).rows())
    for folder, lines in ((ablation.FOLDER, of_ablation), (defaults.FOLDER, of_defaults)):
        assert (folder / "table.md").read_text(encoding="utf-8").splitlines() == list(lines)
