"""Write the model to a file, whole or not at all."""

import os
import sys
from pathlib import Path

import pyomo.environ as pyo

from offbench import OffbenchError

ENDINGS = (".lp", ".mps")


def check_path(path: Path) -> None:
    """Refuse a path that no model can be written to.

    Raises
    ------
    OffbenchError
        If its ending is no format's, its folder doesn't exist, or it is a folder.
    """
    if path.suffix not in ENDINGS:
        raise OffbenchError(f"write: a model is written as {' or '.join(ENDINGS)}, not as '{path.name}'")
    if path.is_dir():
        raise OffbenchError(f"write: '{path}' can't be written: it is a folder")
    if not path.parent.is_dir():
        raise OffbenchError(f"write: '{path}' can't be written: there is no folder '{path.parent}'")


def write_model(model: pyo.ConcreteModel, path: Path) -> None:
    """Write under a temporary name in the same folder, then rename; stderr says what happened."""
    existed = path.exists()
    temporary = path.with_name(f".offbench-{os.getpid()}{path.suffix}")
    try:
        model.write(str(temporary), io_options={"symbolic_solver_labels": True})
        temporary.replace(path)
    except OSError as error:
        raise OffbenchError(f"write: '{path}' can't be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)
    print(f"offbench: {'replaced' if existed else 'wrote'} {path}", file=sys.stderr)
