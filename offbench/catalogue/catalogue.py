"""The catalogue: what comes with offbench, and a user's own entries over it."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from offbench.catalogue.entries import Device, Entry, Link, Price, figures
from offbench.catalogue.figure import OWN, Figure, Source
from offbench.errors import OffbenchError, nearest
from offbench.files.json import check
from offbench.files.text import parse_toml, read_toml
from offbench.model.facts import Fact, Name

KINDS = ("devices", "links", "prices")


class Catalogue(Fact):
    """Devices, links and prices by name, and the sources of their figures."""

    sources: dict[Name, Source] = Field(default_factory=dict)
    devices: dict[Name, Device] = Field(default_factory=dict)
    links: dict[Name, Link] = Field(default_factory=dict)
    prices: dict[Name, Price] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        kinds: dict[str, str] = {}
        for kind in KINDS:
            for name, entry in self.entries(kind).items():
                if name in kinds or name in KINDS:
                    raise ValueError(f"{kind}.{name}: the name is taken, by {kinds.get(name, 'a kind of entry')}")
                kinds[name] = kind
                for field, figure in figures(entry):
                    if figure.source != OWN and figure.source not in self.sources:
                        hint = nearest(figure.source, list(self.sources))
                        raise ValueError(f"{kind}.{name}.{field}: no source '{figure.source}'{hint}")
        for name, price in self.prices.items():
            if price.device is not None and price.device not in self.devices:
                hint = nearest(price.device, list(self.devices))
                raise ValueError(f"prices.{name}.device: no device '{price.device}'{hint}")
        return self

    def entries(self, kind: str) -> dict[str, Entry]:
        """Return the entries of a kind by name: devices, links or prices."""
        return dict(getattr(self, kind))

    def find(self, name: str, kind: str | None = None) -> Entry:
        """Return an entry.

        Parameters
        ----------
        name
            Of the entry.
        kind
            Where it is looked for: devices, links or prices; in all of them if absent.

        Raises
        ------
        OffbenchError
            If there is none; the message has the nearest name.
        """
        known: dict[str, Entry] = {}
        for each in KINDS if kind is None else (kind,):
            known |= self.entries(each)
        if name not in known:
            what = "entry" if kind is None else kind.removesuffix("s")
            hint = nearest(name, [*known, *(KINDS if kind is None else ())])
            lists = f"; there are {', '.join(known)}" if kind is not None else "; `offbench catalogue` lists them"
            raise OffbenchError(f"catalogue: no {what} '{name}'{hint}{lists}")
        return known[name]

    def device(self, name: str) -> Device:
        """Return a device; raises as `find` does."""
        found = self.find(name, "devices")
        assert isinstance(found, Device)
        return found

    def link(self, name: str) -> Link:
        """Return a link; raises as `find` does."""
        found = self.find(name, "links")
        assert isinstance(found, Link)
        return found

    def price_per_hour(self, device: str) -> Figure | None:
        """Return what an hour of a device costs, the cheapest of its prices; None if no price is known."""
        fitting = [price.usd_per_hour for price in self.prices.values() if price.device == device]
        return min(fitting, key=lambda figure: figure.value, default=None)


def load_catalogue(own: Path | None = None) -> Catalogue:
    """Return the catalogue.

    Parameters
    ----------
    own
        A TOML file in the same format; its entries replace those of the same name.

    Raises
    ------
    OffbenchError
        If the file can't be read or breaks a rule of the format; the message names file, place and rule.
    """
    tables = _shipped()
    if own is None:
        return check(Catalogue, tables, "the shipped catalogue")
    added = read_toml(own)
    check(Catalogue, {key: {} if key in tables else value for key, value in added.items()}, str(own))
    merged = {key: table | _table(added.get(key, {}), key, own) for key, table in tables.items()}
    return check(Catalogue, merged, str(own))


def _table(value: Any, key: str, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise OffbenchError(f"{path}: {key}: must be a table of entries, [{key}.NAME]")
    return value


@cache
def _shipped() -> dict[str, dict[str, Any]]:
    return {name: data_table(name)[name] for name in ("sources", *KINDS)}


def data_table(name: str) -> dict[str, Any]:
    """Return what one of the shipped TOML files says."""
    file = files("offbench.catalogue") / "data" / f"{name}.toml"
    return parse_toml(file.read_text(encoding="utf-8"), f"{name}.toml")
