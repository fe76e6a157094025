r"""Foreign text on its way out: a function for each kind of output, and what reads it obeys nothing in it.

Names, labels and messages come from files, solvers and other people. Whatever writes them for people calls the
function of its output, once; each makes the text `plain` first, so that control characters are written as ``\x1b``.
Texts keep their characters where only machines read: in results' own JSON and in Parquet.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from offbench.files.plain import obeyed, plain

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

LONGEST = 60
"""characters of a name in a figure"""
# Of a file's name, leaving room for an ending and for a temporary name; file systems allow 255.
_LONGEST_FILE_NAME = 100


def shortened(text: str, at_most: int = LONGEST) -> str:
    """Return a text of at most so many characters: what is too much goes from its middle."""
    first = at_most // 2
    return text if len(text) <= at_most else f"{text[:first]}…{text[len(text) - (at_most - first - 1) :]}"


def in_terminal(thing: "RenderableType") -> "RenderableType":
    """Return what rich is to draw with all texts in it plain, each in one line; columns are measured after that.

    Raises
    ------
    TypeError
        If it is nothing whose texts are known here.
    """
    from rich.bar import Bar
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text
    from rich.tree import Tree

    if isinstance(thing, Bar):
        return thing  # there is no text in it
    if isinstance(thing, str):
        return _character_by_character(thing)
    if isinstance(thing, Text):
        return _styled(thing)
    if isinstance(thing, Group):
        return Group(*map(in_terminal, thing.renderables), fit=thing.fit)
    if isinstance(thing, Tree):
        thing.label = in_terminal(thing.label)
        for child in thing.children:
            in_terminal(child)
        return thing
    if isinstance(thing, Table):
        for column in thing.columns:
            column.header, column.footer = in_terminal(column.header), in_terminal(column.footer)
            column._cells[:] = map(in_terminal, column._cells)
        thing.title = None if thing.title is None else in_terminal(thing.title)  # type: ignore[assignment]
        return thing
    raise TypeError(f"in_terminal: doesn't know the texts in a {type(thing).__name__}")


def _character_by_character(text: str) -> str:
    return plain(text).replace("\t", " ")


def _styled(text: "Text") -> "Text":
    """Return a text of rich's plain, its styles where they were."""
    from itertools import accumulate

    from rich.text import Span

    pieces = [_character_by_character(character) for character in text.plain]
    at = [0, *accumulate(map(len, pieces))]
    shown = text.copy()
    shown.plain = "".join(pieces)
    shown.spans = [Span(at[span.start], at[min(span.end, len(pieces))], span.style) for span in text.spans]
    return shown


def in_json(text: str) -> str:
    r"""Return a JSON document's text with what a terminal obeys in its strings as ``\u009b``, which means the same."""
    return "\n".join(
        line if line.isprintable() else "".join(json.dumps(c)[1:-1] if obeyed(c) else c for c in line)
        for line in text.split("\n")
    )


def in_script(data: Any) -> str:
    """Return data as JSON for a `script` element: nothing in it ends the element or begins a comment.

    Raises
    ------
    ValueError
        If a number isn't finite.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))  # in ASCII, so U+2028 is no matter
    return re.sub("[<>&]", lambda found: f"\\u{ord(found[0]):04x}", text)


def in_page(value: object) -> object:
    """Return what a template is to show, plain if it is a text; the template escapes it then (`autoescape`).

    What is markup already stays.
    """
    return plain(value, lines=True) if type(value) is str else value


def in_plotly(text: str, at_most: int = LONGEST) -> str:
    """Return a text for plotly, which takes tags and entities in every text that it shows."""
    shown = shortened(_character_by_character(text), at_most)
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def in_matplotlib(text: str, at_most: int = LONGEST) -> str:
    """Return a text for matplotlib, which reads formulas between dollars, and hides labels that begin with ``_``."""
    shown = shortened(_character_by_character(text), at_most).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "∞": r"$\infty$",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "\t": " ",
    # After a line's end \\ the first three would be read as its options; two apostrophes are a quotation mark.
    **{character: f"{{{character}}}" for character in "[]*'"}, "`": r"\textasciigrave{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip


def in_latex(text: str) -> str:
    """Return a text for LaTeX, in one line, with no character that means something there."""
    shown = "".join(_LATEX.get(character, character) for character in plain(text))
    return re.sub("-(?=-)", "-{}", shown)


_MARKDOWN = re.compile(
    r"[\\`*\[\]<>|~$]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # not within a word
    r"|&(?=#?\w+;)"  # an entity
    r"|:(?=\S)|(?<=\bwww)\.(?=\S)"  # what makes links and emoji without brackets
    r"|^[#=]|^[-+](?!\.?\d)",  # headings, rules and lists
    re.IGNORECASE,
)


def in_markdown(text: str) -> str:
    """Return a text for Markdown, also in a cell of a table: its lines are joined by ``<br>``."""
    lines = plain(text, lines=True).strip().split("\n")
    shown = "<br>".join(_MARKDOWN.sub(lambda found: f"\\{found[0]}", line.replace("\t", " ")) for line in lines)
    return re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", shown)  # a numbered list


_FORMULA = (*"=+-@\t", *"\uff1d\uff0b\uff0d\uff20")  # wide ones, too


def in_csv(text: str) -> str:
    """Return a text for a CSV file that people may open as a spreadsheet, which runs what begins like a formula.

    It gets an apostrophe in front, by which spreadsheets know a text. Numbers aren't texts, and stay.
    """
    shown = plain(text, lines=True)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


# Names that Windows keeps for devices, with any ending.
_DEVICES = ("con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)))


def file_names(names: Iterable[str]) -> list[str]:
    """Return the name of a file for each name, without an ending: all in one folder, on any system, no two the same.

    A name of letters, digits, blanks and ``._-+=,()`` stays as it is; a number is added to one that is taken.
    """
    taken: set[str] = set()
    found = []
    for name in names:
        stem = wanted = _file_name(name)
        number = 1
        while _folded(stem) in taken:
            number += 1
            stem = f"{wanted}-{number}"
        taken.add(_folded(stem))
        found.append(stem)
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()  # some file systems see no difference


def _file_name(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in " ._-+=,()" else "-" for c in unicodedata.normalize("NFC", name))
    kept = kept.lstrip(" .-").encode()[:_LONGEST_FILE_NAME].decode(errors="ignore").rstrip(" .") or "unnamed"
    return f"_{kept}" if kept.split(".")[0].strip().casefold() in _DEVICES else kept
