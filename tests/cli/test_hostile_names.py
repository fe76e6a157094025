"""Hostile names through every command: what is printed and written shows them, and obeys nothing in them."""

import io
import json
import re
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import cycle
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bench.stand_ins import MACHINE, job
from files.test_escaping import controls, one_line, rendered
from handmade import instance, layer, link, server, task
from hostile_names import NAMES, quoted
from report.test_page import browser, look
from typer.testing import CliRunner, Result

from offbench.bench.row import Row, row_of
from offbench.bench.store import Store
from offbench.cli import app
from offbench.errors import OffbenchError, OffbenchWarning
from offbench.files.escaping import file_names, shortened
from offbench.files.plain import plain

HOSTILE = list(NAMES.values())
HARMLESS = [f"name-{number:03d}" for number in range(len(HOSTILE))]
# Of instances; the others are of solvers, servers, tasks and layers.
ON = ("formula", "slash", "as without slash", "in capitals", "up", "long", "begins a comment", "OSC 8", "blank")
# Of solvers that ran everywhere, so that they are ranked.
COMPLETE = ("formula", "link to a script")
# Of a folder and a file: any bytes but / and NUL are allowed.
PLACE = "re\x1b]52;c;aGk=\x07 [bold] $\\frac{x$ <b>\x9b2J"


@dataclass
class Home:
    """A folder with an instance, a placement, a run's results and their folder, all of some names."""

    names: list[str]
    folder: Path
    facts: dict[str, Any]

    @property
    def instance(self) -> Path:
        return self.folder / "instance.json"

    @property
    def placement(self) -> Path:
        return self.folder / f"{self.place}.json"

    @property
    def place(self) -> str:
        return PLACE if self.names is HOSTILE else "results"

    @property
    def results(self) -> Path:
        return self.folder / self.place


def made(names: list[str], name: str, arrival_s: float = 0.0) -> dict[str, Any]:
    """Return an instance all of whose names are these; the first one's task isn't a chain."""
    servers = [server("client", "client", ghz=2, power=1)]
    servers += [server(of, kind, ghz=4, price=1) for of, kind in zip(names, cycle(("edge", "cloud")), strict=False)]
    chains = [task(of, layer(of, 1, 1), layer("last", 1, 1, (of,)), arrival_s=arrival_s) for of in names[1:]]
    graph = task(
        names[0], layer(names[0], 1), *(layer(of, 1, 1, (names[0],)) for of in names[1:9]),
        layer("join", 1, 0, tuple(names[1:9])),
    )  # fmt: skip
    graph["layers"][1]["allowed"] = ["client", *names[:20]]
    kinds = ("client", "edge", "cloud")
    links = [link(a, b, 2) for i, a in enumerate(kinds) for b in kinds[i if i else 1 :]]
    return instance(servers, links, [graph, *chains], name=name, source=names[3])


def home(names: list[str], folder: Path, keys: Collection[str] = NAMES) -> Home:
    """Fill a folder; the solvers have the names of these keys."""
    from offbench import solve
    from offbench.model.instance import parse

    at = dict(zip(NAMES, names, strict=True))
    here = Home(names, folder, made(names, at["script"]))
    here.instance.write_text(json.dumps(here.facts), encoding="utf-8")
    (folder / "few.json").write_text(json.dumps(_few(at, "script", 0)), encoding="utf-8")
    solution = solve(parse(here.facts), "greedy", time_limit=30, seed=0)
    assert solution.placement is not None
    here.placement.write_text(json.dumps(solution.placement.to_file(solution.instance)), encoding="utf-8")
    store = Store(here.results)
    rows = [_failed(at, name) for name in names[:12]]
    for number, on in enumerate(ON):
        facts = parse(_few(at, on, number))
        store.keep_instance(facts)
        found = solve(facts, "greedy", time_limit=30, seed=0).to_dict()
        for label in [at[key] for key in (keys if number == 0 else COMPLETE)]:
            machine = MACHINE | {"host": at["CSI"], "cpu": at["link"], "system": label}
            this = job(at[on], label, name=at["OSC 52"], instance_hash=facts.hash, parameters={"of": label})
            row = row_of(this, {"solution": found, "machine": machine}, 9)
            rows.append(row.model_copy(update={"curves": {label: ((0.0, 1.0), (1.0, 2.0))}} if number == 1 else {}))
    for row in rows:
        store.put(row)
    store.add_plan([row.job for row in rows])
    return here


def _few(at: dict[str, str], on: str, arrival_s: float) -> dict[str, Any]:
    return instance(
        [server("client", "client"), server(at["C1"], "edge", ghz=4, price=1)],
        [link("client", "edge", 2, power=1), link("edge", "edge", 2)],
        [task(of, layer(of, 1, 1), layer("last", 2, 1, (of,)), arrival_s=arrival_s) for of in list(at.values())[:4]],
        name=at[on],
    )


def _failed(at: dict[str, str], name: str) -> Row:
    this = job(at["slash"], f"{name} ", parameters={"of": name}, instance_hash=f"{len(name)}")
    return Row(job=this, status="error", message=f"{name}\x1b[2J\nforged", traceback=name)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Home]:
    """Return folders of hostile and of harmless names."""
    return home(HOSTILE, tmp_path_factory.mktemp("hostile")), home(HARMLESS, tmp_path_factory.mktemp("harmless"))


def run(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "20000"}).invoke(app, [str(argument) for argument in arguments])


PRINTED: dict[str, Callable[[Home], tuple[object, ...]]] = {
    "instance show": lambda home: ("instance", "show", home.instance, "--layers", "--modules"),
    "instance check": lambda home: ("instance", "check", home.instance),
    "solve": lambda home: ("solve", home.instance, "--solver", "greedy"),
    "evaluate": lambda home: ("evaluate", home.instance, home.placement),
    "bound": lambda home: ("bound", home.folder / "few.json", "--time-limit", 5),
    "show": lambda home: ("show", home.instance, home.placement),
    "status": lambda home: ("status", home.results),
    "table": lambda home: ("table", home.results),
    "table as markdown": lambda home: ("table", home.results, "--format", "markdown"),
    "table as latex": lambda home: ("table", home.results, "--format", "latex"),
    "table as csv": lambda home: ("table", home.results, "--format", "csv"),
}


@pytest.mark.parametrize("command", PRINTED)
def test_a_terminal_obeys_nothing(command: str, homes: tuple[Home, Home]) -> None:
    hostile, harmless = (run(*PRINTED[command](each)) for each in homes)
    assert (hostile.exit_code, harmless.exit_code) == (0, 0), hostile.output
    for text, other in ((hostile.stdout, harmless.stdout), (hostile.stderr, harmless.stderr)):
        assert not controls(text)
        if command != "table as csv":  # whose cells may have several lines
            assert text.count("\n") == other.count("\n")
    for name in HOSTILE if command == "instance show" else ():
        assert one_line(name) in hostile.stdout


@pytest.mark.parametrize("command", [name for name in PRINTED if name not in ("instance check", "show")])
def test_json_is_of_plain_characters(command: str, homes: tuple[Home, Home]) -> None:
    found = run(*(part for part in PRINTED[command](homes[0]) if part not in ("--format", "markdown")), "--json")
    if command.startswith("table as"):
        return  # --json is of the table
    assert found.exit_code == 0
    assert found.stdout.isascii() and not controls(found.stdout)
    text = str(json.loads(found.stdout))
    assert command in ("evaluate", "status") or NAMES["script"] in text or NAMES["formula"] in text


def test_errors_and_warnings_are_one_line_each(homes: tuple[Home, Home], capsys: pytest.CaptureFixture[str]) -> None:
    from offbench.cli.shared.errors import _warnings_in_one_line, say

    name = f"{PLACE}\nforged\u2028\x9b"
    placed = json.loads(homes[0].placement.read_text(encoding="utf-8"))
    placed["servers"][0][0] = name
    wrong = homes[0].folder / "wrong.json"
    wrong.write_text(json.dumps(placed), encoding="utf-8")
    for arguments in (
        ("solve", name), ("solve", "alexnet", "--solver", name), ("check", name), ("solvers", name), ("status", name),
        ("table", homes[0].results, "--only", name), ("table", homes[0].results, "--exclude", name),
        ("references", "show", name), ("evaluate", homes[0].instance, wrong), ("bench", name), (name,),
        ("reproduce", name), ("reproduce", "--report", "--output", name), ("solve", "alexnet", "--seed", name),
        ("instance", "check", name), ("instance", "make", name), ("pareto", name, "--output", "x"),
    ):  # fmt: skip
        found = run(*arguments)
        assert found.exit_code == 2, arguments
        assert not controls(found.output) and found.output.count("\n") == 1, arguments
    capsys.readouterr()
    say(str(OffbenchError(name)))
    say(name)
    with warnings.catch_warnings(), _warnings_in_one_line():
        warnings.warn(name, OffbenchWarning, stacklevel=1)
    told = capsys.readouterr().err
    assert not controls(told) and told.count("\n") == 3


def test_a_progress_bar_obeys_nothing() -> None:
    from rich.console import Console

    from offbench.cli.shared.live_bar import LiveBar

    name = f"[red]{PLACE}\nforged :smile:"
    console = Console(file=io.StringIO(), width=500, color_system=None, markup=False, emoji=False, highlight=False)
    with LiveBar(name, console) as bar:
        bar.begin(name)
        bar.follow(lambda: (0.5, name))
        shown = list(bar.get_renderables())
        console.print(*shown)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert not controls(text)
    assert text.count(one_line(name)) >= 2


def test_what_a_check_finds_is_told_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    from offbench.cli.check import _summarise
    from offbench.runs.conformance import Verdict

    name = f"{PLACE}\nforged"
    _summarise(name, [Verdict(name, "failed", name, where=name)], "does not conform")
    text = capsys.readouterr().out
    assert not controls(text) and text.count("\n") == 3


def test_references_of_hostile_origin(tmp_path: Path) -> None:
    from offbench.evaluation.references import read_references, shipped_path

    data = json.loads(shipped_path().read_text(encoding="utf-8"))
    data["instances"]["alexnet"]["objective_from"]["by"] = PLACE
    file = tmp_path / f"{PLACE}.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    found_by = read_references(file).instances["alexnet"].objective_from
    assert found_by is not None and found_by.by == PLACE
    for verb in ("show", "check"):
        found = run("references", verb, "--file", file)
        assert found.exit_code == 0
        assert not controls(found.output) and one_line(PLACE) in found.output


def test_a_made_instance_on_stdout_is_the_same(homes: tuple[Home, Home]) -> None:
    small = {**homes[0].facts, "tasks": homes[0].facts["tasks"][1:2]}
    file = homes[0].folder / "network.json"
    file.write_text(json.dumps(small), encoding="utf-8")
    for name in HOSTILE:
        found = run("instance", "make", str(file), "--name", name)
        assert found.exit_code == 0 and not controls(found.stdout)
        assert json.loads(found.stdout)["name"] == name


def test_export_keeps_names_in_parquet_and_disarms_them_in_csv(homes: tuple[Home, Home], tmp_path: Path) -> None:
    for ending in ("parquet", "csv"):
        assert run("export", homes[0].results, "--output", tmp_path / f"runs.{ending}").exit_code == 0
    exact = pd.read_parquet(tmp_path / "runs.parquet")
    assert set(HOSTILE) <= set(exact["solver"])
    table = pd.read_csv(tmp_path / "runs.csv", keep_default_na=False, na_values=[""])
    texts: pd.DataFrame = table.select_dtypes("str")
    assert not texts.apply(lambda column: column.str.match("[=+\\-@\t\r]")).any(axis=None)
    assert texts["solver"].str.removeprefix("'").tolist() == [
        plain(name, lines=True).removeprefix("'") for name in exact["solver"]
    ]
    numbers = exact.select_dtypes("number").columns
    pd.testing.assert_frame_equal(table[numbers], exact[numbers], check_dtype=False)


def test_latex_and_markdown_have_the_same_rows(homes: tuple[Home, Home]) -> None:
    latex, other = (run("table", each.results, "--format", "latex").stdout for each in homes)

    def structure(text: str) -> list[tuple[int, bool, bool]]:
        """Return of each line how many cells it has, whether a row ends there, and whether it is a comment."""
        lines = [(line, re.sub(r"\\[&%]", "", line)) for line in text.splitlines()]
        return [
            (0, False, True) if line.strip().startswith("%") else (bare.count("&"), line.endswith(r"\\"), "%" in bare)
            for line, bare in lines
        ]

    assert structure(latex) == structure(other)
    inside = "".join(line for line in latex.splitlines() if not line.strip().startswith("%"))
    assert "\\input{" not in inside and "\\frac{" not in inside and "\\textbackslash{}input" in inside

    def kinds(text: str) -> list[str]:
        return [token.type for token in rendered(text)]

    hostile, harmless = (run("table", each.results, "--format", "markdown").stdout for each in homes)
    assert kinds(hostile) == kinds(harmless)


class Page(HTMLParser):
    """What a page is made of: its elements and their attributes, its texts, its data."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._in = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self._in = tag

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment", ()))

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        (self.scripts if self._in == "script" else self.texts).append(data)

    @property
    def data(self) -> Any:
        return json.loads(self.scripts[0])


@pytest.fixture(scope="module")
def pages(homes: tuple[Home, Home]) -> list[str]:
    found = []
    for each in homes:
        told = run("report", each.results, "--output", each.folder / "report.html")
        assert told.exit_code == 0, told.output
        assert not controls(told.output)
        found.append((each.folder / "report.html").read_text(encoding="utf-8"))
    return found


def test_no_element_of_the_report_comes_from_a_name(pages: list[str]) -> None:
    hostile, harmless = map(Page, pages)
    assert hostile.elements == harmless.elements
    assert len(hostile.scripts) == len(harmless.scripts) == 3
    assert hostile.scripts[1:] == harmless.scripts[1:]
    assert [each["name"] for each in hostile.data["solvers"]] == sorted(
        map(plain, [*HOSTILE, *(f"{name} " for name in HOSTILE[:12])]),
        key=lambda shown: [plain(name) for name in sorted([*HOSTILE, *(f"{n} " for n in HOSTILE[:12])])].index(shown),
    )
    assert {plain(name, lines=True) for name in HOSTILE} <= set(hostile.texts)
    assert not controls("".join(hostile.texts))


def test_no_element_of_a_shown_placement_comes_from_a_name(homes: tuple[Home, Home]) -> None:
    found = []
    for each in homes:
        file = each.folder / "gantt.html"
        assert run("show", each.instance, each.placement, "--output", file).exit_code == 0
        found.append(Page(file.read_text(encoding="utf-8")))
    hostile, harmless = found
    assert hostile.elements == harmless.elements
    assert "<" not in hostile.scripts[0]  # browsers begin a comment in a script that HTMLParser doesn't
    (told,) = hostile.data["instances"]
    assert [each["name"] for each in told["servers"]] == ["client", *map(plain, HOSTILE)]
    assert [each["name"] for each in told["tasks"]] == list(map(plain, HOSTILE))
    assert [each["layers"][0] for each in told["tasks"]] == list(map(plain, HOSTILE))


# What a page shows after its script has run; `hit` is what a script in a name sets.
PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const pick = document.getElementById("pick-instance");
  const runs = [...pick.options].map((_, i) => data.runs.filter((run) => run.instance === i).length);
  pick.selectedIndex = runs.indexOf(Math.max(...runs));
  pick.onchange();
  const texts = (query) => [...document.querySelectorAll(query)].map((each) => each.textContent);
  const seen = {
    errors: window.__errors, hit: String(window.hit),
    elements: [...document.querySelectorAll("main *")].map((each) => each.tagName + [...each.attributes]
      .filter((one) => /^(on|href|src|xlink)/.test(one.name)).map((one) => ` ${one.name}`)),
    ticks: texts("#gantt .ytick text"), strips: texts("#strips .strip span:first-child"),
    legend: texts("#scatter .legendtext"), instances: texts("#pick-instance option"), runs: texts("#pick-run option"),
    ranks: texts("[data-figure=ranks] .ytick text"), key: texts("#gantt-key span"),
    titles: [...document.querySelectorAll("#strips i")].map((each) => each.title),
  };
  const told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify(seen);
  document.body.append(told);
}, 300));
</script>
"""


@browser
def test_a_browser_shows_names_and_runs_none(pages: list[str], tmp_path: Path) -> None:
    hostile, harmless = (look(page, tmp_path, 1280, probe=PROBE) for page in pages)
    for seen in (hostile, harmless):
        assert (seen["errors"], seen["hit"]) == ([], "undefined")
        assert not any(re.search(r" (on|href|src|xlink)", element) for element in seen["elements"])
    for part in ("legend", "ticks", "strips", "runs", "instances", "ranks", "key", "titles"):
        assert len(hostile[part]) == len(harmless[part]) > 0, part
    assert set(map(squeezed, hostile["strips"])) == {squeezed(plain(name)) for name in HOSTILE}
    in_legend = {squeezed(shortened(one_line(name))) for name in HOSTILE} | {"everything on the device"}
    assert set(map(squeezed, hostile["legend"])) == in_legend
    ranked = {squeezed(shortened(one_line(NAMES[key]))) for key in COMPLETE}
    assert set(map(squeezed, hostile["ranks"])) == ranked
    assert "client" in hostile["ticks"]


def squeezed(text: str) -> str:
    """Return a text as SVG shows it: plotly trims blanks, and writes them as ones that don't break."""
    return " ".join(text.replace("\u00a0", " ").split())


@pytest.mark.filterwarnings("ignore:Glyph")
def test_figures_are_drawn_with_any_name(homes: tuple[Home, Home], tmp_path: Path) -> None:
    keys = (
        *COMPLETE,
        "begins a comment",
        "underscore first",
        "several formulas",
        "dollars",
        "long and wide",
        "NUL",
        "LF",
    )
    here = home(HOSTILE, tmp_path, keys)
    folder = tmp_path / "figures"
    told = run("report", here.results, "--figures", folder)
    assert told.exit_code == 0, told.output
    written = sorted(path.name for path in folder.iterdir())
    assert f"wrote {len(written)} files" in told.stderr
    assert sum(name.startswith("anytime-") for name in written) == 2 * len(ON)
    assert sum(name.startswith("learning-") for name in written) == 2 * 2
    assert all(path.stat().st_size > 1000 for path in folder.iterdir())
    for ending in ("png", "pdf", "svg"):
        file = homes[0].folder / f"gantt.{ending}"
        assert run("show", homes[0].instance, homes[0].placement, "--output", file).exit_code == 0
        assert file.stat().st_size > 1000


@pytest.mark.filterwarnings("ignore:Glyph", "ignore:constrained_layout")  # there are too many
def test_ranks_of_any_name_are_drawn(tmp_path: Path) -> None:
    import matplotlib.pyplot as plt

    from offbench.bench.statistics.tests import Ranking
    from offbench.report.figures import critical_difference
    from offbench.report.palette import styles
    from offbench.report.static_figures import ranks_figure

    ranks = {name: 1.0 + number for number, name in enumerate(HOSTILE)}
    ranking = Ranking(ranks, 5, 1.0, 0.5, 3.0)
    figure = ranks_figure(ranking, styles(HOSTILE))
    figure.savefig(tmp_path / "ranks.png")
    assert [label.get_text().replace(r"\$", "$").strip() for label in figure.axes[0].get_yticklabels()] == [
        shortened(one_line(name)).strip() for name in HOSTILE
    ]
    plt.close(figure)
    drawn = critical_difference(ranking, styles(HOSTILE))
    shown = json.dumps([drawn["layout"]["yaxis"], [{**trace, "hovertemplate": ""} for trace in drawn["data"]]])
    assert "<" not in shown


def test_charts_are_called_differently() -> None:
    assert len(set(file_names(f"anytime-{name}" for name in HOSTILE))) == len(HOSTILE)


SOLVER = """
from offbench import Solver

class Mine(Solver):
    "Everything on one server."
    name = {name!r}
    def solve(self, problem, search):
        search.propose(problem.everything_on(0))
"""


def test_a_front_stays_in_its_folder(homes: tuple[Home, Home], tmp_path: Path) -> None:
    names = [NAMES[key] for key in ("up", "slash", "as without slash", "script", "LF", "long", "formula of a sheet")]
    options = []
    for number, name in enumerate(names):
        file = tmp_path / f"solver{number}.py"
        file.write_text(SOLVER.format(name=name), encoding="utf-8")
        options += ["--solver", file]
    network = homes[0].folder / "small.json"
    small = made(HOSTILE[:9], PLACE)
    network.write_text(json.dumps(small), encoding="utf-8")
    folder = tmp_path / PLACE
    before = set(tmp_path.rglob("*"))
    told = run("pareto", network, "--output", folder, "--time-limit", 1, "--points", 2, *options)
    assert told.exit_code == 0, told.output
    assert not controls(told.output)
    assert all(folder in path.parents or path == folder for path in set(tmp_path.rglob("*.json")) - before)
    front = pd.read_csv(folder / "front.csv")
    assert len(set(front["placement"])) == len(front) == len(list((folder / "placements").iterdir()))
    assert all((folder / file).is_file() for file in front["placement"])
    assert front["by"].tolist()[-1] == f"'{names[-1]}"
    page = Page((folder / "front.html").read_text(encoding="utf-8"))
    assert {tag for tag, _ in page.elements} <= {
        "html",
        "head",
        "meta",
        "title",
        "body",
        "h1",
        "p",
        "div",
        "script",
        "style",
    }
    assert "window.hit=1</script>" not in (folder / "front.html").read_text(encoding="utf-8")


def test_a_suite_of_hostile_names_is_run_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.stand_ins import here

    from offbench.bench import runner

    monkeypatch.setattr(runner, "workers", here)

    (tmp_path / "i.json").write_text(json.dumps(made(HOSTILE[:9], PLACE)), encoding="utf-8")
    solvers = ", ".join(f'{{name = "greedy", label = {quoted(name)}}}' for name in HOSTILE[::8])
    suite = f'name = "wild"\ndescription = {quoted(PLACE)}\ninstances = ["i.json"]\nsolvers = [{solvers}]\n'
    (tmp_path / f"{PLACE}.toml").write_text(f"{suite}time_limit_s = 20\n", encoding="utf-8")
    for more in (("--dry-run",), ()):
        told = run("bench", tmp_path / f"{PLACE}.toml", "--output", tmp_path / PLACE, *more)
        assert told.exit_code == 0, told.output
        assert not controls(told.output) and told.stdout.count("\n") == 1
    assert len(list((tmp_path / PLACE / "runs").iterdir())) == 1  # labels decide nothing


def test_a_solution_in_a_notebook_and_in_python(homes: tuple[Home, Home]) -> None:
    from offbench import solve
    from offbench.model.instance import parse

    hostile, harmless = (solve(parse(each.facts), "greedy", time_limit=30) for each in homes)
    assert not controls(str(hostile))
    pages = Page(hostile._repr_html_()), Page(harmless._repr_html_())
    assert {tag for tag, _ in pages[0].elements} == {tag for tag, _ in pages[1].elements}
    assert not controls("".join(pages[0].texts))
