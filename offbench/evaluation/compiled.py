"""How compiled functions are made: kept on disk where that can be had, compiled in every run where not.

Numba looks for a folder for each function when it is decorated, and refuses the function where it finds none that can
be written. Without a folder these functions are compiled all the same, and a note says so.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from time import perf_counter
from types import FunctionType
from typing import Any

from numba import njit
from numba.core import cgutils, types
from numba.core.caching import FunctionCache, NullCache
from numba.core.datamodel.models import PrimitiveModel
from numba.core.dispatcher import Dispatcher
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, register_model
from numba.np import linalg

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

FastMath = bool | set[str]

# Here numba imports SciPy, an eighth of a start, to see whether matrices can be multiplied. What multiplies asks again.
if callable(asks := getattr(linalg, "ensure_blas", None)):  # other versions of numba may have no such thing
    linalg.ensure_blas = lambda: None
    arraymath: Any = import_module("numba.np.arraymath")
    linalg.ensure_blas = arraymath.ensure_blas = asks


def compiled(function: Callable[..., Any] | None = None, *, fastmath: FastMath = False) -> Any:
    """Compile a function for the types that it is called with; what it does must not need the interpreter.

    Parameters
    ----------
    function
        What is compiled.
    fastmath
        What the compiler may take for granted of floating-point numbers, as numba has it.
    """
    if function is None:
        return partial(compiled, fastmath=fastmath)
    made: Any = njit(nogil=True, error_model="numpy", fastmath=fastmath)(function)
    try:
        made._cache = _Kept(function)
    except RuntimeError:  # no folder can be written
        made._cache = _NotKept()
    return made


def inlined(function: Callable[..., Any] | None = None, *, fastmath: FastMath = False) -> Any:
    """Compile a function into those that call it; Python can't."""
    if function is None:
        return partial(inlined, fastmath=fastmath)
    # Unpacking a workspace from Python's objects would be most of what is compiled.
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return njit(forceinline=True, error_model="numpy", fastmath=fastmath, **options)(function)


class _Lent(types.Type):
    """A named tuple that is borrowed: one value whose fields can be read."""

    def __init__(self, fields):
        super().__init__(f"lent({fields})")
        self.fields = fields


@register_model(_Lent)
class _OneValue(PrimitiveModel):
    def __init__(self, models, lent):
        super().__init__(models, lent, models.lookup(lent.fields).get_value_type())


@infer_getattr
class _Field(AttributeTemplate):
    key = _Lent

    def generic_resolve(self, lent, name):  # type: ignore[override]
        kind = lent.fields
        return _lent(kind[kind.fields.index(name)]) if name in kind.fields else None


@lower_getattr_generic(_Lent)
def _read(_context, builder, lent, value, name):
    return builder.extract_value(value, lent.fields.fields.index(name))


def _lent(kind):
    """Return the type of what is borrowed from a value of a type."""
    if isinstance(kind, types.BaseNamedTuple):
        return _Lent(kind)
    if isinstance(kind, types.BaseTuple):
        kinds: Any = kind
        return types.Tuple([_lent(part) for part in kinds])
    return kind


@inlined
def copy_to(target, source):
    """Copy a row to another as long; of ``target[:] = source`` numba compiles what it says of shapes, too: seconds."""
    for i in range(target.size):
        target[i] = source[i]


def _borrow(_, value):
    def generate(context, builder, _, values):
        return _uncounted(context, builder, value, values[0])

    return _lent(value)(value), generate


borrowed: Any = intrinsic(_borrow)
"""Of an array, or of a tuple with arrays in it, the same without counts of references; for compiled functions.

Of an array that travels in a tuple, numba counts a reference up and down wherever a loop reads it. Borrow arguments of
the function, which its caller keeps, and what the function itself keeps until its last line (`keep`).

Of a named tuple only the fields can be read. Numba hands it to a function that is inlined as one value, where it would
take a tuple apart into hundreds of numbers and put it together again: nearly half of the time that compiling takes.
Borrow it in the function that Python calls. If an inlined one returned it, it would stay in memory: slower loops.
"""


def _keep(_, value):
    def generate(context, _builder, _signature, _values):
        return context.get_dummy_value()

    return types.none(value), generate


keep: Any = intrinsic(_keep)
"""Keep what is borrowed from a value until here: numba frees an array behind the last line that names it."""


def _uncounted(context, builder, kind, value):
    if isinstance(kind, types.BaseTuple):
        kinds: Any = kind
        parts = zip(kinds, cgutils.unpack_tuple(builder, value), strict=True)
        return context.make_tuple(builder, kind, [_uncounted(context, builder, *part) for part in parts])
    if isinstance(kind, types.Array):
        view = cgutils.create_struct_proxy(kind)(context, builder, value=value)
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        view.parent = cgutils.get_null_value(view.parent.type)
        return view._getvalue()
    return value


# A cache was cut short, as when the machine went down, or it names a class that has another place since.
_OF_NO_USE = EOFError, UnpicklingError, ImportError, AttributeError


class Compiling:
    """What is compiled in this process because it isn't kept yet."""

    def __init__(self) -> None:
        self.now: str | None = None
        """the function that is compiled now"""
        self.seconds: dict[str, float] = {}
        """of those that were, how long that took"""
        self._begun: list[tuple[str, float]] = []

    def begin(self, name: str) -> None:
        """Note that a function is compiled from now on."""
        self._begun.append((name, perf_counter()))
        self.now = name

    def end(self) -> None:
        """Note that it is done; what it calls and is compiled meanwhile is part of it."""
        if self._begun:
            name, begun_s = self._begun.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - begun_s
        self.now = self._begun[-1][0] if self._begun else None


COMPILING = Compiling()


class _Kept(FunctionCache):
    """Numba's cache, but nothing breaks where it can't be read or written, and it sees changes in inlined functions."""

    def load_overload(self, sig, target_context):
        found = self._load(sig, target_context)
        if found is None:
            COMPILING.begin(f"{self._py_func.__module__.removeprefix('offbench.')}.{self._py_func.__name__}")
        return found

    def _load(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except OSError:
            return None
        except _OF_NO_USE:
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig, data):
        COMPILING.end()
        try:
            super().save_overload(sig, data)
        except (OSError, *_OF_NO_USE):
            _tell()

    def _index_key(self, sig, codegen):
        return *super()._index_key(sig, codegen), _sources(self._py_func)


class _NotKept(NullCache):
    def save_overload(self, sig, cres):
        _tell()


@cache
def _tell() -> None:
    """Say once, not in the output, that compiling takes its time in every run."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    print(
        "offbench: no folder for compiled code can be written, so it is compiled anew in every run, some seconds; "
        + (f"NUMBA_CACHE_DIR names '{named}'" if named else "NUMBA_CACHE_DIR can name one"),
        file=sys.stderr,
    )


def _sources(function: FunctionType) -> str:
    """Return a digest of all that is compiled into a function: the files of what it calls, and global constants."""
    facts = {_digest(__file__)}
    pending, seen = [function], {function}
    while pending:
        one = pending.pop()
        facts.add(_digest(one.__code__.co_filename))
        for name, value in _globals_of(one):
            if isinstance(value, Dispatcher):
                if value.py_func not in seen:
                    seen.add(value.py_func)
                    pending.append(value.py_func)
            elif isinstance(value, bool | int | float | str | tuple):
                facts.add(f"{one.__module__}.{name} = {value!r}")
            elif isinstance(value, type) and hasattr(value, "_fields"):
                facts.add(f"{one.__module__}.{name}: {value._fields!r}")
    return sha256("\n".join(sorted(facts)).encode()).hexdigest()


def _globals_of(function: FunctionType) -> Iterator[tuple[str, Any]]:
    known = function.__globals__
    return ((name, known[name]) for name in function.__code__.co_names if name in known)


@cache
def _digest(path: str) -> str:
    try:
        return sha256(Path(path).read_bytes()).hexdigest()
    except OSError:  # no plain file, as in an archive
        return ""
