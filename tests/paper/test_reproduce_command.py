"""`offbench reproduce` from start to page, with small runs in this process."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bench.stand_ins import here
from report.test_page import CHROMIUM, look
from typer.testing import CliRunner, Result

from offbench.bench import runner
from offbench.bench.store import Store
from offbench.bench.suite import Suite
from offbench.cli import app
from offbench.paper import experiments
from offbench.paper.claims import claims
from offbench.paper.experiments import Experiment, Scope
from offbench.paper.fuller import RUNS

Run = Callable[..., Result]
TINY = replace(
    experiments.QUICK,
    time_limit_s=30,
    learning=("alexnet",),
    structures=("alexnet",),
    networks=("alexnet",),
    tasks=(1, 2),
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return small_in(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which figure 12 has been reproduced, with its page; tests take copies."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as monkeypatch:
        assert small_in(folder, monkeypatch)("fig12", "--quick", "--report").exit_code == 0
    return folder


def small_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return the command, in a folder, with small runs."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(runner, "workers", here)
    monkeypatch.setattr(experiments, "QUICK", TINY)
    monkeypatch.setattr(experiments, "FIGURES", ("fig8", "fig9", "fig10", "fig12"))
    suites = Experiment.suites

    def few(self: Experiment, scope: Scope) -> list[Suite]:
        return [suite.model_copy(update={"max_evaluations": 300}) for suite in suites(self, scope)]

    monkeypatch.setattr(Experiment, "suites", few)
    return lambda *arguments: CliRunner().invoke(app, ["reproduce", *map(str, arguments)])


def test_figure_from_dry_run_to_page(run: Run, tmp_path: Path) -> None:
    folder = Path("results/paper-quick")
    forecast = json.loads(run("fig12", "--quick", "--dry-run", "--json").stdout)
    # Three environments, two readings of H; two seeds of ddpqn, and annealing and chain-exact beside it.
    assert (forecast["runs"], forecast["to_run"]) == (24, 24)
    assert not folder.exists()
    longer = json.loads(run("fig12", "--quick", "--dry-run", "--time-limit", 60, "--json").stdout)
    assert longer == json.loads(run("fig12", "--quick", "--dry-run", "--seconds", 60, "--json").stdout)  # its old name
    assert longer["at_most_s"] - forecast["at_most_s"] == 24 * 30 / forecast["jobs"]

    made = run("fig12", "--quick", "--jobs", 1, "--report", "--json")
    assert made.exit_code == 0, made.output + made.stderr
    told = json.loads(made.stdout)
    (figure,) = told["figures"]
    assert (figure["figure"], figure["runs"], figure["missing"]) == ("fig12", 24, 0)
    missed = {(one["reading"], one["solver"]): one["median"] for one in figure["missed_improvement"]}
    assert set(missed) == {
        (reading, solver) for reading in ("printed", "benefits") for solver in ("annealing", "ddpqn")
    }
    assert min(missed.values()) >= 0
    by_id = {one["id"]: one for one in told["claims"]}
    assert set(by_id["fig12-delay-best"]["verdicts"]) == {"printed", "benefits"}
    assert {one["runs"] for one in by_id["fig12-delay-best"]["observations"]} == {6}
    drawn = pd.read_csv(folder / "data" / "fig12.csv")
    assert {"L-E-C", "L-E", "L-C, proven optimum", "L-C, best metaheuristic"} <= set(drawn["series"])
    assert (folder / "figures" / "fig12.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / "figures" / "fig12.png").read_bytes().startswith(b"\x89PNG")

    # What is drawn are the runs: the optimum's delay is that of the run that proved it.
    store = Store(folder)
    proofs = [row for row in store.rows() if row.status == "optimal" and row.job.instance == "alexnet e5-c0"]
    wanted = drawn[(drawn["panel"] == "delay_s-printed-environment") & (drawn["series"] == "L-E, proven optimum")]
    assert wanted["y"].tolist() == pytest.approx([proofs[0].indicators["delay_s"]])

    layers = pd.read_csv(folder / "data" / "fig8.csv").query("panel == 'layers-alexnet-printed'")
    of_optimum = layers[layers["series"] == "A-B-X, proven optimum"]
    (proof,) = (row for row in store.rows() if row.status == "optimal" and row.job.instance == "alexnet")
    assert of_optimum["x"].tolist() == [str(layer) for layer in range(1, 12)]
    assert of_optimum["y"].sum() == pytest.approx(proof.indicators["coordination"])

    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "offbench reproduce fig12 --quick" in page and "QUICK" in page
    text = (folder / "claims.md").read_text(encoding="utf-8")
    assert "| fig12-delay-best |" in text and "QUICK" in text and "| not run |" in text
    assert pd.read_csv(folder / "data" / "runs.csv")["key"].is_unique
    if CHROMIUM is not None:
        about = [claim for claim in claims() if claim.figure in experiments.FIGURES]
        seen = look(page, tmp_path, 1280, probe=PROBE)
        assert seen == {"errors": [], "charts": 22, "empty": [], "claims": len(about), "over": False, "hidden": []}
        phone = look(page, tmp_path, 500, "--blink-settings=preferredColorScheme=0", probe=PROBE)
        assert phone == seen


# Asks the page, after it has drawn, what it shows.
PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const charts = [...document.querySelectorAll("[data-figure]")];
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify({
    errors: window.__errors, charts: charts.length,
    empty: charts.filter((c) => !c.querySelector(".points path, .hm image")).map((c) => c.dataset.figure),
    claims: document.querySelectorAll("#table-claims tbody tr").length,
    over: document.documentElement.scrollWidth > innerWidth,
    // What hangs over the side, and can't be scrolled to.
    hidden: [...document.querySelectorAll("main p, main td, main h2, main figure")]
      .filter((e) => !e.closest(".scroll:not(.whole)") && e.getBoundingClientRect().right > innerWidth + 1)
      .map((e) => e.textContent.slice(0, 40)),
  });
  document.body.append(told);
}, 300));
</script>
"""


def test_goes_on_where_it_was_stopped_and_shares_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("elsewhere")
    put, kept = Store.put, []

    def until_the_fifth(self: Store, row: Any) -> None:
        put(self, row)
        kept.append(row.job.key)
        if len(kept) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(Store, "put", until_the_fifth)
    stopped = run("fig9", "--quick", "--output", folder)
    assert stopped.exit_code == 130 and "the same command goes on" in stopped.stderr
    monkeypatch.setattr(Store, "put", put)
    assert len(Store(folder).rows()) == 5
    again = run("fig9", "--quick", "--output", folder)
    assert again.exit_code == 0 and "27 runs made" in again.stdout and "5 were done before" in again.stdout
    assert "fig9-BX" in again.stdout
    # Figure 10 has no runs of its own.
    assert json.loads(run("fig10", "--quick", "--output", folder, "--dry-run", "--json").stdout)["to_run"] == 0


def test_fuller_results_are_left_alone(run: Run, made: Path) -> None:
    folder = Path("results/paper-quick")
    shutil.copytree(made, ".", dirs_exist_ok=True)
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "runs" not in path.parts}
    # In the folder, whose rows are there; and in a copy such as a repository keeps, without rows.
    copy = Path("copy")
    for path, content in kept.items():
        if path.parent.name in ("data", "figures") or path.name == "claims.md":
            (copy / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (copy / path.relative_to(folder)).write_bytes(content)
    for where in (folder, copy):
        before = {path: path.read_bytes() for path in where.rglob("*.csv")}
        less = run("fig12", "--quick", "--seeds", 1, "--output", where)
        assert less.exit_code == 2 and less.stdout == ""
        assert f"{where}: has fuller results than these: data/fig12.csv is of 24 runs, not 18" in less.stderr
        assert "--overwrite" in less.stderr
        assert {path: path.read_bytes() for path in where.rglob("*.csv")} == before
    assert not (copy / "plans").exists()  # nothing was run
    # The same again replaces itself, and says so.
    again = run("fig12", "--quick")
    assert again.exit_code == 0 and "of these it replaced data/fig12.csv, figures/fig12.p" in again.stderr
    told = run("fig12", "--quick", "--seeds", 1, "--overwrite")
    assert told.exit_code == 0, told.stderr
    assert (folder / "data" / "fig12.csv").read_bytes() != kept[folder / "data" / "fig12.csv"]


def test_report_of_few_runs_leaves_a_full_one_alone(run: Run, made: Path) -> None:
    """As in a fresh copy of the repository, which has the full set's files, and no rows."""
    folder = Path("results/paper-quick")
    shutil.copytree(made, ".", dirs_exist_ok=True)
    full = {path: path.read_bytes() for path in (folder / "data" / "fig12.csv", folder / RUNS, folder / "claims.md")}
    for path in (folder / "runs").iterdir():
        path.unlink()
    shutil.rmtree(folder / "plans")
    assert run("fig10", "--quick").exit_code == 0  # more runs of another figure, some of them fig12's
    refused = run("--report", "--quick")
    assert refused.exit_code == 2 and "data/fig12.csv is of 24 runs, not 8" in refused.stderr
    assert {path: path.read_bytes() for path in full} == full
    assert run("--report", "--quick", "--overwrite").exit_code == 0
    assert all(path.read_bytes() != content for path, content in full.items())


def test_folder_of_a_suite_is_not_the_reproductions(run: Run) -> None:
    Path("results/paper-full").mkdir(parents=True)
    Path("results/paper-full/suite.toml").write_text('name = "paper"', encoding="utf-8")
    for line in (("fig9",), ("--report",)):
        refused = run(*line)
        assert refused.exit_code == 2
        assert "results/paper-full: holds the runs of a suite (suite.toml); name another folder" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (("fig2",), ["figure: must be one of fig8, fig9, fig10, fig12, all, not 'fig2' (did you mean 'fig12'?)"]),
        ((), ["name one of fig8", "--report"]),
        (("--report",), ["results/paper-full: has no runs", "offbench reproduce all"]),
        (("fig9", "--seeds", "0"), ["--seeds: must be at least 1"]),
        (("fig9", "--time-limit", "0"), ["--time-limit: must be above 0"]),
        (("fig9", "--time-limit", "nan"), ["--time-limit: must be above 0"]),
        (("fig9", "--jobs", "0"), ["--jobs: must be at least 1"]),
        (("fig9", "--rerun", "all"), ["--rerun: must be 'failed'"]),
        (("--report", "--dry-run"), ["--dry-run: of which figure"]),
    ],
)
def test_mistake_is_told_in_one_line(arguments: tuple[str, ...], fragments: list[str], run: Run) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1 and "Traceback" not in result.stderr
    for fragment in fragments:
        assert fragment in result.stderr
