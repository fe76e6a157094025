"""States in files: only numbers, texts and tensors, so that reading one runs no code."""

from typing import Any, BinaryIO

import numpy as np
import torch


def write(state: dict[str, Any], file: BinaryIO) -> None:
    """Write a state; its arrays as tensors."""
    torch.save(_as_tensors(state), file)


def read(file: BinaryIO) -> dict[str, Any]:
    """Read a state, onto the CPU."""
    state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    return state


def _as_tensors(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, dict):
        return {name: _as_tensors(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_as_tensors(each) for each in value]
    return value
