"""`offbench reproduce` from start to page, with small runs in this process."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bench.stand_ins import here
from typer.testing import CliRunner, Result

from offbench.bench import runner
from offbench.bench.store import Store
from offbench.bench.suite import Suite
from offbench.cli import app
from offbench.paper import experiments
from offbench.paper.experiments import Experiment, Scope

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
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "workers", here)
    monkeypatch.setattr(experiments, "QUICK", TINY)
    suites = Experiment.suites

    def few(self: Experiment, scope: Scope) -> list[Suite]:
        return [suite.model_copy(update={"max_evaluations": 300}) for suite in suites(self, scope)]

    monkeypatch.setattr(Experiment, "suites", few)
    return lambda *arguments: CliRunner().invoke(app, ["reproduce", *map(str, arguments)])


def test_figure_from_dry_run_to_page(run: Run) -> None:
    folder = Path("results/paper-quick")
    forecast = json.loads(run("fig12", "--quick", "--dry-run", "--json").stdout)
    # Three environments, two readings of H; two seeds of ddpqn, and annealing and chain-exact beside it.
    assert (forecast["runs"], forecast["to_run"]) == (24, 24)
    assert not folder.exists()

    made = run("fig12", "--quick", "--jobs", 1)
    assert made.exit_code == 0, made.output + made.stderr
    assert "24 runs made" in made.stdout and "fig12-delay-best" in made.stdout
    drawn = pd.read_csv(folder / "data" / "fig12.csv")
    assert {"L-E-C", "L-E", "L-C, proven optimum", "L-C, best metaheuristic"} <= set(drawn["series"])
    assert (folder / "figures" / "fig12.pdf").read_bytes().startswith(b"%PDF")
    assert (folder / "figures" / "fig12.png").read_bytes().startswith(b"\x89PNG")

    # What is drawn are the runs: the optimum's delay is that of the run that proved it.
    store = Store(folder)
    proofs = [row for row in store.rows() if row.status == "optimal" and row.job.instance == "alexnet e5-c0"]
    wanted = drawn[(drawn["panel"] == "delay_s-printed-environment") & (drawn["series"] == "L-E, proven optimum")]
    assert wanted["y"].tolist() == pytest.approx([proofs[0].indicators["delay_s"]])

    told = json.loads(run("--report", "--quick", "--json").stdout)
    assert {one["figure"]: one["missing"] for one in told["figures"]}["fig12"] == 0
    by_id = {one["id"]: one for one in told["claims"]}
    assert by_id["fig12-delay-best"]["verdict"] != "not run" and by_id["fig6-delay"]["verdict"] == "not run"
    assert set(by_id["fig12-delay-best"]["verdicts"]) == {"printed", "benefits"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "offbench reproduce fig12 --quick" in page and "QUICK" in page
    assert "| fig12-delay-best |" in (folder / "claims.md").read_text(encoding="utf-8")
    assert "QUICK" in (folder / "claims.md").read_text(encoding="utf-8")
    assert pd.read_csv(folder / "data" / "runs.csv")["key"].is_unique


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
    # Figure 10 has no runs of its own.
    assert json.loads(run("fig10", "--quick", "--output", folder, "--dry-run", "--json").stdout)["to_run"] == 0


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (("fig2",), ["figure: must be one of fig3, fig4", "fig13 or all, not 'fig2'"]),
        ((), ["name one of fig3", "--report"]),
        (("--report",), ["results/paper: has no runs", "offbench reproduce all"]),
        (("fig3", "--seeds", "0"), ["--seeds: must be at least 1"]),
        (("fig3", "--jobs", "0"), ["--jobs: must be at least 1"]),
        (("fig3", "--rerun", "all"), ["--rerun: must be 'failed'"]),
        (("--report", "--dry-run"), ["--dry-run: of which figure"]),
    ],
)
def test_mistake_is_told_in_one_line(arguments: tuple[str, ...], fragments: list[str], run: Run) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1 and "Traceback" not in result.stderr
    for fragment in fragments:
        assert fragment in result.stderr
