"""`suite.toml` beside results: what was really run there, as a suite that can be run again."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from offbench.bench.suite import Composed, Entrant, Suite, is_file, parse_suite, read_suite
from offbench.errors import OffbenchError
from offbench.files.atomic import write_whole, writing
from offbench.files.regular import read_regular
from offbench.files.text import read_text

NAME = "suite.toml"
Cell = tuple[str, str, int]
"""of a run: what its instance, its solver and its seed are, in full"""


def keep_suite(folder: Path, suite: Suite, source: Path, text: str | None = None) -> str | None:
    """Keep a suite beside the results of its runs; what other suites were run there stays told.

    The file's own text is kept where it is what was run. It isn't where the command line said something else, or
    where files that the suite names would be looked for in another folder.

    Parameters
    ----------
    folder
        Of results; it must be there.
    suite
        What is run.
    source, text
        The file that it was read from, and what it says if it isn't to be read again.

    Returns
    -------
    str or None
        What was replaced or put aside, in a sentence; None where nothing was.

    Raises
    ------
    OffbenchError
        If it can't be written.
    """
    path = folder / NAME
    text = read_text(source) if text is None else text
    if suite != parse_suite(text, str(source)) or any(is_file(name) for name in _names(suite)):
        suite = _seen_from(folder, suite, source.parent)
        text = _toml(suite, source)
    before = _before(path)
    if before is None or before == text:
        if before is None:
            _write(path, text)
        return None
    new = _cells(suite)
    try:
        old = _cells(read_suite(path))
    except OffbenchError:  # nobody can run that any more
        old = {("", "", 0)}
    if new < old:
        return None
    if old <= new:
        _write(path, text)
        return None if old == new else f"replaced {path}: the suite has more runs now"
    aside = _free(folder)
    _write(aside, before)
    _write(path, text)
    return f"replaced {path}: these are other runs; what was run before stands in {aside.name}"


def _before(path: Path) -> str | None:
    try:
        return read_regular(path).decode(errors="replace")
    except (OSError, ValueError):  # none, or none of ours
        return None


def _free(folder: Path) -> Path:
    number = 1
    while (path := folder / f"suite-{number}.toml").exists():
        number += 1
    return path


def _write(path: Path, text: str) -> None:
    with writing(path):
        write_whole(path, text)


def _cells(suite: Suite) -> set[Cell]:
    """Return the runs of a suite; what decides one stands in its name."""
    objective = f"{suite.objective} {suite.weights}"
    return {
        (f"{instance} {objective}", entrant.model_dump_json(exclude={"seeds"}), seed)
        for instance in map(str, suite.instances)
        for entrant in suite.solvers
        for seed in suite.seeds_of(entrant)
    }


def _names(suite: Suite) -> list[str]:
    """Return whatever may be a file: relative ones are looked for beside the suite's."""
    instances = [name for one in suite.instances for name in (one.networks if isinstance(one, Composed) else (one,))]
    return [*instances, *(entrant.policy or entrant.name for entrant in suite.solvers)]


def _seen_from(folder: Path, suite: Suite, home: Path) -> Suite:
    """Return the suite with the files that it names as they are seen from another folder."""

    def seen(name: str, policy: bool = False) -> str:
        if not policy and not is_file(name):
            return name
        return Path(os.path.relpath(home / name, folder)).as_posix()

    def one(instance: str | Composed) -> str | Composed:
        if isinstance(instance, str):
            return seen(instance)
        return instance.model_copy(update={"networks": tuple(map(seen, instance.networks))})

    return suite.model_copy(
        update={
            "instances": tuple(map(one, suite.instances)),
            "solvers": tuple(
                entrant.model_copy(
                    update={
                        "name": seen(entrant.name),
                        "policy": None if entrant.policy is None else seen(entrant.policy, policy=True),
                    }
                )
                for entrant in suite.solvers
            ),
        }
    )


def _toml(suite: Suite, source: Path) -> str:
    """Write a suite as TOML; a field that has its default isn't told."""
    import tomli_w

    facts: dict[str, Any] = suite.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    facts |= {"seeds": list(suite.seeds), "time_limit_s": suite.time_limit_s}
    for entrant in facts["solvers"]:
        if "policy" in entrant and entrant["name"] == f"policy {Path(entrant['policy']).name}":
            del entrant["name"]
    facts["solvers"] = [_short(entrant) for entrant in facts["solvers"]]
    # Tables come last in TOML.
    ordered = sorted(facts.items(), key=lambda field: _is_table(field[1]))
    return f"# What was run: {source.name} as the command line had it.\n{tomli_w.dumps(dict(ordered))}"


def _short(entrant: dict[str, Any]) -> str | dict[str, Any]:
    """Return what a solver's table has to say, without a label that it gets anyway; or its name where that is all."""
    bare = {key: value for key, value in entrant.items() if key != "label"}
    if Entrant.model_validate(bare).label == entrant["label"]:
        return str(bare["name"]) if set(bare) == {"name"} else bare
    return entrant


def _is_table(value: Any) -> bool:
    return isinstance(value, Sequence) and any(isinstance(one, dict) for one in value)
