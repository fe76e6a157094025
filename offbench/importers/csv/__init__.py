"""Networks from a table of one's own: a CSV file with a row for each layer (docs/guides/own-model.md)."""

import csv
import math
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from offbench.errors import OffbenchError, nearest, one_of
from offbench.files.json import check
from offbench.files.text import read_text
from offbench.importers.imported import Coverage, Imported, Shape
from offbench.importers.peek import beginning
from offbench.model.facts import counted
from offbench.model.network import OPERATORS, Network

GRANULARITY = "node"
"""each row is a layer, unless something else is asked for"""
TELLS_SIZES = True

_NEEDED = ("name", "inputs", "output_mb")
_NUMBERS = ("gflop", "read_mb", "written_mb", "weights_mb", "launches")
_COLUMNS = (*_NEEDED, "operator", *_NUMBERS, "weights_id", "seconds.DEVICE")
_SECONDS = "seconds."
_INPUT = "input"


def recognises(path: Path) -> bool:
    """Tell a table by its first line."""
    first = beginning(path).partition("\n")[0]
    return set(_NEEDED) <= {name.strip() for name in first.split(",")}


def read(path: Path, shapes: Mapping[str, Shape], name: str | None = None) -> Imported:
    """Return the network that a table tells of.

    Parameters
    ----------
    path
        The file.
    shapes
        None: the file tells its sizes.
    name
        Of the network; the file's if absent.

    Raises
    ------
    OffbenchError
        If a column or a number is missing or wrong, or the layers are no network.
    """
    rows = [_Row(row, f"{path}: line {line}") for line, row in _rows(path)]
    given: dict[str, float] = {}
    for row in rows:
        if row.is_input:
            row.refuse_twin(given)
            given[row.name] = row.number("output_mb")
    if not given:
        raise OffbenchError(f"{path}: no row tells the network's input: name it '{_INPUT}', its size as output_mb")
    input_mb = math.fsum(given.values())
    sizes = {row.name: row.number("output_mb") for row in rows}
    layers = [row.layer(given, sizes, input_mb) for row in rows if not row.is_input]
    facts = {"name": name or path.stem, "source": f"{path.name}, a table", "input_mb": input_mb, "layers": layers}
    network = check(Network, facts, str(path))
    unknown = sum(layer.gflop is None and layer.seconds is None for layer in network.layers)
    notes = (f"{counted(unknown, 'layer')} with neither gflop nor seconds",) if unknown else ()
    return Imported(network, Coverage(nodes=len(layers), notes=notes))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(StringIO(read_text(path)), skipinitialspace=True, strict=True)
    try:
        columns = [column.strip() for column in next(reader, [])]
        _check(columns, str(path))
        for cells in reader:
            if len(cells) > len(columns):
                raise OffbenchError(
                    f"{path}: line {reader.line_num}: has {len(cells)} cells, but there are {len(columns)} columns"
                )
            row = {column: cell.strip() for column, cell in zip(columns, cells, strict=False)}
            if any(row.values()):
                yield reader.line_num, row
    except csv.Error as error:
        raise OffbenchError(f"{path}: line {reader.line_num}: {error}") from None


def _check(columns: list[str], path: str) -> None:
    for k, column in enumerate(columns):
        known = column in _COLUMNS[:-1] or (column.startswith(_SECONDS) and column != _SECONDS)
        if not known:
            raise one_of(f"{path}: column {k + 1}", column, list(_COLUMNS))
        if column in columns[:k]:
            raise OffbenchError(f"{path}: column {k + 1}: '{column}' is there twice")
    missing = next((column for column in _NEEDED if column not in columns), None)
    if missing is not None:
        raise OffbenchError(f"{path}: has no column '{missing}'; needs {', '.join(_NEEDED)}")


class _Row:
    """A line of the table."""

    def __init__(self, cells: Mapping[str, str], place: str) -> None:
        self._cells, self._place = cells, place
        self.name = cells.get("name", "")
        if not self.name:
            raise OffbenchError(f"{place}: has no name")
        if any(mark in self.name for mark in " ;"):
            raise OffbenchError(f"{place}: name '{self.name}' has a space or a semicolon, which part names in inputs")

    @property
    def is_input(self) -> bool:
        """Whether it tells of the network's input, or of one of several."""
        return self.name == _INPUT or self.name.startswith(f"{_INPUT}:")

    def refuse_twin(self, known: Mapping[str, object]) -> None:
        """Refuse a name that is known.

        Raises
        ------
        OffbenchError
            If it is.
        """
        if self.name in known:
            raise OffbenchError(f"{self._place}: name '{self.name}' is there twice")

    def number(self, column: str) -> float:
        """Return a number that must be there."""
        text = self._cells.get(column, "")
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not (0 <= value < math.inf):
            raise OffbenchError(f"{self._place}: {column}: must be a number from 0 up, not '{text}'")
        return value

    def layer(self, given: Mapping[str, float], sizes: Mapping[str, float], input_mb: float) -> dict[str, Any]:
        """Return what the format says of a layer.

        Parameters
        ----------
        given
            The network's inputs, each with its size, MB.
        sizes
            Of what each row hands on, MB.
        input_mb
            Size of the whole input, MB.
        """
        operator = self._cells.get("operator") or "other"
        if operator not in OPERATORS:
            raise one_of(f"{self._place}: operator", operator, list(OPERATORS))
        sources = self._cells.get("inputs", "").replace(";", " ").split() or list(given)
        for source in sources:
            if source not in sizes:
                hint = nearest(source, list(sizes))
                raise OffbenchError(f"{self._place}: inputs: no row has the name '{source}'{hint}")
        part = math.fsum(given.get(source, 0.0) for source in dict.fromkeys(sources))
        inputs: list[Any] = [source for source in sources if source not in given]
        if part and (inputs or part != input_mb):  # the whole input and nothing else is written as none
            inputs.insert(0, {"input_mb": part})
        facts: dict[str, Any] = {"name": self.name, "operator": operator, "inputs": inputs}
        facts |= {column: self.number(column) for column in ("output_mb", *_NUMBERS) if self._cells.get(column)}
        facts.setdefault("read_mb", math.fsum(map(sizes.__getitem__, sources)) + facts.get("weights_mb", 0.0))
        facts.setdefault("written_mb", self.number("output_mb"))
        facts["output_mb"] = self.number("output_mb")
        if "launches" in facts:
            if not facts["launches"].is_integer():
                raise OffbenchError(f"{self._place}: launches: must be a whole number")
            facts["launches"] = int(facts["launches"])
        if self._cells.get("weights_id"):
            facts["weights_id"] = self._cells["weights_id"]
        devices = [column for column, cell in self._cells.items() if column.startswith(_SECONDS) and cell]
        if devices:
            facts["seconds"] = {column.removeprefix(_SECONDS): self.number(column) for column in devices}
        return facts
