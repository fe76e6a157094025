"""Where new processes of Python look for modules: not in the current folder, whose files anybody may have named.

A process begun with ``-m`` or ``-c`` looks there first, and would run a `json.py` that lies there.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Where offbench itself is.
_HOME = Path(__file__).resolve().parents[2]
_SAFE = "PYTHONSAFEPATH"
_OURS = "offbench"  # any text switches it on; this one tells who has


def python(module: str) -> list[str]:
    """Return the command line that runs a module in a new process; its environment is `environment`."""
    return [sys.executable, "-P", "-m", module]


def environment() -> dict[str, str]:
    """Return the environment of a new process: it finds the modules that this one finds, but for the current folder's.

    That folder stays where the user's PYTHONPATH names it, offbench lies there, or the script that runs does.
    """
    kept = {name: value for name, value in os.environ.items() if (name, value) != (_SAFE, _OURS)}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path and _is_meant(path))}


def _is_meant(path: str) -> bool:
    try:
        here = Path.cwd().resolve()
    except OSError:  # it has been deleted
        return True
    if Path(path).resolve() != here or here in (_HOME, _folder_of_script()):
        return True
    named = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return any(Path(each).resolve() == here for each in named if each)


def _folder_of_script() -> Path | None:
    """Return where the user's own script is, which Python runs with the modules beside it; None if it isn't one."""
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    return None if file is None or getattr(main, "__spec__", None) is not None else Path(file).resolve().parent


@contextmanager
def safe_path() -> Iterator[None]:
    """Have processes that others begin in the body (joblib's, Dask's and Ray's workers) look as ours do.

    Which script runs is known here alone, so the folders are named to them.
    """
    before = {name: os.environ.get(name) for name in (_SAFE, "PYTHONPATH")}
    if not before[_SAFE]:  # else it is the user's own
        os.environ[_SAFE] = _OURS
    os.environ["PYTHONPATH"] = environment()["PYTHONPATH"]
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
