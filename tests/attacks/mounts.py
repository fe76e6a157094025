"""File systems that are full or can only be read, where this process may mount any."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small(folder: Path, size_kb: int) -> Iterator[None]:
    """Mount a file system of this size in memory; skip where that isn't allowed."""
    with _mounted(folder, "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs"):
        yield


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Have a folder be read only, for root too; skip where that isn't allowed."""
    with _mounted(folder, "--bind", str(folder)):
        _mount("-o", "remount,bind,ro", str(folder))
        yield


def grow(folder: Path, size_kb: int) -> None:
    """Make room in a file system of `small`."""
    _mount("-o", f"remount,size={size_kb}k", str(folder))


@contextmanager
def _mounted(folder: Path, *line: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _mount(*line, str(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


def _mount(*line: str) -> None:
    subprocess.run(["mount", *line], check=True, capture_output=True)
