"""`offbench catalogue`: devices, links and prices, with sources and ranges."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.shared.arguments import Json
from offbench.files.numbers import grouped

if TYPE_CHECKING:
    from rich.console import RenderableType

    from offbench.catalogue.catalogue import Catalogue
    from offbench.catalogue.entries import Entry
    from offbench.catalogue.figure import Figure


def catalogue(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[KIND|NAME]", help="devices, links or prices; or the name of one of them."),
    ] = None,
    own: Annotated[
        Path | None,
        typer.Option("--catalogue", metavar="FILE", help="A TOML file with entries of your own over the shipped ones."),
    ] = None,
    json: Json = False,
) -> None:
    """List what is known of devices, links and prices, or show one with its sources and ranges."""
    from offbench.catalogue.catalogue import KINDS, load_catalogue
    from offbench.cli.shared.console import show, show_json

    known = load_catalogue(own)
    if name is not None and name not in KINDS:
        entry = known.find(name)
        show_json(_facts(known, name, entry)) if json else show(*_entry(known, name, entry), full=True)
        return
    kinds = KINDS if name is None else (name,)
    if json:
        show_json({kind: [_facts(known, each, entry) for each, entry in known.entries(kind).items()] for kind in kinds})
    else:
        for kind in kinds:
            show(_table(known, kind), full=True)
        show("`offbench catalogue NAME` shows sources and ranges.")


def _table(known: "Catalogue", kind: str) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    from offbench.files.plain import plain

    columns = {
        "devices": ("memory_mb", "peak_gflop_per_s.float32", "bandwidth_mb_per_s", "busy_power_w"),
        "links": ("up_mb_per_s", "down_mb_per_s", "latency_s", "send_power_w", "up_usd_per_gb", "down_usd_per_gb"),
        "prices": ("usd_per_hour",),
    }[kind]
    table = Table()
    table.add_column(kind.removesuffix("s"), no_wrap=True)
    table.add_column("what")
    for column in columns:
        table.add_column(_heading(column), justify="right")
    for name, entry in known.entries(kind).items():
        figures = _figures(entry)
        numbers = (f"{grouped(figures[column].value, 6)}" if column in figures else "" for column in columns)
        table.add_row(*(Text(plain(text)) for text in (name, entry.what, *numbers)))
    return table


def _heading(field: str) -> str:
    units = (
        ("_mb_per_s", "MB/s"), ("_gflop_per_s.float32", "GFLOP/s"), ("_usd_per_gb", "$/GB"), ("usd_per_hour", "$/h"),
        ("_mb", "MB"), ("_s", "s"), ("_w", "W"),
    )  # fmt: skip
    ending, unit = next((ending, unit) for ending, unit in units if field.endswith(ending))
    what = field.removesuffix(ending).replace("_", " ")
    return f"{what}, {unit}" if what else unit


def _figures(entry: "Entry") -> "dict[str, Figure]":
    from offbench.catalogue.entries import figures

    return dict(figures(entry))


def _entry(known: "Catalogue", name: str, entry: "Entry") -> Iterator["RenderableType"]:
    from rich.table import Table
    from rich.text import Text

    from offbench.catalogue.entries import Device, Price
    from offbench.files.plain import plain

    yield Text.assemble((plain(name), "bold"), plain(f": {entry.what}"))
    if isinstance(entry, Device):
        yield Text(f"a {entry.kind} device; runs {entry.pool} at once on its {entry.processor.upper()}")
        yield Text(_speed(known, name))
        prices = [each for each, price in known.prices.items() if price.device == name]
        if prices:
            yield Text(plain(f"prices: {', '.join(prices)}"))
    elif isinstance(entry, Price) and entry.device is not None:
        yield Text(plain(f"of device {entry.device}"))
    table = Table("figure", "value", "range", "source", "note")
    figures = _figures(entry)
    for field, figure in figures.items():
        limits = f"{grouped(figure.low, 6)} to {grouped(figure.high, 6)}"
        row = (field, grouped(figure.value, 6), limits, figure.source, figure.note)
        table.add_row(*(Text(plain(text)) for text in row))
    yield table
    for source in dict.fromkeys(figure.source for figure in figures.values()):
        if source in known.sources:
            found = known.sources[source]
            licence = f" ({found.licence})" if found.licence else ""
            yield Text(plain(f"{source}: {found.what}{licence}, {found.url}"))


def _speed(known: "Catalogue", name: str) -> str:
    from offbench.catalogue.cost_model import CostModel
    from offbench.errors import OffbenchError

    model = CostModel(known)
    try:
        speed, basis = model.speed(name)
    except OffbenchError:
        return "the cost model knows no speed of it: layers need measured seconds"
    spread = model.spread(name, basis)
    how = "fitted to its times in ncnn's table" if basis == "fitted" else "by what similar devices reach of their peaks"
    return (
        f"layers: {grouped(speed.gflop_per_s)} GFLOP/s of convolution, {grouped(speed.mb_per_s)} MB/s, "
        f"{speed.launch_s:.2g} s a kernel, {how}; a network takes {spread.low:.2g} to {spread.high:.2g} times that in "
        "eight of ten cases"
    )


def _facts(known: "Catalogue", name: str, entry: "Entry") -> dict[str, Any]:
    from offbench.catalogue.cost_model import CostModel
    from offbench.catalogue.entries import Device
    from offbench.errors import OffbenchError

    facts = {"name": name} | entry.model_dump(mode="json", exclude_none=True)
    used = dict.fromkeys(figure.source for figure in _figures(entry).values())
    facts["sources"] = {
        each: known.sources[each].model_dump(mode="json", exclude_none=True) for each in used if each in known.sources
    }
    if isinstance(entry, Device):
        model = CostModel(known)
        try:
            speed, basis = model.speed(name)
        except OffbenchError:
            return facts
        facts["speed"] = speed.model_dump() | {"basis": basis, "spread": model.spread(name, basis).model_dump()}
    return facts
