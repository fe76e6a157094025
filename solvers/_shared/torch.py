"""What solvers on torch share. It imports torch: import it when solving."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from offbench import OffbenchError


def device_for(solver: str, wanted: str) -> str:
    """Return the device, cpu or cuda.

    Raises
    ------
    OffbenchError
        If it is not there.
    """
    found = torch.cuda.is_available()
    if wanted == "cuda" and not found:
        raise OffbenchError(f"solver '{solver}': parameter device: torch finds no CUDA device here; say auto or cpu")
    return "cuda" if found and wanted == "auto" else wanted.replace("auto", "cpu")


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: these networks are small, and solvers are compared on one core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
