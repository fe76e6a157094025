"""Tables where a terminal is too narrow: nothing of a number is left out."""

from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

from offbench.cli import app
from offbench.files.narrow import fitting


def drawn(table: Table, width: int) -> str:
    console = Console(width=width, file=StringIO())
    console.print(fitting(table, console))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_table_that_does_not_fit_is_told_in_lines() -> None:
    table = Table("choice", "delay, s", "")
    table.add_row("everything here", "0.0315412345", "")
    table.add_row("fastest", "0.0241512345", "note")
    assert "┃" in drawn(table, 60) and "0.0315412345" in drawn(table, 60)
    assert drawn(table, 24).splitlines() == [
        "everything here", "  delay, s: 0.0315412345", "fastest", "  delay, s: 0.0241512345", "  note",
    ]  # fmt: skip


@pytest.mark.parametrize("width", ["40", "60"])
@pytest.mark.parametrize("words", ["catalogue", "catalogue raspberry-pi-5", "instance show tiny-graphs", "solvers"])
def test_commands_cut_no_number_off(words: str, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    result = CliRunner().invoke(app, words.split())
    assert result.exit_code == 0 and "…" not in result.stdout
