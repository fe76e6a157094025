"""The page of an advice: lanes by hand, curves against the evaluator, names that are no markup, numbers as in words."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from offbench import P1, Placement, evaluate, load, with_objective
from offbench.cli import app
from offbench.model.instance import Instance
from offbench.model.variations import VARIATIONS, with_scales
from offbench.report.advice import advice_page
from offbench.report.advice_curves import curve_figure, regret_figure
from offbench.report.advice_network import drawings, lanes
from offbench.runs.advice.advice import Advice, advise


@pytest.fixture(scope="module")
def advice() -> Advice:
    return advise("alexnet", objective="latency", time_limit=12, draws=12)


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def test_branches_have_lanes_and_chains_have_one() -> None:
    problem = P1(load("googlenet"))
    columns = lanes(problem, 0)
    depth = {k: d for d, column in enumerate(columns) for k in column if k is not None}
    assert sorted(depth) == list(range(problem.n_subtasks))  # each layer once
    lane = {k: j for column in columns for j, k in enumerate(column) if k is not None}
    for k in depth:
        assert all(depth[source] < depth[k] for source in problem.sources_of(k) if source < problem.n_subtasks)
    # Inception's first module: four branches of 1, 2, 2 and 2 layers, that come together in the first lane.
    names = [layer.name for layer in problem.instance.tasks[0].layers]
    first = columns[depth[names.index("inception_conv_3a1/1x1_s1")]]
    assert [names[k] for k in first if k is not None] == [
        "inception_conv_3a1/1x1_s1", "inception_conv_3a2/1x1_s1", "inception_conv_3a3/1x1_s1",
        "inception_pool_3a4/3x3_s1",
    ]  # fmt: skip
    assert [lane[names.index(f"inception_conv_3a{n}")] for n in ("2/3x3_s1", "3/5x5_s1", "4/1x1_s1")] == [1, 2, 3]
    assert lane[names.index("inception_3a/DepthConcat")] == 0
    assert {len(column) for column in lanes(P1(load("alexnet")), 0)} == {1}


def test_transfers_are_drawn_where_they_are() -> None:
    problem = P1(load("alexnet"))
    servers = problem.everything_on(0)
    servers[3:] = 5
    placement = Placement(servers)
    (drawn,) = drawings(problem, placement, evaluate(problem, placement))
    arrivals = [column.arrival for column in drawn.columns]
    assert [k for k, arrival in enumerate(arrivals) if arrival is not None] == [3]
    mb = problem.instance.tasks[0].layers[2].output_mb
    assert arrivals[3] is not None and arrivals[3].size == f"{mb:.3g} MB" and arrivals[3].to == "edge-5"
    assert [cell.server for cell in drawn.cells] == ["client"] * 3 + ["edge-5"] * 8


@pytest.mark.parametrize("name", list(VARIATIONS))
def test_curves_are_what_the_evaluator_says(advice: Advice, name: str) -> None:
    figure = curve_figure(advice, name)
    lines = {trace["name"]: trace for trace in figure["data"] if "name" in trace}
    best, mine, device = (lines[key] for key in ("the best cut", "the recommended cut", "everything on the device"))
    for a, b, c in zip(best["y"], mine["y"], device["y"], strict=True):
        assert a <= min(b, c) * (1 + 1e-9)
    base = advice.curves[name].variation.base
    today = figure["data"][0]["x"][0]
    k = best["x"].index(today)
    assert mine["y"][k] == pytest.approx(evaluate(P1(advice.instance), advice.placement).delay_s)
    assert best["y"][k] == pytest.approx(mine["y"][k])  # today it is the best one
    assert (today == base) == (name != "round-trip" or base == 0)
    # What is solved at each point is what is drawn there.
    for point in advice.curves[name].points:
        assert min(abs(y - point.evaluation.delay_s) for y in best["y"]) <= 1e-9 * point.evaluation.delay_s
    (marks,) = [trace for trace in figure["data"] if trace["mode"] == "markers"] or [{"x": []}]
    assert len(marks["x"]) == len(advice.curves[name].changes)


def test_page_says_what_the_advice_does_and_opens_alone(advice: Advice) -> None:
    page = advice_page(advice)
    figures = data_of(page)["figures"]
    assert set(advice.curves) <= set(figures) and all(f'data-figure="{name}"' in page for name in figures)
    assert "that is proven" in page and "everything on the device" in page and "If the numbers are off" in page
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="http', page)
    histogram = regret_figure(advice)
    assert advice.regret is not None
    if histogram is not None:
        assert sum(histogram["data"][0]["y"]) == advice.regret.draws


def test_names_are_no_markup() -> None:
    hostile = "<script>alert(1)</script>"
    text = json.loads(load("alexnet").to_text())
    text["name"] = text["tasks"][0]["name"] = text["tasks"][0]["layers"][-1]["name"] = hostile
    text["servers"][5]["name"] = hostile
    text["links"] = json.loads(json.dumps(text["links"]).replace('"edge-5"', json.dumps(hostile)))
    made = with_objective(Instance.model_validate(text), "latency")
    page = advice_page(advise(with_scales(made, P1(made).scales), time_limit=4, draws=2))
    assert hostile not in page and "&lt;script&gt;alert(1)" in page


def test_command_writes_the_page(tmp_path: Path) -> None:
    target = tmp_path / "advice.html"
    command = ["advise", "alexnet", "--objective", "latency", "--time-limit", "8", "--draws", "2", "--quiet"]
    result = CliRunner().invoke(app, [*command, "--output", str(target), "--spread", "rate=3"])
    assert result.exit_code == 0, result.stderr
    assert "up to 3 (rates)" in result.stdout and "up to 3 (rates)" in target.read_text(encoding="utf-8")
    for wrong in (["--output", "-", "--json"], ["--spread", "rate"], ["--ranges", str(tmp_path / "none.json")]):
        refused = CliRunner().invoke(app, [*command, *wrong])
        assert refused.exit_code == 2 and refused.stderr.count("\n") == 1
