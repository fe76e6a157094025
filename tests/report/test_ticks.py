"""Logarithmic axes: every tick is written out, and says which power of ten it is."""

import re
from pathlib import Path

import numpy as np
import pytest

from offbench.report.static_figures import new
from offbench.report.ticks import in_digits, log_axis
from report.test_page import browser, folder, look, page

ROUND = re.compile(r"(0\.0*)?[125]0*")

__all__ = ["folder"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"), (0.05, "0.05"), (20000, "20000"), (0.0002, "0.0002"), (1e5, "$10^{5}$"), (2e-7, r"$2\cdot 10^{-7}$"),
        (5e6, r"$5\cdot 10^{6}$"), (0.30000000000000004, "0.3"),
    ],
)  # fmt: skip
def test_numbers_are_written_out(value: float, text: str) -> None:
    assert in_digits(value) == text


def test_shares_are_percent() -> None:
    assert [in_digits(value, percent=True) for value in (1, 0.05, 0.0001)] == ["100%", "5%", "0.01%"]


@pytest.mark.parametrize(("low", "high"), [(0.02, 3.0), (0.4, 300.0), (1e-3, 1e4), (0.3, 0.37), (8.2, 9.9)])
def test_axis_of_matplotlib(low: float, high: float) -> None:
    figure, axes = new(5, 3)
    axes.plot(np.geomspace(low, high, 5), np.arange(5))
    axes.set_xscale("log")
    log_axis(axes.xaxis)
    figure.draw_without_rendering()
    left, right = axes.get_xlim()
    ticks = {tick.get_text(): place for tick, place in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)}
    shown = {text: place for text, place in ticks.items() if left <= place <= right}
    assert len(shown) >= 2
    for text, place in shown.items():
        assert float(text) == pytest.approx(place)
        if high / low > 3:
            assert ROUND.fullmatch(text), shown


PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const told = document.createElement("pre");
  told.id = "told";
  const texts = (query) => [...document.querySelectorAll(query)].map((text) => text.textContent.trim());
  const ticks = (place, axis) => texts(`${place} .${axis}tick text`);
  told.textContent = JSON.stringify({
    time: ticks("#anytime", "x"), gap: ticks("#anytime", "y"), data: ticks("[data-figure=data]", "x"),
    delay: ticks("#scatter", "x"), marked: texts("#scatter .textpoint text"),
    lines: document.querySelectorAll("#scatter .shapelayer path").length,
  });
  document.body.append(told);
}, 300));
</script>
"""


@browser
@pytest.mark.parametrize("width", [1280, 500])
def test_page_writes_ticks_out_and_marks_the_device(folder: Path, tmp_path: Path, width: int) -> None:
    seen = look(page(folder), tmp_path, width, probe=PROBE)
    for axis in ("time", "gap", "data"):
        texts = [text.removesuffix("%") for text in seen[axis]]
        assert len(texts) >= 2 and all(map(ROUND.fullmatch, texts)), texts
        assert len(set(texts)) == len(texts)
    assert len(seen["delay"]) >= 2 and len(set(seen["delay"])) == len(seen["delay"])
    assert seen["marked"] == ["client-only"] and seen["lines"] == 2
