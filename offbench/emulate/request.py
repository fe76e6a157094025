"""One run of a deployed network: inputs go to its client, outputs come back.

``python -m offbench.emulate.request FOLDER --at client=10.0.0.7:7000 --at edge=10.0.0.8:7001 --input x=x.npy`` asks
servers that `worker` runs. All of the folder's servers must be named. It needs numpy alone.
"""

import argparse
from pathlib import Path
from time import monotonic

import numpy as np

from offbench.emulate.control import Control, Failed
from offbench.emulate.wire import Array, NotAgreed
from offbench.emulate.worker import peer, read_manifest

_LONGEST_S = 1e6


def main(arguments: list[str] | None = None) -> None:
    """Run all tasks once, or as often as asked for, and tell how long each took."""
    parser = argparse.ArgumentParser(prog="python -m offbench.emulate.request", description=__doc__)
    parser.add_argument("folder", type=Path, help="what `offbench emulate --export` wrote")
    parser.add_argument("--at", type=peer, action="append", required=True, metavar="NAME=HOST:PORT")
    parser.add_argument("--input", type=_named, action="append", required=True, metavar="NAME=FILE.npy",
                        help="the same for every task; TASK/NAME=FILE.npy for one")  # fmt: skip
    parser.add_argument("--output", type=Path, metavar="FILE.npz", help="where to write what comes out")
    parser.add_argument("--runs", type=int, default=1, metavar="N")
    parser.add_argument("--timeout", type=float, default=60.0, metavar="S", help="for each run")
    given = parser.parse_args(arguments)
    if given.runs < 1:
        parser.error(f"--runs: must be at least 1, not {given.runs}")
    if not 0 < given.timeout < _LONGEST_S:
        parser.error(f"--timeout: must be above 0 and below {_LONGEST_S:g}, not {given.timeout:g}")
    if given.output is not None and not given.output.parent.is_dir():
        parser.error(f"--output {given.output}: there is no such folder")
    manifest = read_manifest(given.folder)
    values = {name: _array(path) for name, path in given.input}
    addresses = dict(given.at)
    for one in manifest["servers"]:
        if one["name"] not in addresses:
            raise SystemExit(f"--at: where is '{one['name']}'? {one['name']}=HOST:PORT")
    try:
        control = Control(manifest, {one["name"]: addresses[one["name"]] for one in manifest["servers"]})
        found: dict[str, Array] = {}
        for i, task in enumerate(manifest["tasks"]):
            mine = {name: values.get(f"{task['name']}/{name}", values.get(name)) for name in task["inputs"]}
            fed = {name: value for name, value in mine.items() if value is not None}
            if missing := [name for name in mine if name not in fed]:
                raise SystemExit(f"--input: '{missing[0]}' of task '{task['name']}' is missing: {missing[0]}=FILE.npy")
            control.give(i, fed)
        for _ in range(given.runs):
            begun = monotonic()
            control.run(given.timeout)
            print(f"{monotonic() - begun:.6f} s", flush=True)
        for i, task in enumerate(manifest["tasks"]):
            several = len(manifest["tasks"]) > 1
            found |= {
                f"{task['name']}/{name}" if several else name: value for name, value in control.outputs(i).items()
            }
        control.close()
    except (Failed, NotAgreed) as error:
        raise SystemExit(str(error)) from None
    for name, value in found.items():
        print(f"{name}: {value.dtype}{list(value.shape)}")
    if given.output is not None:
        try:
            np.savez(given.output, **found)  # type: ignore[arg-type]
        except OSError as error:
            raise SystemExit(f"{given.output}: can't be written: {error.strerror or error}") from None


def _array(path: Path) -> Array:
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        why = getattr(error, "strerror", None) or "it is no array of numpy's"
        raise SystemExit(f"{path}: can't be read: {why}") from None
    if not isinstance(found, np.ndarray):
        raise SystemExit(f"{path}: has several arrays; it must be .npy")
    return found


def _named(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"must be NAME=FILE.npy, not '{text}'")
    return name, Path(path)


if __name__ == "__main__":
    main()
