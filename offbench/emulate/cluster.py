"""The servers of a cut network as processes of this machine."""

import json
import selectors
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from offbench.emulate.control import Control, Facts, Failed
from offbench.emulate.wire import Array
from offbench.errors import OffbenchError
from offbench.runs.process import ONE_THREAD
from offbench.runs.safe_path import environment, python

_START_S = 60.0
"""for a server to load its parts"""
_END_S = 2.0
_AHEAD_S = 0.02
"""between asking all servers to begin and the beginning"""


class Ended(OffbenchError):  # noqa: N818 - what happened, not whose fault it is
    """A server ended, refused or was too slow while the network ran."""


class Cluster:
    """A process for each server, on loopback; ended when the context or this process ends.

    Parameters
    ----------
    manifest
        Of the parts (`manifest.cut`).
    folder
        Where they are.
    paced
        Whether a part takes at least the seconds that the instance says; else as long as this machine takes.
    shared
        Whether all that goes from one server to another shares the link's rate; else each has it all, as in the model.
    """

    def __init__(self, manifest: Facts, folder: Path, *, paced: bool, shared: bool) -> None:
        self.manifest, self._folder = manifest, folder
        self._how = {"paced": paced, "shaped": True, "shared": shared}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._said: dict[str, Any] = {}
        self._control: Control | None = None

    def __enter__(self) -> Self:
        try:
            with self._told():
                self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def processes(self) -> Mapping[str, int]:
        """The process of each server."""
        return {name: one.pid for name, one in self._processes.items()}

    def _start(self) -> None:
        names = [one["name"] for one in self.manifest["servers"]]
        for name in names:
            self._said[name] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
            line = [*python("offbench.emulate.worker"), str(self._folder.resolve()), f"--server={name}",
                    "--until-stdin-ends"]  # fmt: skip
            self._processes[name] = subprocess.Popen(
                line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said[name],
                env=environment() | ONE_THREAD, start_new_session=True,
            )  # fmt: skip
        until = monotonic() + _START_S
        addresses = {name: self._address(name, until) for name in names}
        self._control = Control(self.manifest, addresses)
        for name in names:
            self._control.ask(name, {"kind": "peers", "peers": addresses, **self._how})

    def _address(self, name: str, until: float) -> tuple[str, int]:
        process = self._processes[name]
        assert process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            if not waiting.select(max(0.0, until - monotonic())):
                raise Failed(name, f"wasn't ready after {_START_S:g} s")
        try:
            host, port = json.loads(process.stdout.readline())["listening"]
        except (ValueError, KeyError):
            raise Failed(name, "could not start") from None
        return str(host), int(port)

    @property
    def control(self) -> Control:
        """What is asked of the servers; only within the context."""
        assert self._control is not None
        return self._control

    def give(self, task: int, values: Mapping[str, Array]) -> None:
        """Give a task's client what its network is given in each run (`Control.give`)."""
        with self._told():
            self.control.give(task, values)

    def run(self, timeout_s: float) -> tuple[float, list[list[Any]]]:
        """Run all tasks once, and return when that began and what happened (`Control.run`).

        Raises
        ------
        Ended
            If a server ends, refuses something, or hasn't done its parts in time.
        """
        with self._told():
            return self.control.run(timeout_s, _AHEAD_S)

    def outputs(self, task: int) -> dict[str, Array]:
        """Return what came out of a task in the last run (`Control.outputs`)."""
        with self._told():
            return self.control.outputs(task)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what failed with how the server's process ended, and the last that it said."""
        try:
            yield
        except Failed as failed:
            process = self._processes.get(failed.server or "")
            if process is None:
                raise Ended(str(failed)) from None
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_S if failed.why == "could not start" else 0.2)
            code = process.poll()
            how = "" if code is None else f" (killed by signal {-code})" if code < 0 else f" (exit code {code})"
            said = self._said[failed.server or ""]
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            last = f": {lines[-1]}" if lines and code not in (None, 0) else ""
            raise Ended(f"{failed}{how}{last}") from None

    def close(self) -> None:
        """End all processes."""
        if self._control is not None:
            self._control.close()
        for process in self._processes.values():
            with suppress(OSError):
                assert process.stdin is not None
                process.stdin.close()
        for name, process in self._processes.items():
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()
            self._said[name].close()
        self._processes, self._control, self._said = {}, None, {}
