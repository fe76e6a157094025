"""A study as its file describes it: the docstring of every `experiments/NAME.py` has this form.

A title; a paragraph for each of the `FIELDS`, in their order, that begins with the field's name and a colon; then,
where there is more to say, text. `python -m experiments` makes a table of it.
"""

import argparse
import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1]
FIELDS = ("Question", "Command", "Needs", "Writes", "Time", "Outcome")


class FormError(ValueError):
    """A docstring that hasn't the form; the message names the file and what is missing."""


@dataclass(frozen=True)
class Study:
    """What a study's docstring says."""

    name: str
    title: str
    fields: dict[str, str]
    """text of each of the `FIELDS`, on one line"""


def studies(folder: Path = FOLDER) -> Iterator[Study]:
    """Yield every study of a folder, by name.

    Raises
    ------
    FormError
        If a docstring hasn't the form.
    """
    for path in sorted(folder.glob("[!_]*.py")):
        yield read(path)


def read(path: Path) -> Study:
    """Return the study that a file is, without running it.

    Raises
    ------
    FormError
        If its docstring hasn't the form.
    """
    title, *paragraphs = _paragraphs(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "")
    fields = {}
    for field, paragraph in zip(FIELDS, [*paragraphs, *[""] * len(FIELDS)], strict=False):
        begin = f"{field}: "
        if not paragraph.startswith(begin):
            raise FormError(
                f"{path.name}: after the title its docstring needs paragraphs that begin with "
                f"{', '.join(f'{each}:' for each in FIELDS)} in this order; {field}: isn't in its place"
            )
        fields[field] = paragraph.removeprefix(begin)
    return Study(path.stem, title, fields)


def _paragraphs(docstring: str) -> list[str]:
    return [" ".join(each.split()) for each in docstring.split("\n\n")]


def table(folder: Path = FOLDER) -> Iterator[str]:
    """Yield a Markdown table of the studies, a line each."""
    yield f"| Study | {' | '.join(FIELDS)} |"
    yield f"| --- |{' --- |' * len(FIELDS)}"
    for study in studies(folder):
        cells = (text.replace("|", r"\|") for text in study.fields.values())
        yield f"| [{study.name}]({study.name}.py) | {' | '.join(cells)} |"


def add_time_limit(command: argparse.ArgumentParser, default: float, of: str = "for each run, s") -> None:
    """Add `--time-limit`, which some studies called `--seconds` once."""
    command.add_argument("--time-limit", type=float, default=default, help=f"{of} (default: %(default)g)")
    command.add_argument("--seconds", dest="time_limit", type=float, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def parser(docstring: str | None, file: str) -> argparse.ArgumentParser:
    """Return a command line that tells the study's docstring as it stands.

    Parameters
    ----------
    docstring, file
        The study's ``__doc__`` and ``__file__``.
    """
    return argparse.ArgumentParser(
        prog=f"python -m experiments.{Path(file).stem}",
        description=docstring,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
