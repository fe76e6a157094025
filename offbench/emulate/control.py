"""What is asked of the servers of a cut network: to take inputs, to run all tasks once, to tell what came out.

Needs nothing but numpy, like all that a deployed network needs (`worker`, `request`).
"""

import json
import selectors
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

from offbench.emulate.wire import Array, Closed, NotAgreed, as_bytes, from_bytes, receive, send, size_of

Facts = dict[str, Any]
_PATIENCE_S = 60.0
_MOST_REPORT = 1 << 28


class Failed(Exception):  # noqa: N818 - what happened, not whose fault it is
    """A server ended, refused something or was too slow.

    Parameters
    ----------
    server
        Its name; None if it is several.
    why
        What happened.
    """

    def __init__(self, server: str | None, why: str) -> None:
        super().__init__(why if server is None else f"server '{server}': {why}")
        self.server, self.why = server, why


class Control:
    """A connection to each server.

    Parameters
    ----------
    manifest
        Of the parts (`manifest.cut`).
    addresses
        Host and port of each server of the manifest.

    Raises
    ------
    Failed
        If one takes no connection.
    """

    def __init__(self, manifest: Facts, addresses: Mapping[str, tuple[str, int]]) -> None:
        self.manifest = manifest
        self._connections: dict[str, socket.socket] = {}
        self._request: int | None = None
        for name, address in addresses.items():
            try:
                self._connections[name] = socket.create_connection(address, _PATIENCE_S)
            except OSError as error:
                self.close()
                raise Failed(name, f"takes no connection: {error.strerror or error}") from None

    def ask(self, name: str, facts: Facts, body: Sequence[memoryview] = ()) -> Facts:
        """Send one server something, and return what it answers."""
        with self._told(name) as connection:
            send(connection, facts, body)
            return self._answer(name)[0]

    def give(self, task: int, values: Mapping[str, Array]) -> None:
        """Give a task's client what its network is given in each run."""
        facts = self.manifest["tasks"][task]
        body = as_bytes(values, self._tensors(facts), facts["inputs"])
        self.ask(facts["client"], {"kind": "inputs", "task": task}, body)

    def run(self, timeout_s: float, ahead_s: float | None = None) -> tuple[float, list[list[Any]]]:
        """Run all tasks once, and return when that began and what happened.

        Parameters
        ----------
        timeout_s
            For all of it.
        ahead_s
            In how many seconds it begins, by a clock that all servers share, as on one machine; at once if absent.

        Raises
        ------
        Failed
            If a server ends, refuses something, or hasn't done its parts in time.
        """
        if self._request is None:  # others may have asked before
            self._request = max(int(self.ask(name, {"kind": "latest"})["request"]) for name in self._connections)
        self._request += 1
        begun = monotonic() + (ahead_s or 0.0)
        facts = {"kind": "begin", "request": self._request} | ({} if ahead_s is None else {"at": begun})
        clients = {task["client"] for task in self.manifest["tasks"]}
        events: list[list[Any]] = []
        with selectors.DefaultSelector() as waiting:
            for name in sorted(self._connections, key=lambda name: name in clients):  # they begin
                with self._told(name, timeout_s + (ahead_s or 0.0)) as connection:
                    send(connection, facts)
                waiting.register(connection, selectors.EVENT_READ, name)
            while waiting.get_map():
                left = begun + timeout_s - monotonic()
                found = waiting.select(left) if left > 0 else []
                if not found:
                    late = ", ".join(f"'{key.data}'" for key in waiting.get_map().values())
                    raise Failed(None, f"no end after {timeout_s:g} s (--timeout): {late} still had something to do")
                for key, _ in found:
                    with self._told(key.data, timeout_s):
                        events += json.loads(self._answer(key.data)[1])
                    waiting.unregister(key.fileobj)
        return begun, events

    def outputs(self, task: int) -> dict[str, Array]:
        """Return what came out of a task in the last run."""
        facts = self.manifest["tasks"][task]
        tensors = self._tensors(facts)

        def known(said: Facts) -> list[str]:
            return [name for name in facts["outputs"] if name in said.get("tensors", ())]

        found: dict[str, Array] = {}
        for name in self._connections:
            with self._told(name) as connection:
                send(connection, {"kind": "outputs", "task": task})
                said, body = receive(connection, lambda said: size_of(tensors, known(said)))
                if said.get("kind") == "refused":
                    raise Failed(name, str(said.get("why")))
                found |= from_bytes(body, tensors, known(said))
        return found

    def close(self) -> None:
        """End the connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections = {}

    def _tensors(self, task: Facts) -> Mapping[str, tuple[str, Sequence[int]]]:
        found: Mapping[str, tuple[str, Sequence[int]]] = self.manifest["tensors"][task["model"]]
        return found

    def _answer(self, name: str) -> tuple[Facts, bytearray]:
        said, body = receive(self._connections[name], _size_of_report)
        if said.get("kind") == "refused":
            raise Failed(name, str(said.get("why")))
        return said, body

    @contextmanager
    def _told(self, name: str, timeout_s: float = _PATIENCE_S) -> Iterator[socket.socket]:
        """Hand out a server's connection; whatever goes wrong on it is told as of that server."""
        connection = self._connections[name]
        connection.settimeout(timeout_s)
        try:
            yield connection
        except TimeoutError:
            raise Failed(name, "doesn't answer") from None
        except (Closed, OSError):
            raise Failed(name, "ended while the network ran") from None
        except (NotAgreed, ValueError) as error:
            raise Failed(name, f"said something else than agreed: {error}") from None


def _size_of_report(said: Facts) -> int:
    size = said.get("size", 0)
    if not isinstance(size, int) or not 0 <= size <= _MOST_REPORT:
        raise NotAgreed("a report of no size")
    return size
