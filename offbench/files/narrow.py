"""Tables where a terminal is too narrow for them: rows as lines, so that no number is cut off."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

_MARK = "…"
_ANY = 10**6  # columns, so that nothing is shortened while it is measured


def fitting(thing: "RenderableType", console: "Console") -> "RenderableType":
    """Return what fits the console: a table that would lose parts of words as a line for each cell."""
    from rich.console import Group
    from rich.table import Table

    if isinstance(thing, Group):
        return Group(*(fitting(each, console) for each in thing.renderables), fit=thing.fit)
    if isinstance(thing, Table) and thing.show_header and _cuts_off(thing, console):
        return Group(*_lines(thing))
    return thing


def _cuts_off(table: "Table", console: "Console") -> bool:
    """Tell whether parts of words are left out, for which rich writes a mark, or nothing where there is no room."""
    if table.__rich_measure__(console, console.options.update(width=_ANY)).minimum > console.width:
        return True
    cells = [_text(cell).plain for column in table.columns for cell in (column.header, *column.cells)]
    written = "".join(segment.text for segment in console.render(table))
    return written.count(_MARK) > sum(cell.count(_MARK) for cell in cells)


def _lines(table: "Table") -> Iterator["Text"]:
    """Yield each row: its first cell, and below it the others behind their headings."""
    from rich.text import Text

    heads = [_text(column.header) for column in table.columns]
    for row in zip(*(column.cells for column in table.columns), strict=True):
        first, *others = map(_text, row)
        yield first or Text("")
        for head, cell in zip(heads[1:], others, strict=True):
            if cell:  # not where it is empty, or a bar
                yield Text.assemble("  ", head, ": " if head else "", cell)


def _text(cell: "RenderableType") -> "Text":
    from rich.text import Text

    return cell if isinstance(cell, Text) else Text(cell if isinstance(cell, str) else "")
