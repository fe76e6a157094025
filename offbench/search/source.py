"""Python files read as text: which classes they have and what they import, without importing any.

So a solver is found, and the code that decides a run is known, without a library being loaded.
"""

import ast
import builtins
import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

FRONT_DOOR = "offbench"
"""the package itself: its names stand for those of other modules"""


@dataclass(frozen=True)
class Import:
    """A name that an import statement binds."""

    module: str
    """in full, relative ones too"""
    name: str | None
    """what is taken from it; None for the module itself, ``*`` for all"""
    bound: str
    """what it is called here"""
    tried: bool
    """within a ``try``, which has its own way out"""
    typing_only: bool
    """under ``TYPE_CHECKING``"""

    def counts(self, tried: bool = True) -> bool:
        """Tell whether a run can come by it; *tried* tells whether imports in a ``try`` count."""
        return not self.typing_only and (tried or not self.tried)

    @property
    def target(self) -> str:
        """What the bound name stands for, in full."""
        if self.name is not None:
            return f"{self.module}.{self.name}"
        return self.module if self.bound != self.module.partition(".")[0] else self.bound


@dataclass(frozen=True, eq=False)
class Source:
    """A file of Python and the module that it is.

    Where it has a *fault*, whatever looks at its tree raises.
    """

    module: str
    path: Path
    stamp: tuple[int, int]
    """its time, in ns, and size when it was found, before it is read"""

    @classmethod
    def at(cls, module: str, path: Path) -> "Source":
        """Return a file, looked at anew only where it has changed."""
        stat = path.stat()
        return _kept(module, path, (stat.st_mtime_ns, stat.st_size))

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        text = self.path.read_bytes()
        collecting = gc.isenabled()
        gc.disable()  # the collector would go through the new nodes again and again, a third of the time
        try:
            return ast.parse(text)
        finally:
            if collecting:
                gc.enable()

    @cached_property
    def fault(self) -> str | None:
        """Why it can't be parsed; None if it can."""
        try:
            self.tree  # noqa: B018
            return None
        except SyntaxError as error:
            return f"line {error.lineno}: {error.msg}"
        except ValueError as error:  # not UTF-8, or a null byte
            return str(error)

    @property
    def package(self) -> str:
        """The package that its relative imports start from."""
        return self.module if self.path.name == "__init__.py" else self.module.rpartition(".")[0]

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """All that it imports, wherever in the file."""
        return tuple(self._imports(self.tree.body, tried=False, typing_only=False))

    @cached_property
    def bindings(self) -> dict[str, str]:
        """What its imported names stand for, in full."""
        return {each.bound: each.target for each in self.imports}

    @cached_property
    def top_level(self) -> tuple[ast.stmt, ...]:
        """Statements that the import runs, those within ``if``, ``try`` and the like too."""
        return tuple(_unconditional(self.tree.body))

    @property
    def classes(self) -> Iterator[ast.ClassDef]:
        """Classes at the top level."""
        return (node for node in self.top_level if isinstance(node, ast.ClassDef))

    def is_of_standard_library(self, name: str) -> bool:
        """Tell whether what the file knows by a name comes with Python, or is built in."""
        head = name.partition(".")[0]
        target = self.bindings.get(head)
        return hasattr(builtins, head) if target is None else target.partition(".")[0] in sys.stdlib_module_names

    def _imports(self, body: Iterable[ast.stmt], tried: bool, typing_only: bool) -> Iterator[Import]:
        for node in body:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    yield Import(alias.name, None, bound, tried, typing_only)
            elif isinstance(node, ast.ImportFrom):
                module = self._absolute(node)
                for alias in node.names:
                    yield Import(module, alias.name, alias.asname or alias.name, tried, typing_only)
            else:
                within = tried or isinstance(node, ast.Try | ast.TryStar)
                for name, block in blocks(node):
                    only = typing_only or (name == "body" and is_for_typing(node))
                    yield from self._imports(block, within, only)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.package.split(".")
        return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


@cache
def _kept(module: str, path: Path, stamp: tuple[int, int]) -> Source:
    return Source(module, path, stamp)


def _unconditional(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for _, block in blocks(node):
                yield from _unconditional(block)


def blocks(node: ast.stmt) -> Iterator[tuple[str, list[ast.stmt]]]:
    """Yield the statements within a statement, by the name of their place."""
    for name in ("body", "orelse", "finalbody"):
        if block := getattr(node, name, None):
            yield name, block
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield "body", part.body


def is_for_typing(node: ast.stmt) -> bool:
    """Tell whether a statement is ``if TYPE_CHECKING:``."""
    test = node.test if isinstance(node, ast.If) else None
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))


def find_source(module: str) -> Source | None:
    """Return the file of a module, which isn't imported; None if it has none of Python."""
    package, _, name = module.rpartition(".")
    if not package:
        return _top(module)
    for folder in _folders(package):
        for path in (folder / name / "__init__.py", folder / f"{name}.py"):
            if path.is_file():
                return Source.at(module, path)
    return None


def _folders(package: str) -> list[Path]:
    """Return where a package's modules are."""
    loaded = sys.modules.get(package)
    if loaded is not None:
        return [Path(folder) for folder in getattr(loaded, "__path__", ())]
    above, _, name = package.rpartition(".")
    if above:
        return [folder / name for folder in _folders(above)]
    spec = spec_of(package)
    return [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec is not None else []


def _top(module: str) -> Source | None:
    loaded = sys.modules.get(module)
    origin = getattr(loaded, "__file__", None)
    if origin is None and loaded is None:
        spec = spec_of(module)
        origin = None if spec is None or not spec.has_location else spec.origin
    return Source.at(module, Path(origin)) if origin is not None and origin.endswith(".py") else None


def spec_of(module: str) -> ModuleSpec | None:
    """Return where a module of one name would come from, by whatever finds modules (editable installs bring theirs)."""
    try:
        return find_spec(module)
    except (ImportError, ValueError):
        return None


def closure(
    roots: Iterable[Source],
    follows: Callable[[str], bool],
    tried: bool = True,
    beside: Path | None = None,
    known: Iterable[str] = (),
) -> dict[str, Source]:
    """Return all modules that files import, and those import in turn, by name; the files included.

    Imports within functions count, those for type checkers don't. `FRONT_DOOR` stands for what is taken from it.

    Parameters
    ----------
    roots
        Where to begin.
    follows
        Tells of a module's name whether it is to be looked at.
    tried
        Whether imports within a ``try`` count.
    beside
        A folder whose files are found before all others, by one name.
    known
        Modules to leave out, and what only they import.
    """
    ahead = list(roots)
    found: dict[str, Source] = {}
    asked = {source.module for source in ahead} | set(known)
    while ahead:
        source = ahead.pop()
        found[source.module] = source
        for each in source.imports if source.fault is None else ():  # else whoever imports it will be told
            for module in _named(each) if each.counts(tried) else ():
                if module in asked:
                    continue
                asked.add(module)
                source_of = _beside(beside, module) or (find_source(module) if follows(module) else None)
                ahead += [] if source_of is None else [source_of]
    return found


def _named(each: Import) -> Iterator[str]:
    """Yield the modules that an import runs: those it names, and the packages around them."""
    if each.module == FRONT_DOOR:
        homes = _homes()
        if each.name in homes:
            yield from _with_packages(homes[each.name])
        elif each.name in (None, "*"):  # any of them may be meant
            yield from dict.fromkeys(homes.values())
        else:
            yield f"{FRONT_DOOR}.{each.name}"
        return
    yield from _with_packages(each.module)
    if each.name not in (None, "*"):
        yield f"{each.module}.{each.name}"


def _with_packages(module: str) -> Iterator[str]:
    parts = module.split(".")
    yield from (".".join(parts[:n]) for n in range(1, len(parts) + 1) if parts[:n] != [FRONT_DOOR])


def _homes() -> dict[str, str]:
    """Return the public names and the modules that have them, as the front door tells type checkers."""
    door = find_source(FRONT_DOOR)
    return {} if door is None else {each.bound: each.module for each in door.imports if each.typing_only}


def _beside(folder: Path | None, module: str) -> Source | None:
    path = folder / f"{module}.py" if folder is not None and "." not in module else None
    return Source.at(module, path) if path is not None and path.is_file() else None


def find_class(
    source: Source, name: str, before: int = sys.maxsize, seen: tuple[tuple[str, str], ...] = ()
) -> tuple[Source, ast.ClassDef] | None:
    """Return a class as a file knows it by a name, and the file that defines it.

    None if that can't be told from text: it isn't at the top level of a module of the package, or of *source*.

    Parameters
    ----------
    source, name
        The file, and the name, dots included.
    before
        The line before which the name is known.
    seen
        Where it has been looked for.
    """
    if (source.module, name) in seen:
        return None
    head, _, rest = name.partition(".")
    for node in reversed(source.top_level):
        if node.lineno >= before:
            continue
        if isinstance(node, ast.ClassDef) and node.name == head and not rest:
            return source, node
        if isinstance(node, ast.Assign) and head in [each.id for each in node.targets if isinstance(each, ast.Name)]:
            return find_class(source, f"{ast.unparse(node.value)}.{rest}".strip("."), node.lineno, seen)
    target = source.bindings.get(head)
    if target is None or target.partition(".")[0] != FRONT_DOOR:
        return None
    module, _, last = f"{target}.{rest}".strip(".").rpartition(".")
    found = find_source(module) if module else None
    return None if found is None else find_class(found, last, seen=(*seen, (source.module, name)))
