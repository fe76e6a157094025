"""States in files: only numbers, texts and tensors, so that reading one runs no code, and takes the file's size."""

import os
from typing import Any, BinaryIO
from zipfile import ZipFile

import numpy as np
import torch

from offbench import OffbenchError


def write(state: dict[str, Any], file: BinaryIO) -> None:
    """Write a state; its arrays as tensors."""
    torch.save(_as_tensors(state), file)


def read(file: BinaryIO) -> dict[str, Any]:
    """Read a state, onto the CPU.

    Raises
    ------
    OffbenchError
        If it says that it has more than the file can hold.
    """
    with ZipFile(file) as archive:  # which torch writes; it would read older forms, too
        held = sum(part.file_size for part in archive.infolist())
    if held > file.seek(0, os.SEEK_END):
        raise OffbenchError("can't be read: it is compressed, or holds its parts several times")
    file.seek(0)
    state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    _check(state)
    return state


def _check(value: Any) -> None:
    """Refuse tensors that have more numbers than their memory: a million of them can be one."""
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.is_meta or value.nbytes > value.untyped_storage().nbytes():
            raise OffbenchError("can't be read: a tensor in it isn't a plain one")
    elif isinstance(value, dict):
        for each in value.values():
            _check(each)
    elif isinstance(value, list | tuple):
        for each in value:
            _check(each)


def _as_tensors(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, dict):
        return {name: _as_tensors(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_tensors(each) for each in value]
    return value
