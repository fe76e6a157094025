"""Solvers read off their text: what is known of one that was found and not imported."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, get_args

from offbench.errors import OffbenchError
from offbench.search.solver import Solver, Solves
from offbench.search.source import Source, closure, find_class

PACKAGE = "offbench.solvers"

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


def read(source: Source, path: Path) -> list[Entry]:
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
    return Entry(default_name(path.stem), fault, "?", path.name, target or f"{source.module}:", wrong=fault)


def _entries_of(
    source: Source, path: Path, node: ast.ClassDef, lineage: list[tuple[Source, ast.ClassDef]]
) -> Iterator[Entry]:
    facts = _stated(node)
    solves = next((solves for _, each in lineage if (solves := _stated(each).get("solves"))), "P1")
    text = next((text for _, each in lineage if (text := ast.get_docstring(each))), "")
    texts = {facts.get("name", default_name(path.stem)): text.split("\n")[0]}
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
            if not isinstance(target, ast.Name) or target.id not in RULES or value is None:
                continue
            name = target.id
            if isinstance(line, ast.AnnAssign) and "ClassVar" not in ast.unparse(line.annotation):
                raise OffbenchError(f"line {line.lineno}: {name}: must be a ClassVar, for it is no parameter")
            try:
                facts[name] = ast.literal_eval(value)
            except ValueError:
                raise OffbenchError(f"line {line.lineno}: {name}: must be a literal, for it is read as text") from None
            if fault := fault_of(name, facts[name]):
                raise OffbenchError(f"line {line.lineno}: {fault}")
    return facts


def _is_presets(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(each, tuple) and [*map(type, each)] == [str, dict]
        for name, each in value.items()
    )


RULES: dict[str, tuple[str, Any]] = {
    "name": ("must be a text", lambda value: isinstance(value, str) and bool(value)),
    "solves": (f"must be one of {', '.join(get_args(Solves))}", get_args(Solves).__contains__),
    "presets": ("must be a dict of names to pairs of a description and a dict of parameters", _is_presets),
    "is_baseline": ("must be True or False", lambda value: isinstance(value, bool)),
    "finds_front": ("must be True or False", lambda value: isinstance(value, bool)),
}


def fault_of(name: str, value: Any) -> str:
    """Tell what is wrong with what a class states of itself; empty if nothing is."""
    rule, holds = RULES[name]
    return "" if holds(value) else f"{name}: {rule}, not {value!r}"


def default_name(stem: str) -> str:
    """Return the name of a solver whose class states none: its file's, with hyphens."""
    return stem.replace("_", "-")
