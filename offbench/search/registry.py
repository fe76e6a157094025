"""How a solver is found: by name, by entry point, by path; and how it is configured.

The folder `offbench.solvers` is listed and read as text, so that finding one solver imports no
other, and one whose library is missing breaks nothing.
"""

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError, create_model

from offbench.errors import OffbenchError, nearest
from offbench.files.json import one_line
from offbench.search.solver import Solver

PACKAGE = "offbench.solvers"
GROUP = "offbench.solvers"
_BASES = ("Solver", "Trainable")


@dataclass(frozen=True)
class Entry:
    """A solver that was found, but not imported."""

    name: str
    description: str
    solves: str
    where: str
    """the file or entry point that has it"""
    target: str
    """module, or path, and class: ``offbench.solvers.greedy:Greedy``"""
    missing: tuple[str, ...] = field(default=())
    """packages that it imports and that are not installed"""


def catalogue() -> dict[str, Entry]:
    """Return every solver that can be found by name; only those of other packages are imported."""
    found: dict[str, Entry] = {}
    for entry in (*_own_entries(), *_foreign_entries()):
        found.setdefault(entry.name, entry)
    return dict(sorted(found.items()))


@cache
def _own_entries() -> tuple[Entry, ...]:
    spec = find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec and spec.submodule_search_locations else []
    entries = []
    for folder in folders:
        for path in sorted(Path(folder).iterdir()):
            is_package = (path / "__init__.py").is_file()
            if path.name.startswith("_") or not (is_package or path.suffix == ".py"):
                continue
            entries += _read(path, f"{PACKAGE}.{path.stem}")
    return tuple(entries)


def _foreign_entries() -> Iterator[Entry]:
    for point in entry_points(group=GROUP):
        description, solves = "", "P1"
        missing: tuple[str, ...] = ()
        try:
            solver = _solver_class(point.load(), point)
            description, solves = describe(solver), solver.solves
        except ImportError as error:
            missing = (error.name or str(error),)
        except Exception as error:
            description = f"can't be loaded: {error}"
        package = point.dist.name if point.dist else "?"
        yield Entry(point.name, description, solves, f"entry point of {package}", point.value, missing)


def _solver_class(thing: object, point: EntryPoint) -> type[Solver]:
    if isinstance(thing, type) and issubclass(thing, Solver):
        return thing
    raise OffbenchError(f"solver '{point.name}': entry point {point.value} is no subclass of offbench.Solver")


def _read(path: Path, module: str) -> list[Entry]:
    """Read the solvers of one file or folder off its text."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    try:
        trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    except SyntaxError as error:
        unreadable = f"can't be read: line {error.lineno}: {error.msg}"
        return [Entry(_default_name(path.stem), unreadable, "?", path.name, f"{module}:")]
    tree = trees[files.index(path / "__init__.py")] if path.is_dir() else trees[0]
    missing = tuple(sorted({name for each in trees for name in _imports(each) if find_spec(name) is None}))
    entries = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(ast.unparse(base).split(".")[-1] in _BASES for base in node.bases):
            facts = _class_facts(node)
            names = {facts.get("name", _default_name(path.stem)): (ast.get_docstring(node) or "").split("\n")[0]}
            names |= {name: description for name, (description, _) in facts.get("presets", {}).items()}
            solves, target = facts.get("solves", "P1"), f"{module}:{node.name}"
            entries += [Entry(name, text, solves, path.name, target, missing) for name, text in names.items()]
    return entries


def _class_facts(node: ast.ClassDef) -> dict[str, Any]:
    return {
        line.target.id: ast.literal_eval(line.value)
        for line in node.body
        if isinstance(line, ast.AnnAssign)
        and isinstance(line.target, ast.Name)
        and line.target.id in ("name", "solves", "presets")
        and line.value is not None
    }


def _imports(node: ast.AST) -> Iterator[str]:
    """Yield the packages that a file can't do without; an import in a ``try`` has its own way out."""
    if isinstance(node, ast.Import):
        yield from (alias.name.split(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        yield node.module.split(".")[0]
    elif not isinstance(node, ast.Try):
        for child in ast.iter_child_nodes(node):
            yield from _imports(child)


def _default_name(stem: str) -> str:
    return stem.replace("_", "-")


def find(name: str) -> type[Solver]:
    """Import one solver.

    Parameters
    ----------
    name
        A solver's name, or the path of a Python file with one, ``./mine.py`` or ``./mine.py:Mine``.

    Raises
    ------
    OffbenchError
        If there is no such solver, or a library of it is not installed.
    """
    source, wanted = locate(name)
    try:
        module = _import_file(source) if isinstance(source, Path) else import_module(source)
    except ImportError as error:
        raise OffbenchError(f"solver '{name}' is not installed: {error}") from error
    except Exception as error:
        line = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        raise OffbenchError(f"solver '{name}' can't be imported: {line}{type(error).__name__}: {error}") from error
    solver = _pick(module, wanted, str(source))
    return _preset(solver, name) if name in solver.presets else solver


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


def locate(name: str) -> tuple[str | Path, str]:
    """Return the module or file, and the class, that `find` would import; raises as it does."""
    path, _, wanted = name.partition(":")
    if path.endswith(".py"):
        if not Path(path).is_file():
            raise OffbenchError(f"{path}: no such file")
        return Path(path), wanted
    known = {entry.name: entry for entry in _own_entries()}
    if name not in known:  # only then are other packages asked, which takes longer than a small instance
        known = catalogue()
    if name not in known:
        raise OffbenchError(f"unknown solver '{name}'{nearest(name, list(known))}; `offbench solvers` lists them")
    if known[name].missing:
        raise OffbenchError(f"solver '{name}' is not installed: it needs {', '.join(known[name].missing)}")
    module, _, wanted = known[name].target.partition(":")
    return module, wanted


def _import_file(path: Path) -> ModuleType:
    name = f"offbench_solver_{path.stem}"
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
        solver.name = _default_name(file.parent.name if file.stem == "__init__" else file.stem)
    return solver


def describe(solver: type[Solver]) -> str:
    """Return the one-line description of a solver."""
    return (inspect.getdoc(solver) or "").split("\n")[0]


def parameter_type(solver: type[Solver], name: str) -> str:
    """Return the type of a parameter as a reader would write it: ``float``, ``int | None``."""
    return _type_text(solver.model_fields[name].annotation)


def _type_text(annotation: Any) -> str:
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _type_text(arguments[0])
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, arguments))
    if get_origin(annotation) in (Union, UnionType):
        return " | ".join(map(_type_text, arguments))
    if annotation is NoneType:
        return "None"
    name: str = getattr(get_origin(annotation) or annotation, "__name__", str(annotation))
    return f"{name}[{', '.join(map(_type_text, arguments))}]" if arguments else name


def configure(solver: type[Solver], name: str, parameters: Mapping[str, Any]) -> Solver:
    """Make a solver with *parameters*, whose values may be texts as given on the command line.

    Raises
    ------
    OffbenchError
        If a parameter is unknown or its value is of the wrong type or out of range.
    """
    known = list(solver.model_fields)
    for parameter in parameters:
        if parameter not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise OffbenchError(f"solver '{name}' has no parameter '{parameter}'{nearest(parameter, known)}; {has}")
    try:
        return solver(**parameters)
    except ValidationError as error:
        raise OffbenchError(f"solver '{name}': parameter {one_line(error)}") from None
