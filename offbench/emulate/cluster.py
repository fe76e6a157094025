"""The servers of a cut network as processes of this machine, and what is asked of them."""

import json
import selectors
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Self

from offbench.emulate.wire import Array, Closed, Refused, as_bytes, from_bytes, receive, send, size_of
from offbench.errors import OffbenchError
from offbench.runs.process import ONE_THREAD
from offbench.runs.safe_path import environment, python

_START_S = 60.0
"""for a server to load its parts"""
_END_S = 2.0
_MOST_REPORT = 1 << 28
_AHEAD_S = 0.02
"""between asking all servers to begin and the beginning"""
Facts = dict[str, Any]


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
        self._control: dict[str, socket.socket] = {}
        self._request = 0

    def __enter__(self) -> Self:
        try:
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
        for name, address in addresses.items():
            try:
                self._control[name] = socket.create_connection(address, _START_S)
            except OSError as error:
                raise self._ended(name, f"takes no connection: {error.strerror or error}") from None
        for name in names:
            self._ask(name, {"kind": "peers", "peers": addresses, **self._how})

    def _address(self, name: str, until: float) -> tuple[str, int]:
        process = self._processes[name]
        assert process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            if not waiting.select(max(0.0, until - monotonic())):
                raise self._ended(name, f"wasn't ready after {_START_S:g} s")
        try:
            host, port = json.loads(process.stdout.readline())["listening"]
        except (ValueError, KeyError):
            process.wait(_END_S)
            raise self._ended(name, "could not start") from None
        return str(host), int(port)

    def _ask(self, name: str, facts: Facts, body: list[memoryview] | None = None) -> None:
        with self._told(name):
            self._control[name].settimeout(_START_S)
            send(self._control[name], facts, body or [])
            self._answer(name)

    def _answer(self, name: str) -> tuple[Facts, bytearray]:
        facts, body = receive(self._control[name], _size_of_report)
        if facts.get("kind") == "refused":
            raise self._ended(name, str(facts.get("why")))
        return facts, body

    def give(self, task: int, values: Mapping[str, Array]) -> None:
        """Give a task's client what its network is given in each run."""
        facts = self.manifest["tasks"][task]
        tensors = self.manifest["tensors"][facts["model"]]
        self._ask(facts["client"], {"kind": "inputs", "task": task}, as_bytes(values, tensors, facts["inputs"]))

    def run(self, timeout_s: float) -> tuple[float, list[list[Any]]]:
        """Run all tasks once, and return when that began and what happened.

        Raises
        ------
        Ended
            If a server ends, refuses something, or hasn't done its parts in time.
        """
        self._request += 1
        begun = monotonic() + _AHEAD_S
        events: list[list[Any]] = []
        with selectors.DefaultSelector() as waiting:
            for name, connection in self._control.items():
                with self._told(name):
                    connection.settimeout(timeout_s + _AHEAD_S)
                    send(connection, {"kind": "begin", "request": self._request, "at": begun})
                waiting.register(connection, selectors.EVENT_READ, name)
            while waiting.get_map():
                left = begun + timeout_s - monotonic()
                found = waiting.select(left) if left > 0 else []
                if not found:
                    late = ", ".join(f"'{key.data}'" for key in waiting.get_map().values())
                    raise Ended(f"no end after {timeout_s:g} s (--timeout): {late} still had something to do")
                for key, _ in found:
                    with self._told(key.data):
                        _, body = self._answer(key.data)
                        events += json.loads(body)
                    waiting.unregister(key.fileobj)
        return begun, events

    def outputs(self, task: int) -> dict[str, Array]:
        """Return what came out of a task in the last run."""
        facts = self.manifest["tasks"][task]
        tensors = self.manifest["tensors"][facts["model"]]
        found: dict[str, Array] = {}
        for name, connection in self._control.items():
            with self._told(name):
                connection.settimeout(_START_S)
                send(connection, {"kind": "outputs", "task": task})
                said, body = receive(connection, lambda said: size_of(tensors, _known(said, facts["outputs"])))
                found |= from_bytes(body, tensors, _known(said, facts["outputs"]))
        return found

    def _told(self, name: str) -> "_Told":
        return _Told(self, name)

    def _ended(self, name: str, why: str) -> Ended:
        """Return the error of a server, with how its process ended and the last that it said."""
        process = self._processes[name]
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
        code = process.poll()
        how = "" if code is None else f" (killed by signal {-code})" if code < 0 else f" (exit code {code})"
        said = self._said[name]
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
        last = f": {lines[-1]}" if lines and code not in (None, 0) else ""
        return Ended(f"server '{name}': {why}{how}{last}")

    def close(self) -> None:
        """End all processes."""
        for connection in self._control.values():
            connection.close()
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
        self._processes, self._control, self._said = {}, {}, {}


class _Told:
    """Whatever goes wrong on a connection is told as of its server."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster, self._name = cluster, name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Closed | ConnectionError):
            raise self._cluster._ended(self._name, "ended while the network ran") from None
        if isinstance(error, TimeoutError):
            raise self._cluster._ended(self._name, "doesn't answer") from None
        if isinstance(error, Refused | ValueError):
            raise self._cluster._ended(self._name, f"said something else than agreed: {error}") from None


def _size_of_report(facts: Facts) -> int:
    size = facts.get("size", 0)
    if not isinstance(size, int) or not 0 <= size <= _MOST_REPORT or not isfinite(size):
        raise Refused("a report of no size")
    return size


def _known(said: Facts, outputs: list[str]) -> list[str]:
    if said.get("kind") == "refused":
        raise Refused(str(said.get("why")))
    return [name for name in outputs if name in said.get("tensors", ())]
