"""How a solver is found: by name, by entry point, by path; and how it is configured.

The folder `offbench.solvers` is listed and read as text, so that finding one solver imports no
other, and one whose library is missing breaks nothing.
"""

import ast
import inspect
import sys
import warnings
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import ValidationError, create_model

from offbench.errors import OffbenchError, OffbenchWarning, nearest
from offbench.files.json import one_line
from offbench.files.shipped import folders_of
from offbench.search.solver import Solver, Solves
from offbench.search.source import Source, closure, find_class

PACKAGE = "offbench.solvers"
GROUP = "offbench.solvers"

Property = Literal["is_baseline", "finds_front"]


@dataclass(frozen=True)
class Entry:
    """A solver that was found, but not imported."""

    name: str
    description: str
    solves: str
    """a question mark where that can't be told"""
    where: str
    """the file or entry point that has it"""
    target: str
    """module, or path, and class: ``offbench.solvers.greedy:Greedy``"""
    source: Source | None = None
    """its file, if it is of the package's own"""
    lacks: str = ""
    """the package that an entry point failed to import"""
    wrong: str = ""
    """why it can't be used, as far as its class tells"""
    note: str = ""
    """what else of its name was found, and is not used"""
    is_baseline: bool = False
    """`Solver.is_baseline`"""
    finds_front: bool = False
    """`Solver.finds_front`"""

    @property
    def missing(self) -> tuple[str, ...]:
        """Packages that it imports and that are not installed."""
        needed = [self.lacks] if self.lacks else []
        if self.source is not None:
            needed = [name for name in _needed(self.source) if find_spec(name) is None]
        return tuple(needed)

    @property
    def fault(self) -> str:
        """Why it can't be used, if not for a missing package; empty if it can."""
        return self.wrong or ("" if self.source is None else _unreadable(self.source))

    @property
    def usable(self) -> bool:
        """Whether it can be imported, as far as can be told without doing so."""
        return not self.missing and not self.fault


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
                entries += _read(Source.at(f"{PACKAGE}.{path.stem}", file), path)
    return tuple(entries)


@cache
def _parts(source: Source) -> tuple[Source, ...]:
    """Return a solver's file and what it imports of the solvers' folder, outside of any ``try``."""
    return tuple(closure([source], lambda module: module.startswith(f"{PACKAGE}."), tried=False).values())


@cache
def _needed(source: Source) -> tuple[str, ...]:
    """Return the packages that a solver can't do without; what it imports in a ``try`` has its own way out."""
    imports = (each for part in _parts(source) if part.fault is None for each in part.imports)
    return tuple(
        sorted({each.module.partition(".")[0] for each in imports if each.module and each.counts(tried=False)})
    )


def _unreadable(source: Source) -> str:
    return next((f"can't be read: {_of(part, source)}{part.fault}" for part in _parts(source) if part.fault), "")


def _of(part: Source, source: Source) -> str:
    return "" if part is source else f"{part.path.name}: "


def _read(source: Source, path: Path) -> list[Entry]:
    """Read the solvers of one file or folder off its text."""
    if source.fault is not None:
        return [_faulty(source, path, f"can't be read: {source.fault}")]
    entries: list[Entry] = []
    doubts: dict[str, bool] = {}
    for node in source.classes:
        lineage, unseen = _lineage(source, node)
        if lineage is None:
            if unseen:
                has_solve = any(isinstance(part, ast.FunctionDef) and part.name == "solve" for part in node.body)
                doubts[f"class {node.name}: its base {unseen} isn't seen as a Solver in the text"] = has_solve
            continue
        if not unseen and _is_abstract(lineage):
            continue
        try:
            entries += _entries_of(source, path, node, lineage)
        except OffbenchError as error:
            entries.append(_faulty(source, path, f"class {node.name}: {error}", f"{source.module}:{node.name}"))
    nothing = not entries
    entries += [_faulty(source, path, doubt) for doubt, likely in doubts.items() if likely or nothing]
    if not entries:
        entries.append(_faulty(source, path, "no class in it is seen as a Solver with a solve method in the text"))
    return entries


def _faulty(source: Source, path: Path, fault: str, target: str = "") -> Entry:
    return Entry(_default_name(path.stem), fault, "?", path.name, target or f"{source.module}:", wrong=fault)


def _entries_of(
    source: Source, path: Path, node: ast.ClassDef, lineage: list[tuple[Source, ast.ClassDef]]
) -> Iterator[Entry]:
    facts = _stated(node)
    solves = next((solves for _, each in lineage if (solves := _stated(each).get("solves"))), "P1")
    text = next((text for _, each in lineage if (text := ast.get_docstring(each))), "")
    texts = {facts.get("name", _default_name(path.stem)): text.split("\n")[0]}
    texts |= {name: description for name, (description, _) in facts.get("presets", {}).items()}
    stated: dict[str, Any] = {name: facts.get(name, False) for name in get_args(Property)}
    for name, text in texts.items():
        yield Entry(name, text, solves, path.name, f"{source.module}:{node.name}", source, **stated)


_Lineage = list[tuple[Source, ast.ClassDef]]


def _lineage(source: Source, node: ast.ClassDef, below: tuple[ast.ClassDef, ...] = ()) -> tuple[_Lineage | None, str]:
    """Return a class and its bases up to `Solver`, nearest first, and a base that the text doesn't show.

    None if it is no solver as far as that can be told.
    """
    found: _Lineage = [(source, node)]
    is_solver, unseen = False, ""
    for base in node.bases:
        name = ast.unparse(base.value if isinstance(base, ast.Subscript) else base)
        known = find_class(source, name, before=node.lineno)
        if known is None or known[1] in below:
            unseen = unseen or ("" if source.is_of_standard_library(name) else name)
            continue
        of_base: _Lineage | None = [known]
        if (known[0].module, known[1].name) != (Solver.__module__, Solver.__name__):
            of_base, further = _lineage(*known, (*below, node))
            unseen = unseen or further
        if of_base is not None:
            is_solver = True
            found += of_base
    return (found if is_solver else None), unseen


def _is_abstract(lineage: _Lineage) -> bool:
    methods: dict[str, bool] = {}
    for _, node in lineage:
        for part in node.body:
            if isinstance(part, ast.FunctionDef):
                abstract = any(ast.unparse(each).endswith("abstractmethod") for each in part.decorator_list)
                methods.setdefault(part.name, abstract)
            elif isinstance(part, ast.Assign):  # a method by another's name
                methods |= {ast.unparse(each): False for each in part.targets if ast.unparse(each) not in methods}
    return any(methods.values())


def _stated(node: ast.ClassDef) -> dict[str, Any]:
    """Return what a class states of itself.

    Raises
    ------
    OffbenchError
        If that is no literal, or of the wrong kind.
    """
    facts: dict[str, Any] = {}
    for line in node.body:
        if isinstance(line, ast.AnnAssign):
            targets: list[ast.expr] = [line.target]
            value = line.value
        elif isinstance(line, ast.Assign):
            targets, value = line.targets, line.value
        else:
            continue
        for target in targets:
            if not isinstance(target, ast.Name) or target.id not in _RULES or value is None:
                continue
            name = target.id
            if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.unparse(line.annotation):
                raise OffbenchError(f"line {line.lineno}: {name}: must be a ClassVar, for it is no parameter")
            try:
                facts[name] = ast.literal_eval(value)
            except ValueError:
                raise OffbenchError(f"line {line.lineno}: {name}: must be a literal, for it is read as text") from None
            if fault := _fault_of(name, facts[name]):
                raise OffbenchError(f"line {line.lineno}: {fault}")
    return facts


def _is_presets(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(each, tuple) and [*map(type, each)] == [str, dict]
        for name, each in value.items()
    )


_RULES: dict[str, tuple[str, Any]] = {
    "name": ("must be a text", lambda value: isinstance(value, str) and bool(value)),
    "solves": (f"must be one of {', '.join(get_args(Solves))}", get_args(Solves).__contains__),
    "presets": ("must be a dict of names to pairs of a description and a dict of parameters", _is_presets),
    "is_baseline": ("must be True or False", lambda value: isinstance(value, bool)),
    "finds_front": ("must be True or False", lambda value: isinstance(value, bool)),
}


def _fault_of(name: str, value: Any) -> str:
    """Tell what is wrong with what a class states of itself; empty if nothing is."""
    rule, holds = _RULES[name]
    return "" if holds(value) else f"{name}: {rule}, not {value!r}"


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
    except Exception as error:
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


def _default_name(stem: str) -> str:
    return stem.replace("_", "-")


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
        raise OffbenchError(f"solver '{name}' is not installed: {error}") from error
    except Exception as error:
        line = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        raise OffbenchError(f"solver '{name}' can't be imported: {line}{type(error).__name__}: {error}") from error
    _checked(solver, name)
    if name in solver.presets:
        return _preset(solver, name)
    if isinstance(source, str) and not source.startswith(f"{PACKAGE}."):
        return _renamed(solver, name)
    return solver


def _checked(solver: type[Solver], name: str) -> type[Solver]:
    """Return a class; what it states of itself must be what it is read as."""
    for what in _RULES:
        if hasattr(solver, what) and (fault := _fault_of(what, getattr(solver, what))):
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


def locate(name: str) -> tuple[str | Path, str]:
    """Return the module or file, and the class, that `find` would import; raises and warns as it does."""
    path, _, wanted = name.partition(":")
    if path.endswith(".py"):
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
