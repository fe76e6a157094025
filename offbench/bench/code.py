"""Which code decides a run, and its fingerprint.

A run goes through the solver's file, what it imports and what that imports in turn, and through what the core's
functions that make a run import. Only what changes what happens counts: no comment, docstring, layout or
annotation for type checkers.
"""

import ast
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from offbench.search.source import FRONT_DOOR, Source, closure, find_source, is_for_typing, spec_of

RUN, TWO_STEPS = "offbench.runs.solve", "offbench.runs.two_step"
PRESENTATION = frozenset({"offbench.runs.summary"})
"""modules that a run's parts import to show what came out"""


def files(own: Iterable[Source], two_step: bool = False, beside: Path | None = None) -> dict[str, Source]:
    """Return the files that decide a run, as they are now, by module.

    Parameters
    ----------
    own
        The solver's file; all files of its package, where another one brings it along.
    two_step
        Whether the run is one in two steps.
    beside
        A folder whose files are imported by one name.
    """
    solver = list(own)
    mine = {source.module.partition(".")[0] for source in solver}

    def follows(module: str) -> bool:
        top = module.partition(".")[0]
        return _of_core(module) or (top in mine and top != FRONT_DOOR) or is_here(top)

    roots = [source for name in (RUN, *([TWO_STEPS] if two_step else [])) if (source := find_source(name)) is not None]
    core = closure(roots, _of_core)
    return {**core, **closure(solver, follows, beside=beside, known=core)}


def fingerprint(sources: Mapping[str, Source]) -> str:
    """Return a short hash of what files do, the same under every version of Python that reads them alike."""
    whole = sha256()
    for name, source in sorted(sources.items()):
        whole.update(f"{name}\0{digest(source)}\n".encode())
    return whole.hexdigest()[:12]


def package_files(module: str) -> list[Source]:
    """Return the files of code of the package that a module is of, compiled ones too; they count by their bytes."""
    top = module.partition(".")[0]
    spec = spec_of(top)
    if spec is None:
        return []
    if spec.submodule_search_locations is None:
        return [Source.at(top, Path(spec.origin))] if spec.has_location and spec.origin else []
    found = []
    for folder in map(Path, spec.submodule_search_locations):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".so", ".pyd") and path.is_file():
                parts = path.relative_to(folder).parts
                names = [top, *parts[:-1], path.stem if path.suffix == ".py" else path.name]
                found.append(Source.at(".".join(names).removesuffix(".__init__"), path))
    return found


def _of_core(module: str) -> bool:
    return module.startswith(f"{FRONT_DOOR}.") and module not in PRESENTATION


@cache
def is_here(package: str) -> bool:
    """Tell whether a package is neither Python's own nor installed: code of the user's, whose version says nothing."""
    if package in sys.stdlib_module_names:
        return False
    found = find_source(package)
    if found is None:
        return False
    paths = sysconfig.get_paths()
    libraries = [Path(paths[name]).resolve() for name in ("purelib", "platlib", "stdlib")]
    where = found.path.resolve()
    return not any(where.is_relative_to(folder) for folder in libraries) and "site-packages" not in where.parts


@cache
def digest(source: Source) -> str:
    """Return a hash of what a file does; of its bytes where it can't be parsed."""
    if source.fault is not None:
        return sha256(source.path.read_bytes()).hexdigest()
    told: list[str] = []
    _normal(source.tree, told)
    return sha256("".join(told).encode()).hexdigest()


def _normal(node: Any, told: list[str]) -> None:
    """Append a syntax tree as text.

    Unlike `ast.dump`, it leaves out what does nothing, and what is empty: fields that some versions of Python have.
    """
    if isinstance(node, ast.Constant):
        told.append(f"{type(node.value).__name__}:{node.value!a}")
    elif isinstance(node, ast.AST):
        told.append(type(node).__name__)
        told.append("(")
        for name in node._fields:
            value = getattr(node, name, None)
            if value is None or value == [] or name in _UNSAID or (type(node), name) in _TYPES:
                continue
            if isinstance(node, ast.JoinedStr):  # some versions see empty texts between its parts
                value = [each for each in value if not (isinstance(each, ast.Constant) and each.value == "")]
            told.append(f"{name}=")
            _normal(value, told)
        told.append(")")
    elif isinstance(node, list):
        told.append("[")
        for each in _doing(node):
            _normal(each, told)
            told.append(",")
        told.append("]")
    else:
        told.append(ascii(node))


def _doing(nodes: list[Any]) -> Iterator[Any]:
    """Yield what does something: no texts where docstrings may stand, no imports for type checkers."""
    for node in nodes:
        if isinstance(node, ast.If) and is_for_typing(node):
            yield from _doing(node.orelse)
        elif not (isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str)):
            yield node


# Whether a name is read or written shows in its place.
_UNSAID = frozenset({"ctx", "type_comment", "type_ignores"})
# Those of functions are for type checkers; a class's fields are made of theirs.
_TYPES = frozenset({(ast.FunctionDef, "returns"), (ast.AsyncFunctionDef, "returns"), (ast.arg, "annotation")})
