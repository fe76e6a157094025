"""What a terminal shows, as HTML: the same tables and lines, in the colours of the page around them, dark or light."""

from collections.abc import Iterable
from html import escape
from itertools import pairwise

from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from offbench.files.plain import plain

# Colours are few and translucent, so that they are readable on white and on black; all else is the page's own.
_STYLE = """<style>
.offbench { font-family: system-ui, sans-serif; line-height: 1.4; max-width: 75em; overflow-x: auto; }
.offbench table { border-collapse: collapse; margin: .5em 0; font-variant-numeric: tabular-nums; }
.offbench th, .offbench td { padding: .15em .7em; text-align: left; border-bottom: 1px solid rgba(128, 128, 128, .35); }
.offbench td.right, .offbench th.right { text-align: right; }
.offbench p { margin: .3em 0; }
.offbench .strip { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
.offbench .strip:first-child { white-space: nowrap; }
.offbench .bold { font-weight: 600; } .offbench .dim { opacity: .7; }
.offbench .red { color: #e5484d; } .offbench .yellow { color: #b58900; } .offbench .green { color: #2f9e44; }
.offbench .cyan { color: #1098ad; } .offbench .blue { color: #4c8dff; } .offbench .magenta { color: #c061cb; }
</style>"""


def as_page(thing: RenderableType) -> str:
    """Return what rich would draw as a piece of an HTML page.

    Tables become tables, lines paragraphs; texts are escaped, and styles become classes.
    """
    return f'{_STYLE}<div class="offbench">{"".join(_pieces(thing))}</div>'


def _pieces(thing: RenderableType) -> Iterable[str]:
    if isinstance(thing, Group):
        for each in thing.renderables:
            yield from _pieces(each)
    elif isinstance(thing, Table):
        yield _table(thing)
    elif isinstance(thing, Text | str):
        yield f"<p>{_text(thing)}</p>"
    else:
        raise TypeError(f"{type(thing).__name__} has no form in HTML here")


def _table(table: Table) -> str:
    grid = not table.show_header
    right = [' class="right"' if column.justify == "right" else "" for column in table.columns]
    heads = "".join(
        f"<th{where}>{_text(column.header)}</th>" for column, where in zip(table.columns, right, strict=True)
    )
    cells = zip(*(list(column.cells) for column in table.columns), strict=True)
    rows = []
    for row, each in zip(table.rows, cells, strict=True):
        found = "".join(_cell(cell, where, grid) for cell, where in zip(each, right, strict=True))
        rows.append(f"<tr{_class(str(row.style or ''))}>{found}</tr>")
    head = "" if grid else f"<thead><tr>{heads}</tr></thead>"
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"


def _cell(cell: RenderableType, where: str, grid: bool) -> str:
    strip = ' class="strip"' if grid else where
    return f"<td{strip}>{_text(cell)}</td>"


def _text(text: RenderableType) -> str:
    if isinstance(text, Bar):
        blocks = "█" * max(1, round(20 * text.end / text.size))
        colour = text.style.color.name if text.style.color is not None else ""
        return _styled(blocks, colour)
    if isinstance(text, str):
        return escape(plain(text))
    if not isinstance(text, Text):
        raise TypeError(f"{type(text).__name__} has no form in HTML here")
    if not text.spans:
        return _styled(text.plain, str(text.style))
    parts = []
    cuts = sorted({0, len(text.plain), *(end for span in text.spans for end in (span.start, span.end))})
    for start, end in pairwise(cuts):
        styles = [str(span.style) for span in text.spans if span.start <= start and end <= span.end]
        parts.append(_styled(text.plain[start:end], " ".join([str(text.style), *styles])))
    return "".join(parts)


def _styled(text: str, style: str) -> str:
    return f"<span{_class(style)}>{escape(plain(text))}</span>" if style.strip() else escape(plain(text))


def _class(style: str) -> str:
    return f' class="{escape(style.strip())}"' if style.strip() else ""
