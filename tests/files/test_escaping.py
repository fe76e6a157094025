"""Each kind of output shows a hostile name as it is, and obeys nothing in it."""

import csv
import html
import io
import json
import re
import unicodedata
from pathlib import Path

import pytest
from hostile_names import NAMES
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from offbench.files.escaping import (
    file_names,
    in_csv,
    in_json,
    in_latex,
    in_markdown,
    in_matplotlib,
    in_plotly,
    in_script,
    in_terminal,
    shortened,
)
from offbench.files.json import layout
from offbench.files.plain import plain

every_name = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())


def one_line(name: str) -> str:
    """Return what people should see of a name where there is room for a line."""
    return plain(name).replace("\t", " ")


def controls(text: str) -> set[str]:
    """Return the characters of a text that a terminal or a page obeys, but for tabs and line feeds."""
    kept = "\n\t\u200c\u200d\xad"
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c not in kept}


def drawn(*things: object) -> str:
    console = Console(file=io.StringIO(), width=2000, markup=False, emoji=False, highlight=False, color_system=None)
    for thing in things:
        console.print(in_terminal(thing))  # type: ignore[arg-type]
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@every_name
def test_a_terminal_shows_it_and_obeys_nothing(name: str) -> None:
    assert drawn(name) == f"{one_line(name)}\n"
    table, tree = Table(name, "head", title=name), Tree(name)
    table.add_row(name, Text(name, style="bold"))
    table.add_row("x", Group(name, Text("x")))
    tree.add(name).add(name)
    for thing, lines in ((table, 8), (tree, 3), (Group(name, Text(name)), 2)):
        shown = drawn(thing)
        assert not controls(shown)
        assert shown.count("\n") == lines
    rows = drawn(table).splitlines()
    assert len({Text(row).cell_len for row in rows[1:]}) == 1  # the frame stands upright


def test_styles_stay_where_they_were() -> None:
    text = Text.assemble(("\x1b[2J", "bold"), " on ", ("\u202ex", "red"), "\x9b")
    shown = in_terminal(text)
    assert isinstance(shown, Text)
    assert shown.plain == r"\x1b[2J on \u202ex\x9b"
    assert [(shown.plain[span.start : span.end], span.style) for span in shown.spans] == [
        (r"\x1b[2J", "bold"),
        (r"\u202ex", "red"),
    ]


def test_something_unknown_is_not_drawn_unseen() -> None:
    with pytest.raises(TypeError, match="int"):
        in_terminal(3)  # type: ignore[arg-type]


@every_name
def test_json_means_the_same_and_holds_nothing_to_obey(name: str) -> None:
    text = layout({"servers": [{"name": name, "of": [name]}], name: 1})
    assert json.loads(text) == {"servers": [{"name": name, "of": [name]}], name: 1}
    assert not controls(text)
    assert in_json('{"a": "模型"}') == '{"a": "模型"}'


@every_name
def test_a_script_element_holds_it(name: str) -> None:
    text = in_script({name: [name]})
    assert json.loads(text) == {name: [name]}
    assert text.isascii() and not set(text) & set("<>&\n")


def test_only_finite_numbers_are_in_a_script_element() -> None:
    with pytest.raises(ValueError, match="JSON"):
        in_script({"x": float("inf")})


@every_name
def test_plotly_shows_it(name: str) -> None:
    text = in_plotly(name)
    assert not set(text) & set("<>")
    assert html.unescape(text) == shortened(one_line(name))


@every_name
def test_matplotlib_shows_it(name: str) -> None:
    from matplotlib.cbook import is_math_text

    text = in_matplotlib(name)
    assert not is_math_text(text)
    assert not text.startswith("_")
    assert text.replace(r"\$", "$").removeprefix(" ") == shortened(one_line(name)).removeprefix(" ")


def test_what_is_too_long_goes_from_the_middle() -> None:
    assert shortened("abcdefgh", 8) == "abcdefgh"
    assert shortened("abcdefghi", 8) == "abcd…ghi"
    assert len(in_plotly("&" * 300)) == 59 * len("&amp;") + 1


# What LaTeX text may consist of, and what each of it prints.
LATEX = {
    r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textless{}": "<",
    r"\textgreater{}": ">", r"\textbar{}": "|", r"\textasciigrave{}": "`", r"$\infty$": "∞", "-{}": "-", "{[}": "[",
    "{]}": "]", "{*}": "*", "{'}": "'", r"\&": "&", r"\%": "%", r"\$": "$", r"\#": "#", r"\_": "_", r"\{": "{",
    r"\}": "}",
}  # fmt: skip
TOKEN = re.compile("|".join(map(re.escape, sorted(LATEX, key=len, reverse=True))) + r"|[^\\{}%$#_&^~\n\[\]*<>|`]")


@every_name
def test_latex_prints_it(name: str) -> None:
    text = in_latex(name)
    tokens = TOKEN.findall(text)
    assert "".join(tokens) == text  # nothing between that means something
    assert "".join(LATEX.get(token, token) for token in tokens) == one_line(name)
    assert "--" not in text and "''" not in text


def rendered(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def shown(cell: Token) -> str:
    """Return what a cell of Markdown shows, whose only markup may be a line's end."""
    assert cell.children is not None
    assert {child.type for child in cell.children} <= {"text", "html_inline"}
    assert all(child.content == "<br>" for child in cell.children if child.type == "html_inline")
    return "".join("\n" if child.type == "html_inline" else child.content for child in cell.children)


@every_name
def test_markdown_shows_it(name: str) -> None:
    text = in_markdown(name)
    seen = plain(name, lines=True).replace("\t", " ").strip(" ")
    tokens = rendered(f"| head | x |\n| --- | --- |\n| {text} | x |\n\n- {text} x\n")
    assert [token.type for token in tokens].count("td_open") == 2
    cells = [token for token in tokens if token.type == "inline"]
    assert shown(cells[2]).strip() == seen.strip()
    assert len(cells) == 5 and shown(cells[4]).strip() == f"{seen.strip()} x".strip()
    assert "://" not in text.replace("\\:", "") and "www." not in text  # GitHub makes links of these


def test_markdown_stays_readable() -> None:
    text = "tiny-chains snake_case 0.5 (-1.5 to 2): a & b, -0.5"
    assert in_markdown(text) == text
    assert in_markdown("-0.5") == "-0.5"


@every_name
def test_no_sheet_takes_it_for_a_formula(name: str) -> None:
    file = io.StringIO()
    csv.writer(file).writerow([in_csv(name), "x"])
    ((cell, after),) = csv.reader(io.StringIO(file.getvalue()))
    assert after == "x"
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert cell.removeprefix("'") == plain(name, lines=True).removeprefix("'")


def test_every_name_has_a_file_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    names = [*NAMES.values(), "", "a-b", "a-b-2", "con", "x" * 301]
    files = file_names(names)
    for name, file in zip(names, files, strict=True):
        path = folder / f"{file}.json"
        assert not path.exists()
        path.write_text(name, encoding="utf-8", newline="")
        assert path.resolve().parent == folder
    assert len(list(folder.iterdir())) == len({file.casefold() for file in files}) == len(names)
    assert all(not file.startswith(("-", ".", " ")) and file.isprintable() for file in files)
    assert not {file.split(".")[0].casefold() for file in files} & {"con", "nul"}
    assert max(len(file.encode()) for file in files) <= 110


def test_harmless_names_of_files_stay() -> None:
    names = ["alexnet-x10", "dqn lr=0.1", "anytime-tiny", "模型", "a, b (c) v1.0"]
    assert file_names(names) == names
