"""The folders that come with the package: solvers and instances."""

from importlib.util import find_spec
from pathlib import Path

from offbench.errors import OffbenchError


def folders_of(package: str) -> list[Path]:
    """Return where the files of a package are.

    Parameters
    ----------
    package
        ``offbench.solvers`` or ``offbench.instances``. In a checkout `offbench/solvers` and `offbench/instances`
        are symbolic links, which some systems and archives leave as files with a line of text.

    Raises
    ------
    OffbenchError
        If it isn't there, with what to do.
    """
    spec = find_spec(package)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec is not None else []
    if not folders:
        above = find_spec(package.rpartition(".")[0])
        within = [Path(folder) for folder in (above.submodule_search_locations or [])] if above is not None else []
        name = package.rpartition(".")[2]
        path = next((folder / name for folder in within), Path(name))
        raise OffbenchError(
            f"{path}: {'is a file, but' if path.is_file() else 'is missing; it'} must be the folder {name}/ of the "
            f"source tree, or a link to it; where links don't survive (Windows, some archives) copy the folder {name} "
            "there, or run `git config core.symlinks true` and check out again"
        )
    return folders
