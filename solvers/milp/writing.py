"""Write the model to a file of the current folder, whole or not at all.

Who wrote a suite need not be who runs it, so its parameters lead nowhere else.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pyomo.environ as pyo

from offbench import OffbenchError

ENDINGS = (".lp", ".mps")


def check_name(path: Path) -> Path:
    """Return a path that a model may be written to, as far as its name tells.

    Raises
    ------
    ValueError
        If its ending is no format's, or it leads out of the current folder.
    """
    if path.suffix not in ENDINGS:
        raise ValueError(f"a model is written as {' or '.join(ENDINGS)}, not as '{path.name}'")
    if path.is_absolute() or path.drive or ".." in path.parts:
        raise ValueError(f"must be a file in the current folder, such as {path.name}, not '{path}'")
    return path


def check_path(path: Path) -> None:
    """Refuse a path that no model can be written to.

    Raises
    ------
    OffbenchError
        If its folder doesn't exist or a link leads out of the current one, or it is a folder, a pipe or a device.
    """
    if path.is_dir() and not path.is_symlink():
        raise OffbenchError(f"write: '{path}' can't be written: it is a folder")
    if path.exists() and not path.is_file() and not path.is_symlink():
        raise OffbenchError(f"write: '{path}' can't be written: it is a pipe or a device")
    if not path.parent.is_dir():
        raise OffbenchError(f"write: '{path}' can't be written: there is no folder '{path.parent}'")
    if not path.parent.resolve().is_relative_to(Path.cwd().resolve()):
        raise OffbenchError(f"write: '{path}' can't be written: '{path.parent}' leads out of the current folder")


def write_model(model: pyo.ConcreteModel, path: Path) -> None:
    """Write into a new folder beside the file, then rename; stderr says what happened. A link is replaced."""
    existed = path.exists()
    try:
        with TemporaryDirectory(prefix=".offbench-", dir=path.parent) as folder:
            written = Path(folder) / path.name
            model.write(str(written), io_options={"symbolic_solver_labels": True})
            written.replace(path)
    except OSError as error:
        raise OffbenchError(f"write: '{path}' can't be written: {error.strerror}") from None
    print(f"offbench: {'replaced' if existed else 'wrote'} {path}", file=sys.stderr)
