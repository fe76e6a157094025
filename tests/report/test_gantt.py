"""The Gantt chart in its three forms: nothing that runs is lost, inputs are seen on their way, layers have names."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Group
from rich.table import Table
from rich.text import Text

from offbench import P1, Placement, load, solve
from offbench.report.page import gantt_page
from offbench.report.palette import readable_on
from offbench.report.static_gantt import gantt_figure
from offbench.report.terminal import gantt_text
from offbench.runs.schedule import INPUTS, Schedule, schedule
from offbench.runs.whereabouts import server_letters
from report.test_page import browser, look


def drawn(name: str, solver: str = "greedy") -> Schedule:
    placement = solve(load(name), solver).placement
    assert placement is not None
    return schedule(load(name), placement)


@pytest.fixture(scope="module")
def thousand() -> Schedule:
    return drawn("resnet-x10")


@pytest.mark.parametrize("name", ["alexnet", "mixed-4", "phones", "tiny-graphs", "split", "camera"])
def test_last_input_is_the_one_that_is_waited_for(name: str) -> None:
    instance = load(name)
    problem = P1(instance)
    rng = np.random.default_rng(0)
    for _ in range(5):
        found = schedule(instance, Placement([int(rng.choice(np.flatnonzero(one))) for one in problem.allowed]))
        arrival = np.repeat([task.arrival_s for task in instance.tasks], [len(task.layers) for task in instance.tasks])
        when = np.where(found.sources >= 0, found.end[found.sources], arrival)
        assert when == pytest.approx(found.sent)
        # What took time came from another server.
        assert (found.senders != found.servers)[found.ready - found.sent > 1e-9].all()


def test_senders_by_hand() -> None:
    """AlexNet's first layer at the fourth server, its second at the fifth, all others where the second is."""
    found = schedule(load("alexnet"), Placement([3, 4, *[4] * 9]))
    assert found.sources.tolist() == [-1, *range(10)]
    assert found.senders.tolist() == [0, 3, *[4] * 9]
    assert found.drawn == [
        (3, INPUTS),
        (3, 0),
        (4, INPUTS),
        *[(4, slot) for slot in range(2) if (4, slot) in found.rows],
    ]


def cells(found: Schedule, columns: int) -> list[tuple[str, Text]]:
    """Return the labels and the lines of the terminal's chart."""
    group = gantt_text(found, columns)
    assert isinstance(group, Group)
    grid = group.renderables[0]
    assert isinstance(grid, Table)
    labels, lines = (list(column.cells) for column in grid.columns)
    return [(str(label), line) for label, line in zip(labels, lines, strict=True) if isinstance(line, Text)][:-1]


@pytest.mark.parametrize("columns", [60, 110, 200])
def test_terminal_has_a_cell_for_all_that_runs_or_comes(thousand: Schedule, columns: int) -> None:
    rows = dict(zip(thousand.drawn, cells(thousand, columns), strict=True))
    width = len(next(iter(rows.values()))[1])
    scale = width / thousand.end.max()
    letters = [letter for letter, _ in server_letters(thousand.instance)]
    for k, (server, slot) in enumerate(zip(thousand.servers.tolist(), thousand.slots.tolist(), strict=True)):
        at = min(int(thousand.start[k] * scale), width - 1)
        assert rows[server, slot][1].plain[at] in ("▏", letters[server])
        if thousand.ready[k] > thousand.sent[k]:
            label, line = rows[server, INPUTS]
            assert label.startswith("→ ") and line.plain[min(int(thousand.sent[k] * scale), width - 1)] in letters


def test_terminal_names_layers_and_senders() -> None:
    found = schedule(load("alexnet"), Placement([3, *[4] * 10]))
    (_, three), (_, _), (_, four), *_ = (rows := cells(found, 200))
    assert three.plain.strip() == "L" * len(three.plain.strip())  # the task's own input comes from the client
    assert set(four.plain.strip()) == {"3"}  # the first layer's from edge-3
    assert any("▏fc6 " in line.plain for _, line in rows)


def test_picture_shows_everything_and_says_what_it_is(thousand: Schedule) -> None:
    figure = gantt_figure(thousand, "many")
    (axes,) = figure.axes
    figure.draw_without_rendering()
    points = 72 / figure.dpi * axes.get_window_extent().width / np.ptp(axes.get_xlim())
    widths = [bar.get_width() * points for bar in axes.patches if bar.get_height() == pytest.approx(0.8)]
    assert len(widths) == len(thousand.servers) == 1360
    assert min(widths) > 0.8  # of a point
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    used = {thousand.instance.servers[s].name for s in thousand.servers.tolist()}
    assert used <= set(told) and any("on its way" in text for text in told)
    named = [text.get_text() for text in gantt_figure(drawn("phones"), "few").axes[0].texts]
    assert {"conv1", "conv5", "fc6"} <= set(named)


def test_ink_is_read_on_colours() -> None:
    assert (readable_on("#005F96"), readable_on("#9FD0F0")) == ("#ffffff", "#111111")


PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const all = (query) => [...document.querySelectorAll(query)];
  const wide = (trace) => [...trace.querySelectorAll("path")].map((bar) => bar.getBBox().width);
  const bars = () => all("#gantt .barlayer .trace").map(wide);
  const names = () => all("#gantt .bartext").map((text) => text.textContent);
  const press = (text) => all("#gantt-zoom button").find((button) => button.textContent === text).click();
  const arrows = () => document.getElementById("gantt").data.some((t) => t.mode === "lines+markers");
  const seen = { errors: window.__errors, runs: bars().at(-1).length, least: Math.min(...bars().flat()), names: names(),
    arrows: arrows(), view: gantted.view, over: document.documentElement.scrollWidth > innerWidth };
  for (let i = 0; i < 9; i++) press("+");
  press("◀");
  seen.near = { view: [...gantted.view], runs: bars().at(-1).length };
  const { start, end } = gantted.run, long = 0.4 * (end[700] - start[700]);
  view(start[700] - long, end[700] + long);
  Object.assign(seen.near, { names: names(), arrows: arrows() });
  press("whole");
  seen.back = gantted.view;
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify(seen);
  document.body.append(told);
}, 300));
</script>
"""


@browser
@pytest.mark.parametrize("width", [500])
def test_page_shows_a_thousand_executions_and_zooms(thousand: Schedule, tmp_path: Path, width: int) -> None:
    seen = look(gantt_page("many", thousand), tmp_path, width, probe=PROBE)
    assert seen["errors"] == [] and not seen["over"]
    assert seen["runs"] == 1360 and seen["least"] > 1.5  # pixels
    assert not seen["names"] and not seen["arrows"]  # there is no room for them
    near, (first, last) = seen["near"], seen["view"]
    assert near["view"][1] - near["view"][0] == pytest.approx((last - first) / 2**9)
    assert 0 < near["runs"] < 1360 and near["arrows"]
    assert {thousand.names[700], thousand.names[700].split(" / ")[1]} & set(near["names"])
    assert seen["back"] == [first, last]
