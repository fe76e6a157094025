"""Every section that an output names is one of a page that is there, or says of which paper it is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import HOME
from typer.main import get_command
from typer.testing import CliRunner

from offbench.cli import app
from offbench.model.instance import load, shipped
from offbench.search.registry import catalogue

SECTION = re.compile(r"(?<![\w</])(?:(?P<page>[\w/]+\.md),? )?sections? (?P<number>\d+)(?:\.\d+)*", re.IGNORECASE)
# What says that the section is one of a paper.
OF_A_PAPER = re.compile(r"(?:\b(?:the paper's|its|their)|\bpaper,)\s$", re.IGNORECASE)


def faults(text: str) -> list[str]:
    """Return what a text refers to that isn't there."""
    plain = re.sub(r"[\s│┃╭╰|]+", " ", text)  # a table's cells and a terminal's lines break references
    found = []
    for match in SECTION.finditer(plain):
        page = HOME / match["page"] if match["page"] else None
        if page is None:
            there = bool(OF_A_PAPER.search(plain[: match.start()]))
        else:
            there = page.is_file() and f"\n## {match['number']}. " in page.read_text(encoding="utf-8")
        if not there:
            found.append(plain[max(0, match.start() - 30) : match.end() + 20])
    return found


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("gaps (docs/model.md, section 9)", 0),
        ("gaps (docs/model.md,\n  section 9)", 0),
        ("the paper's section 5.1, and its section 4.1.3", 0),
        ("gaps (MODEL.md section 9)", 1),
        ("gaps (docs/model.md, section 99)", 1),
        ("gaps (section 9)", 1),
        ("<section id=3>", 0),
    ],
)
def test_what_is_no_page_is_found(text: str, count: int) -> None:
    assert len(faults(text)) == count


def _written() -> Iterator[tuple[str, str]]:
    """Yield the texts in the code that aren't docstrings, by where they stand; the whole of templates and scripts."""
    for folder in ("offbench", "solvers"):
        for path in sorted((HOME / folder).rglob("*")):
            if path.suffix in (".html", ".js") and "instances" not in path.parts:
                yield str(path), re.sub(r"\{\{[^}]*\}\}", "0", path.read_text(encoding="utf-8"))
            if path.suffix == ".py":
                yield from _texts(path)


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    told = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else "0" for part in node.values)
            yield f"{path}:{node.lineno}", "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in told:
            yield f"{path}:{node.lineno}", node.value


def test_texts_in_the_code() -> None:
    found = {where: bad for where, text in _written() if (bad := faults(text))}
    assert not found


def test_outputs_that_come_of_docstrings() -> None:
    commands: list[tuple[str, ...]] = [("schema",), ("solvers",), *(("solvers", name) for name in catalogue())]
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", {})
        commands += [(name, "--help"), *((name, each, "--help") for each in inner)]
    for command in commands:
        done = CliRunner().invoke(app, list(command))
        assert done.exit_code == 0, (command, done.output)
        assert not faults(done.output), command


def test_shipped_instances() -> None:
    assert not {name: bad for name in shipped() if (bad := faults(load(name).source or ""))}
