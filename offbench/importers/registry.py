"""How an importer is found: the modules of this folder, and entry points of installed packages, by what a file is."""

import math
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast, runtime_checkable
from warnings import warn

from pydantic import ValidationError

from offbench.errors import OffbenchError, OffbenchWarning, one_of
from offbench.files.json import check, one_line
from offbench.files.plain import plain
from offbench.files.shipped import folders_of
from offbench.importers.granularity import Granularity, told
from offbench.importers.imported import Imported, Shape
from offbench.importers.measured import Profile, with_seconds
from offbench.importers.peek import beginning
from offbench.model.network import Network, with_device_names

GROUP = "offbench.importers"
_MESSAGE = 300


class Importer(Protocol):
    """What a module must have to be an importer; it imports nothing heavy before `read` is called.

    One whose files tell layers as they are meant says ``GRANULARITY = "node"``; others are told at that of ``layer``.
    One whose files tell all sizes says ``TELLS_SIZES = True`` and is never given shapes.
    """

    __doc__: str | None

    def recognises(self, path: Path) -> bool:
        """Tell whether a file looks like one of its own."""

    def read(self, path: Path, shapes: Mapping[str, Shape], name: str | None = None) -> Imported:
        """Return the network in a file."""


@runtime_checkable
class Profiler(Protocol):
    """What an importer has as well, if its files tell how long the nodes of a model took."""

    def profile(self, path: Path) -> Profile:
        """Return what was measured."""


@cache
def importers() -> dict[str, Importer]:
    """Return the importers by name; those that come with the package win over entry points."""
    found: dict[str, Importer] = {}
    for point in entry_points(group=GROUP):
        try:
            found[point.name] = cast(Importer, point.load())
        except Exception as error:  # somebody else's package: the others read on
            told = plain(f"importer '{point.name}' can't be loaded: {type(error).__name__}: {error}", _MESSAGE)
            warn(told, OffbenchWarning, stacklevel=2)
    for folder in folders_of(GROUP):
        for path in sorted(folder.iterdir()):
            module = f"{GROUP}.{path.stem}"
            if path.is_dir() and (path / "__init__.py").is_file():
                found[path.stem] = cast(Importer, import_module(module))
    return dict(sorted(found.items()))


def import_network(
    path: str | Path,
    importer: str | None = None,
    shapes: Mapping[str, Shape] | None = None,
    granularity: Granularity | None = None,
    name: str | None = None,
    profiles: Mapping[str, str | Path] | None = None,
    device_names: Mapping[str, str] | None = None,
) -> Imported:
    """Return the network in a model file or a profile.

    Parameters
    ----------
    path
        The file, or code by name such as ``module.py:factory``.
    importer
        Which one reads it; told from the file if absent.
    shapes
        Of inputs that have free dimensions.
    granularity
        How fine (`granularity.told`); ``layer`` if absent, but of a file that tells its layers itself as they are.
    name
        Of the network; the file's if absent.
    profiles
        By device, files with measured seconds of the same model.
    device_names
        Other names for devices that a file calls its own way, such as PipeDream's ``profiled``, by those.

    Raises
    ------
    OffbenchError
        If no importer knows a file, the one that does can't read it, or a profile is of another model.
    """
    known, path = importers(), Path(path)
    if ":" not in str(path):  # what is behind a colon is in a file, or in code that Python finds by name
        _refuse_missing(path)
    if importer is not None and importer not in known:
        raise one_of("--importer", importer, list(known))
    chosen = known[importer] if importer else next((one for one in known.values() if one.recognises(path)), None)
    if chosen is None:
        raise _unknown(path, list(known))
    if shapes and getattr(chosen, "TELLS_SIZES", False):
        raise OffbenchError(f"{path}: --shape: the file tells its sizes")
    fine = granularity or cast(Granularity, getattr(chosen, "GRANULARITY", "layer"))
    try:
        found = chosen.read(path, shapes or {}, name)
        for device, measured in (profiles or {}).items():
            found = with_seconds(found, read_profile(measured), device, str(measured))
        made = told(with_device_names(_with_aliases(found), device_names or {}), fine)
        # Checked as a file is: copies and sums of what is right may not be.
        network = check(Network, made.model_dump(exclude_none=True), str(path))
    except ValidationError as error:
        raise OffbenchError(f"{path}: is no network: {one_line(error)}") from None
    except OverflowError:
        raise OffbenchError(f"{path}: its numbers are too large") from None
    return Imported(network, found.coverage)


def read_profile(path: str | Path) -> Profile:
    """Return what was measured, from a file of any tool that an importer knows.

    Raises
    ------
    OffbenchError
        If none does, or the one that does can't read it.
    """
    path = Path(path)
    _refuse_missing(path)
    tools = {name: one for name, one in importers().items() if isinstance(one, Profiler)}
    for tool in tools.values():
        if cast(Importer, tool).recognises(path):
            found = tool.profile(path)
            whole = found.seconds + (found.whole_s or 0.0)
            if not math.isfinite(whole) or any(each.seconds < 0 for each in found.timed):
                raise OffbenchError(f"{path}: its times must be finite, and from 0 up")
            return found
    raise OffbenchError(f"{path}: is no profile that an importer knows; those of {', '.join(tools)} are")


def _refuse_missing(path: Path) -> None:
    if not path.is_file():
        from offbench.model.instance import shipped

        hint = f"; '{path}' is a shipped instance, which needs no import" if str(path) in shipped() else ""
        kind = "is a folder" if path.is_dir() else "is no file" if path.exists() else "no such file"
        raise OffbenchError(f"{path}: {kind}{hint}")


def _with_aliases(found: Imported) -> Network:
    """Return the network with the names of tensors beside those of layers, for profiles that come later."""
    names: dict[str, list[str]] = {}
    for tensor, layer in found.tensors.items():
        if tensor != layer:
            names.setdefault(layer, []).append(tensor)
    layers = tuple(
        layer.model_copy(update={"aliases": (*(layer.aliases or ()), *names[layer.name])})
        if layer.name in names
        else layer
        for layer in found.network.layers
    )
    return found.network.model_copy(update={"layers": layers})


def _unknown(path: Path, known: list[str]) -> OffbenchError:
    """Return the error of a file that is no model, with what it may be instead."""
    if '"offbench/' in beginning(path):
        return OffbenchError(f"{path}: is an instance, where a model or a network is asked for")
    if path.suffix == ".py":
        return OffbenchError(f"{path}: which network of it? name what makes one behind a colon, {path}:factory")
    return OffbenchError(f"{path}: no importer knows this file; there are {', '.join(known)} (--importer)")
