"""How a solver is found: by name, by entry point, by path.

The folder `offbench.solvers` is listed and read as text, so that finding one solver imports no
other, and one whose library is missing breaks nothing.
"""

import inspect
import sys
import warnings
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import create_model

from offbench.errors import OffbenchError, OffbenchWarning, nearest
from offbench.files.shipped import folders_of
from offbench.search.entries import PACKAGE, RULES, Entry, Property, default_name, fault_of, read
from offbench.search.solver import Solver
from offbench.search.source import Source

GROUP = "offbench.solvers"
IMPORTED_AS = "offbench_solver_"
"""what the modules of solvers' files are called, before the file's name"""


def catalogue() -> dict[str, Entry]:
    """Return every solver that can be found by name; only those of other packages are imported.

    What can't be used is in it too, with the reason. The solvers that come with the package win over
    entry points, whose names and packages the entry's note tells.
    """
    found: dict[str, Entry] = {}
    for entry in _own_entries():
        _add(found, entry)
    for point in _points():
        if point.name in found:
            _add(found, _unused(point))
        else:
            for entry in _foreign_entries(point):
                _add(found, entry)
    return dict(sorted(found.items()))


def _add(found: dict[str, Entry], entry: Entry) -> None:
    """Add an entry, or tell the one that has its name."""
    first = found.setdefault(entry.name, entry)
    if first is not entry:
        of = f", class {entry.target.rpartition(':')[2]}," if entry.where == first.where else ""
        note = f"{entry.where}{of} has a solver of this name too, which is not used"
        note = f"{entry.where}: {entry.wrong}" if entry.wrong else note
        found[entry.name] = replace(first, note=f"{first.note}; {note}" if first.note else note)


def names_with(what: Property) -> list[str]:
    """Return the names of the package's own solvers that state a property of themselves and can be used.

    Nothing is imported.
    """
    return sorted(entry.name for entry in _own_entries() if getattr(entry, what) and entry.usable)


@cache
def _own_entries() -> tuple[Entry, ...]:
    entries: list[Entry] = []
    for folder in folders_of(PACKAGE):
        for path in sorted(folder.iterdir()):
            file = path / "__init__.py" if path.is_dir() else path
            if not path.name.startswith("_") and file.suffix == ".py" and file.is_file():
                entries += read(Source.at(f"{PACKAGE}.{path.stem}", file), path)
    return tuple(entries)


@cache
def _points() -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=GROUP))


def _unused(point: EntryPoint) -> Entry:
    """Return the entry of one whose name is taken; its package isn't even imported."""
    return Entry(point.name, "", "?", _where(point), point.value)


def _foreign_entries(point: EntryPoint) -> Iterator[Entry]:
    where = _where(point)
    try:
        solver = _checked(_loaded(point), point.name)
    except ImportError as error:
        yield Entry(point.name, "", "P1", where, point.value, lacks=error.name or str(error))
    except (Exception, SystemExit) as error:  # what a package calls at its import must not end us
        fault = f"can't be loaded: {error}"
        yield Entry(point.name, fault, "?", where, point.value, wrong=fault)
    else:
        yield Entry(point.name, describe(solver), solver.solves, where, point.value)
        for name, (description, _) in solver.presets.items():
            if name != point.name:
                yield Entry(name, description, solver.solves, where, point.value)


def _where(point: EntryPoint) -> str:
    return f"entry point of {point.dist.name if point.dist else '?'}"


def _loaded(point: EntryPoint) -> type[Solver]:
    thing = point.load()
    if isinstance(thing, type) and issubclass(thing, Solver):
        return thing
    raise OffbenchError(f"solver '{point.name}': entry point {point.value} is no subclass of offbench.Solver")


def find(name: str) -> type[Solver]:
    """Import one solver.

    Parameters
    ----------
    name
        A solver's name, or the path of a Python file with one, ``./mine.py`` or ``./mine.py:Mine``.

    Returns
    -------
    type
        Its class; one from an entry point, or a preset, bears the name that it was found by.

    Raises
    ------
    OffbenchError
        If there is no such solver, or a library of it is not installed.

    Warns
    -----
    OffbenchWarning
        If an installed package has another solver of the name.
    """
    source, wanted = locate(name)
    try:
        if isinstance(source, Path):
            solver = _pick(_import_file(source), wanted, str(source))
        elif source.startswith(f"{PACKAGE}."):
            solver = _pick(import_module(source), wanted, source)
        else:
            solver = _loaded(EntryPoint(name, f"{source}:{wanted}" if wanted else source, GROUP))
    except OffbenchError:
        raise
    except ImportError as error:
        raise OffbenchError(f"solver '{name}' is not installed: {error}{_beside(source, error)}") from error
    except SystemExit as error:
        code = "" if error.code is None else repr(error.code)
        raise OffbenchError(f"solver '{name}' can't be imported: it calls sys.exit({code})") from error
    except Exception as error:
        line = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        raise OffbenchError(f"solver '{name}' can't be imported: {line}{type(error).__name__}: {error}") from error
    _checked(solver, name)
    if name in solver.presets:
        return _preset(solver, name)
    if isinstance(source, str) and not source.startswith(f"{PACKAGE}."):
        return _renamed(solver, name)
    return solver


def _beside(source: str | Path, error: ImportError) -> str:
    """Tell how a module is found that lies beside a solver's file."""
    head = (error.name or "").partition(".")[0]
    if not head or not isinstance(source, Path):
        return ""
    there = (source.parent / f"{head}.py").is_file() or (source.parent / head).is_dir()
    return f"; it lies beside the file, and is found if PYTHONPATH names '{source.parent}'" if there else ""


def _checked(solver: type[Solver], name: str) -> type[Solver]:
    """Return a class; what it states of itself must be what it is read as."""
    for what in RULES:
        if hasattr(solver, what) and (fault := fault_of(what, getattr(solver, what))):
            raise OffbenchError(f"solver '{name}': {fault}")
    for preset, (_, defaults) in solver.presets.items():
        for parameter in defaults:
            if parameter not in solver.model_fields:
                raise OffbenchError(f"solver '{name}': preset '{preset}': it has no parameter '{parameter}'")
    return solver


@cache
def _preset(solver: type[Solver], name: str) -> type[Solver]:
    """Return the solver under another name, with that name's defaults."""
    description, defaults = solver.presets[name]
    fields: dict[str, Any] = {}
    for field_name, value in defaults.items():
        info = copy(solver.model_fields[field_name])
        info.default = value
        fields[field_name] = (info.annotation, info)
    preset = create_model(solver.__name__, __base__=solver, __module__=solver.__module__, **fields)
    preset.name = name
    preset.__doc__ = description
    return preset


@cache
def _renamed(solver: type[Solver], name: str) -> type[Solver]:
    """Return a solver under the name of its entry point, whatever it calls itself."""
    if vars(solver).get("name") == name:
        return solver
    renamed = create_model(solver.__name__, __base__=solver, __module__=solver.__module__)
    renamed.name = name
    renamed.__doc__ = solver.__doc__
    return renamed


def is_path(name: str) -> bool:
    """Tell the path of a file with a solver from a solver's name."""
    return name.partition(":")[0].endswith(".py")


def locate(name: str) -> tuple[str | Path, str]:
    """Return the module or file, and the class, that `find` would import; raises and warns as it does."""
    path, _, wanted = name.partition(":")
    if is_path(name):
        if not Path(path).is_file():
            raise OffbenchError(f"{path}: no such file")
        return Path(path), wanted
    entry = _entry(name)
    if entry.missing:
        raise OffbenchError(f"solver '{name}' is not installed: it needs {', '.join(entry.missing)}")
    if entry.fault:
        raise OffbenchError(f"solver '{name}': {entry.where}: {entry.fault}")
    if entry.note:
        warnings.warn(f"solver '{name}' is the one of {entry.where}: {entry.note}", OffbenchWarning, stacklevel=3)
    module, _, wanted = entry.target.partition(":")
    return module, wanted


def _entry(name: str) -> Entry:
    # Other packages are imported only where none of ours has the name; that takes longer than a small instance.
    known: dict[str, Entry] = {}
    for entry in _own_entries():
        _add(known, entry)
    if name in known:
        for point in _points():
            if point.name == name:
                _add(known, _unused(point))
        return known[name]
    known = catalogue()
    if name not in known:
        raise OffbenchError(f"unknown solver '{name}'{nearest(name, list(known))}; `offbench solvers` lists them")
    return known[name]


def _import_file(path: Path) -> ModuleType:
    name = f"{IMPORTED_AS}{path.stem}"
    spec = spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look there for the names in annotations
    spec.loader.exec_module(module)
    return module


def _pick(module: ModuleType, wanted: str, source: str) -> type[Solver]:
    solvers = {
        name: thing
        for name, thing in vars(module).items()
        if inspect.isclass(thing)
        and issubclass(thing, Solver)
        and not inspect.isabstract(thing)
        and thing.__module__ == module.__name__
    }
    if wanted and wanted not in solvers:
        raise OffbenchError(f"{source}: has no solver '{wanted}'{nearest(wanted, list(solvers))}")
    if not wanted and len(solvers) != 1:
        has = ", ".join(solvers) or "none"
        raise OffbenchError(f"{source}: must have one subclass of offbench.Solver with a solve method, has {has}")
    solver = solvers[wanted] if wanted else next(iter(solvers.values()))
    if "name" not in vars(solver):
        file = Path(module.__file__ or module.__name__)
        solver.name = default_name(file.parent.name if file.stem == "__init__" else file.stem)
    return solver


def describe(solver: type[Solver]) -> str:
    """Return the one-line description of a solver."""
    return (inspect.getdoc(solver) or "").split("\n")[0]
