"""A module of torch from its factory's name, exported without memory for its weights."""

import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offbench.errors import OffbenchError, nearest

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram

Shape = tuple[int, ...]
# Inputs that are whole numbers wherever a network has one, unless a type is said.
_WHOLE = ("ids", "mask", "tokens", "indices")


def exported(name: str, shapes: Mapping[str, Shape]) -> tuple["ExportedProgram", dict[str, str]]:
    """Return a module's program, and the first name of weights that modules share.

    Parameters
    ----------
    name
        A file or a module, a colon, and the factory in it.
    shapes
        Of the inputs, by the names of ``forward``'s parameters; a colon and a type may follow the name.

    Raises
    ------
    OffbenchError
        If something of this isn't there or fails.
    """
    import torch

    with redirect_stdout(sys.stderr):  # what it prints is no network
        module = _made(_factory(name), name)
    inputs = _inputs(module, shapes, name)
    first = {id(one): path for path, one in reversed(list(_tensors(module)))}
    tied = {path: first[id(one)] for path, one in _tensors(module)}
    with warnings.catch_warnings(), torch.no_grad(), torch.device("meta"):
        warnings.simplefilter("ignore")
        try:
            # Without decompositions of its own it only makes what is changed in place anew, by what reads what.
            program = torch.export.export(module, (), inputs, strict=False)
            return program.run_decompositions({}), tied
        except Exception as error:  # whatever a network of somebody else's raises
            raise OffbenchError(f"{name}: torch.export can't follow it: {_told(error)}") from None


def _tensors(module: "torch.nn.Module") -> Iterator[tuple[str, "torch.Tensor"]]:
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def _factory(name: str) -> Callable[[], Any]:
    where, _, path = name.rpartition(":")
    try:
        found: Any = _of_file(Path(where)) if where.endswith(".py") else import_module(where)
    except OffbenchError:
        raise
    except ModuleNotFoundError as error:
        raise OffbenchError(f"{name}: no module named '{error.name}'") from None
    except (Exception, SystemExit) as error:  # it is code of the user's
        raise OffbenchError(f"{name}: '{where}' can't be imported: {_told(error)}") from None
    for part in path.split("."):
        if not hasattr(found, part):
            known = [each for each, value in vars(found).items() if callable(value) and not each.startswith("_")]
            raise OffbenchError(f"{name}: '{where}' has no '{part}'{nearest(part, known)}")
        found = getattr(found, part)
    if not callable(found):
        raise OffbenchError(f"{name}: '{path}' must be a class or a function that makes an nn.Module")
    return found  # type: ignore[no-any-return]


def _of_file(path: Path) -> Any:
    if not path.is_file():
        raise OffbenchError(f"{path}: no such file")
    spec = spec_from_file_location(f"offbench_imported_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    with _beside(path):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """Let a file import those beside it."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _made(factory: Callable[[], Any], name: str) -> "torch.nn.Module":
    import torch

    try:
        with torch.device("meta"):
            made = factory()
    except (Exception, SystemExit):  # some look at values while they are made, which there are none of
        try:
            made = factory()
        except (Exception, SystemExit) as error:
            raise OffbenchError(f"{name}: fails when called without arguments: {_told(error)}") from None
    if not isinstance(made, torch.nn.Module):
        raise OffbenchError(f"{name}: must make an nn.Module, not a {type(made).__name__}")
    return made.eval().to("meta")


def _inputs(module: "torch.nn.Module", shapes: Mapping[str, Shape], name: str) -> dict[str, "torch.Tensor"]:
    import torch

    taken = inspect.signature(module.forward).parameters
    given: dict[str, torch.Tensor] = {}
    for key, shape in shapes.items():
        parameter, _, kind = key.partition(":")
        if parameter not in taken:
            hint = nearest(parameter, list(taken))
            raise OffbenchError(f"{name}: --shape {key}: no such input{hint}; inputs: {', '.join(taken)}")
        dtype = getattr(torch, kind, None) if kind else torch.int64 if parameter.endswith(_WHOLE) else torch.float32
        if not isinstance(dtype, torch.dtype):
            raise OffbenchError(f"{name}: --shape {key}: '{kind}' is no type of torch, such as float32, float16, int64")
        given[parameter] = torch.empty(shape, dtype=dtype, device="meta")
    needed = (
        each
        for each, about in taken.items()
        if about.default is about.empty and about.kind not in (about.VAR_POSITIONAL, about.VAR_KEYWORD)
    )
    missing = next((each for each in needed if each not in given), None)
    if missing is not None or not given:
        what = missing or next(iter(taken), "x")
        raise OffbenchError(
            f"{name}: input '{what}': say how large it is, such as --shape {what}=1,3,224,224 or {what}:int64=1,128"
        )
    return given


def _told(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
