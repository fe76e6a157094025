"""Hostile names through every output of the command line: shown as they are, and nothing in them obeyed."""

import csv
import io
import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from handmade import instance, layer, link, server, task
from hostile_names import NAMES, quoted
from typer.testing import CliRunner

from attacks.attack import Attack
from offbench.cli import app

CONTROL = {"Cc", "Cf", "Cs", "Zl", "Zp"}
HARMLESS = set("\n\t\u200c\u200d\xad")
LIVE = {"script", "style", "link", "meta", "iframe", "object", "embed", "img", "a", "h1", "title", "base", "form"}
LAYERS = 12
PAGES = ("show.html", "report.html", "advice.html", "front/front.html")


def test_outputs_obey_no_name(tmp_path: Path, attack: Attack, monkeypatch: pytest.MonkeyPatch) -> None:
    if attack.rounds == 1:
        pytest.skip("in the long attack")  # each name by itself is tested elsewhere

    def pages(folder: Path, names: Sequence[str]) -> dict[str, Page]:
        folder.mkdir()
        monkeypatch.chdir(folder)
        return _pages(names)

    plain = pages(tmp_path / "plain", [f"plain-{k}" for k in range(LAYERS + 4)])
    for round_ in range(4 * attack.rounds):
        names = [str(name) for name in attack.rng.choice(list(NAMES.values()), size=LAYERS + 4, replace=False)]
        for name, page in pages(tmp_path / str(round_), names).items():
            live = plain[name]
            assert {tag: page.tags[tag] for tag in LIVE} == {tag: live.tags[tag] for tag in LIVE}, (name, names)
            assert page.links == live.links, (name, names)
            assert not page.handlers, (name, names)
        attack.count("hostile names", len(names))


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.links: set[str] = set()
        self.handlers: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attrs:
            if name in ("href", "src", "action") and not (value or "").startswith("#"):
                self.links.add(value or "")
            if name.startswith("on"):
                self.handlers.add(name)


def _pages(names: Sequence[str]) -> dict[str, Page]:
    """Take names through every command, in the current folder, and return the pages."""
    title, label, client, remote, *layers = names
    chain = [layer(name, 1 + k, 0.5, inputs=tuple(layers[max(0, k - 1) : k])) for k, name in enumerate(layers)]
    made = instance(
        [server(client, "client", power=1), server(remote, "edge", ghz=4, price=1)],
        [link("client", "edge", 10, 0.1, 0.1)],
        [task(title, *chain, input_mb=1)],
        name=title,
    )
    Path("instance.json").write_text(json.dumps(made), encoding="utf-8")
    facts = {"operator": "convolution", "gflop": 1.0, "read_mb": 1.0, "written_mb": 1.0, "output_mb": 0.5}
    network = {
        "format": "offbench-network/1", "name": title, "source": label, "input_mb": 1.0,
        "layers": [{"name": name, "inputs": layers[max(0, k - 1) : k], **facts} for k, name in enumerate(layers)],
    }  # fmt: skip
    Path("network.json").write_text(json.dumps(network), encoding="utf-8")
    Path("suite.toml").write_text(
        'name = "names"\ninstances = ["./instance.json"]\ntime_limit_s = 30\n'
        f'solvers = ["greedy", {{name = "random", label = {quoted(label)}, seeds = [0, 1]}}]\n'
        "max_evaluations = 50\n",
        encoding="utf-8",
    )
    for line in (
        ("instance", "check", "instance.json"),
        ("instance", "show", "instance.json"),
        ("solve", "--solver", "greedy", "instance.json", "--output", "placement.json"),
        ("show", "instance.json", "placement.json"),
        ("show", "instance.json", "placement.json", "--output", "show.html"),
        ("network", "check", "network.json"),
        ("network", "show", "network.json"),
        ("instance", "make", "--network", "network.json", "--client", "raspberry-pi-5", "--edge", "jetson-orin-nano"),
        ("advise", "instance.json", "--time-limit", "3", "--draws", "2", "--output", "advice.html"),
        ("pareto", "instance.json", "--time-limit", "1", "--solver", "greedy", "--points", "3", "--output", "front"),
        ("bench", "suite.toml", "--output", "results"),
        ("status", "results"),
        ("table", "results"),
        ("table", "results", "--format", "markdown"),
        ("table", "results", "--format", "latex"),
        ("export", "results", "--output", "runs.csv"),
        ("report", "results", "--output", "report.html"),
    ):
        done = CliRunner().invoke(app, line)
        assert done.exit_code == 0, (line, names, done.stderr, done.exception)
        seen = done.stdout + done.stderr
        obeyed = {c for c in seen if c not in HARMLESS and unicodedata.category(c) in CONTROL}
        assert not obeyed, (line, names, obeyed)
    table = list(csv.reader(io.StringIO(Path("runs.csv").read_text(encoding="utf-8"))))
    assert len(table) == 1 + 3 and len({len(row) for row in table}) == 1
    return {name: Page(Path(name).read_text(encoding="utf-8")) for name in PAGES}
