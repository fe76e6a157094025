"""The report as people see it: in a real browser, wide and narrow, light and dark."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from bench.stand_ins import here
from typer.testing import CliRunner

from offbench.bench import runner
from offbench.cli import app

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")

SUITE = """
name = "seen"
instances = ["tiny-chains", "alexnet"]
solvers = ["client-only", "greedy", "random", "nobody", "./learner.py"]
seeds = 2
time_limit_s = 60
max_evaluations = 200
"""
LEARNER = """
from offbench import Solver

class Learner(Solver):
    "Has a name that HTML would stumble over."
    name = "</script><b>"
    def solve(self, problem, search):
        search.propose(problem.everything_on(1))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of results and its report."""
    home = tmp_path_factory.mktemp("report")
    (home / "seen.toml").write_text(SUITE, encoding="utf-8")
    (home / "learner.py").write_text(LEARNER, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "workers", here)
        made = CliRunner().invoke(app, ["bench", str(home / "seen.toml"), "--output", str(home / "seen")])
        assert made.exit_code == 0, made.output + made.stderr
    told = CliRunner().invoke(app, ["report", str(home / "seen"), "--figures", str(home / "figures")])
    assert told.exit_code == 0, told.output + told.stderr
    return home / "seen"


def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def test_page_needs_nothing_from_elsewhere(folder: Path) -> None:
    class Links(HTMLParser):
        found: list[str | None] = []  # noqa: RUF012

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag in ("script", "link", "img", "iframe"):
                self.found += [value for name, value in attrs if name in ("src", "href")]

    parser = Links()
    parser.feed(page(folder))
    assert parser.found == []


def test_figures_for_papers_are_written(folder: Path) -> None:
    figures = folder.parent / "figures"
    for name in ("performance", "data", "attainment", "anytime-alexnet", "ranks"):
        assert (figures / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert (figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")


# Asks the page, after it has drawn, what it shows; errors are caught from the first moment.
PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const all = (query) => [...document.querySelectorAll(query)];
  const style = getComputedStyle(document.body);
  const seen = {
    errors: window.__errors, strips: all("#strips i").length, rows: all("#table-gaps tbody tr").length,
    wide: document.documentElement.scrollWidth, view: innerWidth,
    ground: style.backgroundColor, ink: style.color, text: getComputedStyle(all(".xtick text")[0]).fill,
    marks: Object.fromEntries(
      ["#anytime", "#scatter", "#gantt", ...["ranks", "performance", "data"].map((name) => `[data-figure=${name}]`)]
        .map((place) => [place, all(`${place} .trace path`).length])),
  };
  const heads = all("#table-gaps th");
  const head = heads.findIndex((th) => th.textContent === "solver");
  const column = () => all("#table-gaps tbody tr:not([hidden])").map((row) => row.cells[head].textContent);
  heads[head].click();
  seen.up = column();
  heads[head].click();
  seen.down = column();
  const box = document.querySelector("[data-filter=gaps]");
  box.value = "greedy alex";
  box.oninput();
  seen.filtered = column();
  const pick = document.getElementById("pick-instance");
  pick.selectedIndex = [...pick.options].findIndex((option) => option.text === "tiny-chains");
  document.getElementById("pick-instance").onchange();
  seen.otherStrips = all("#strips i").length;
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify(seen);
  document.body.append(told);
}, 300));
</script>
"""
CATCH = """<script>
window.__errors = [];
addEventListener("error", (event) => window.__errors.push(String(event.message)));
const before = console.error;
console.error = (...parts) => { window.__errors.push(parts.join(" ")); before(...parts); };
</script>"""


def look(html: str, folder: Path, width: int, *options: str, probe: str = PROBE) -> Any:
    """Open a page in Chromium and return what the probe tells."""
    probed = folder / "probed.html"
    probed.write_text(
        html.replace("<head>", "<head>" + CATCH, 1).replace("</body>", probe + "</body>"), encoding="utf-8"
    )
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},900",
         "--virtual-time-budget=20000", *options, "--dump-dom", f"file://{probed}"],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    (told,) = re.findall(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    return json.loads(told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))


@browser
@pytest.mark.parametrize(("width", "options"), [(1280, ()), (500, ("--blink-settings=preferredColorScheme=0",))])
def test_page_in_a_browser(width: int, options: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    seen = look(page(folder), tmp_path, width, *options)
    assert seen["errors"] == []
    assert all(count > 0 for count in seen["marks"].values()), seen["marks"]
    assert seen["strips"] == 11 * 4  # AlexNet's layers, for each solver that has a placement
    assert seen["otherStrips"] == 6 * 4
    assert seen["rows"] == 2 * 5
    assert seen["up"] == sorted(seen["up"], key=str.lower) and seen["down"] == seen["up"][::-1]
    assert seen["filtered"] == ["greedy"]
    assert seen["wide"] <= seen["view"]  # nothing hangs over the side
    ground, ink, text = (sum(map(int, re.findall(r"\d+", seen[name])[:3])) for name in ("ground", "ink", "text"))
    assert abs(ground - ink) > 400 and abs(ground - text) > 400
    assert (ground < ink) == bool(options)


def test_show_draws_a_placement_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, list(arguments))

    assert run("solve", "--solver", "greedy", "--output", "p.json", "alexnet").exit_code == 0
    shown = run("show", "p.json")
    assert shown.exit_code == 0, shown.stderr
    assert "edge-5" in shown.stdout and "Q 0.2116" in shown.stdout
    assert "'alexnet'" in shown.stderr
    for ending, start in ((".png", b"\x89PNG"), (".pdf", b"%PDF"), (".html", b"<!doctype html>")):
        assert run("show", "alexnet", "p.json", "--output", f"gantt{ending}").exit_code == 0
        assert Path(f"gantt{ending}").read_bytes().startswith(start)
    row = next(path for path in (folder / "runs").glob("*.json") if '"greedy"' in path.read_text(encoding="utf-8"))
    assert "Q " in run("show", str(row)).stdout
    assert run("show", "tiny-chains", "p.json").exit_code == 2
    assert run("show", "p.json", "--output", "gantt.gif").exit_code == 2
    Path("short.json").write_text('{"servers": [["client"]]}', encoding="utf-8")
    assert "fits no shipped one" in run("show", "short.json").stderr
