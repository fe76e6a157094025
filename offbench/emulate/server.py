"""What a server of a cut network does: runs its parts when their inputs are there, and sends on what others need.

Needs numpy and onnxruntime, and of offbench this room's `wire` and `shaping` alone.
"""

import heapq
import json
import os
import selectors
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from offbench.emulate.shaping import Bucket, send_shaped
from offbench.emulate.wire import Array, Closed, NotAgreed, as_bytes, from_bytes, header, receive, send, size_of

AT_ONCE = 64
"""transfers from one server"""
_WHY = 300
"""characters of why something is refused"""
_LONGEST_S = 1e5
_TAKEN_OVER = "another request has begun meanwhile"
_EVENTS = 1 << 28
"""bytes of what a server reports, at most"""
_PATIENCE_S = 30.0
"""for another server to take a connection"""

Facts = dict[str, Any]


class Request:
    """One run of all tasks: what is there of it on this server."""

    def __init__(self, number: int, parts: list[Facts]) -> None:
        self.number = number
        self.values: dict[int, dict[str, Array]] = {}
        """by task and tensor"""
        self.missing = {
            part["number"]: len(part["after"]) + len(part["messages"]) + int(part["given"]) for part in parts
        }
        """inputs of each part that aren't there yet"""
        self.undone = len(parts)
        self.unsent = 0
        """messages that aren't on their way yet, and inputs of tasks that haven't come"""
        self.events: list[list[Any]] = []
        self.came: set[int] = set()
        """messages that are there"""
        self.failed: str | None = None
        """why it can't end"""
        self.begun = threading.Event()
        """once its clock is known"""
        self.done = threading.Event()


class Server:
    """What runs and sends.

    Parameters
    ----------
    manifest
        As `offbench emulate --export` wrote it.
    folder
        Where the parts are.
    name
        Which server of the manifest this is.
    """

    def __init__(self, manifest: Facts, folder: Path, name: str) -> None:
        servers = {one["name"]: one for one in manifest["servers"]}
        if name not in servers:
            raise SystemExit(f"--server: there is no '{name}'; servers: {', '.join(servers)}")
        self.name, self.facts, self.manifest = name, servers[name], manifest
        self.tasks: list[Facts] = manifest["tasks"]
        self.parts = {part["number"]: part for part in manifest["parts"] if part["server"] == name}
        self.messages = {one["number"]: one for one in manifest["messages"]}
        self.links = {one["to"]: one for one in manifest["links"] if one["from"] == name}
        self._after: dict[int | None, list[Facts]] = {}
        for one in manifest["messages"]:
            if one["from"] == name:
                self._after.setdefault(one["after"], []).append(one)
        self._local: dict[int, list[int]] = {}
        for part in self.parts.values():
            for before in part["after"]:
                self._local.setdefault(before, []).append(part["number"])
        self.peers: dict[str, tuple[str, int]] = {}
        self.how: Facts = {"paced": False, "shaped": False, "shared": False}
        self._sessions = {
            file: _session(folder / file)
            for file in sorted({part["file"] for part in self.parts.values() if part["file"]})
        }
        self._inputs: dict[int, dict[str, Array]] = {}
        self._request: Request | None = None
        self._lock = threading.Condition()
        self._ready: list[tuple[float, int]] = []
        """a heap: when it became ready, and which part"""
        self._place: list[int] = [0] * self.facts["slots"]
        self._lanes: list[list[int]] = [[] for _ in self._place]
        for part in sorted(self.parts.values(), key=lambda one: one["rank"]):
            self._lanes[part["slot"]].append(part["number"])
        self._idle: dict[str, list[tuple[float, socket.socket]]] = {}
        """connections to each peer, and from when on they may be used"""
        self._buckets: dict[str, Bucket] = {}
        self._senders = ThreadPoolExecutor(AT_ONCE)

    def start(self) -> None:
        """Start a thread for each slot."""
        for slot in range(self.facts["slots"]):
            threading.Thread(target=self._work, args=(slot,), daemon=True).start()

    # What others ask for.

    def serve(self, connection: socket.socket) -> None:
        """Answer what comes on a connection until it ends."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            try:
                while True:
                    facts, body = receive(connection, self._admitted)
                    self._take(facts, body, connection)
            except (Closed, ConnectionError):
                pass
            except (NotAgreed, LookupError, TypeError, ValueError, OverflowError) as error:
                why = str(error) if isinstance(error, NotAgreed) else f"that can't be understood: {error}"
                with suppress(OSError):
                    send(connection, {"kind": "refused", "why": why[:_WHY]})

    def _admitted(self, facts: Facts) -> int:
        """Return how large the body of a message must be."""
        kind = facts.get("kind")
        if kind == "message":
            one = self.messages.get(_whole(facts, "message"))
            if one is None or one["to"] != self.name:
                raise NotAgreed(f"message {facts.get('message')} isn't for '{self.name}'")
            return size_of(self._tensors(one["task"]), one["tensors"])
        if kind == "inputs":
            task = self._task(facts)
            return size_of(self._tensors(task), self.tasks[task]["inputs"])
        if kind in ("peers", "latest", "begin", "outputs"):
            return 0
        raise NotAgreed(f"'{str(kind)[:_WHY]}' is none of message, inputs, peers, latest, begin, outputs")

    def _task(self, facts: Facts) -> int:
        task = _whole(facts, "task")
        if not 0 <= task < len(self.tasks):
            raise NotAgreed(f"there is no task {task}")
        return task

    def _tensors(self, task: int) -> Mapping[str, tuple[str, list[int]]]:
        found: Mapping[str, tuple[str, list[int]]] = self.manifest["tensors"][self.tasks[task]["model"]]
        return found

    def _take(self, facts: Facts, body: bytearray, connection: socket.socket) -> None:
        kind = facts["kind"]
        if kind == "message":
            self._arrived(facts, body)
        elif kind == "inputs":
            task = self._task(facts)
            self._inputs[task] = from_bytes(body, self._tensors(task), self.tasks[task]["inputs"])
            send(connection, {"kind": "ok"})
        elif kind == "peers":
            for name, (host, port) in dict(facts.get("peers") or {}).items():
                self.peers[str(name)] = str(host), int(port)
            self.how |= {name: bool(facts[name]) for name in self.how if name in facts}
            send(connection, {"kind": "ok"})
        elif kind == "latest":
            send(connection, {"kind": "ok", "request": self._request.number if self._request is not None else 0})
        elif kind == "begin":
            self._begin(facts, connection)
        else:
            self._send_outputs(self._task(facts), connection)

    def _send_outputs(self, task: int, connection: socket.socket) -> None:
        request = self._request
        values = request.values.get(task, {}) if request is not None else {}
        names = [name for name in self.tasks[task]["outputs"] if name in values]
        send(connection, {"kind": "outputs", "tensors": names}, as_bytes(values, self._tensors(task), names))

    # A run of all tasks.

    def _current(self, number: int) -> Request | None:
        """Return a request, or None if it is over; what comes of a new one ends the one before."""
        with self._lock:
            if self._request is None or self._request.number < number:
                self._request = Request(number, list(self.parts.values()))
                self._ready.clear()
                self._place = [0] * len(self._place)
            return self._request if self._request.number == number else None

    def _begin(self, facts: Facts, connection: socket.socket) -> None:
        arriving: dict[float, list[int]] = {}
        for i, task in enumerate(self.tasks):
            if task["client"] == self.name:
                if i not in self._inputs:
                    raise NotAgreed(f"task '{task['name']}' has no inputs yet")
                arriving.setdefault(task["arrival_s"], []).append(i)
        at = _moment(facts.get("at", monotonic()))
        request = self._current(_whole(facts, "request"))
        if request is None or request.begun.is_set():
            raise NotAgreed(_TAKEN_OVER)
        request.unsent += len(arriving)
        request.begun.set()
        for arrival_s, tasks in arriving.items():
            threading.Thread(target=self._inputs_are_there, args=(request, tasks, at + arrival_s), daemon=True).start()
        self._look(request)
        while not request.done.wait(0.2):
            if request.failed is not None:
                raise NotAgreed(request.failed)
            if self._request is not request:
                raise NotAgreed(_TAKEN_OVER)
            if _has_spoken(connection):  # it waits for an answer, so it has ended
                raise Closed
        text = json.dumps(request.events).encode()
        if len(text) > _EVENTS:
            raise NotAgreed("too much has happened to be told")
        send(connection, {"kind": "finished", "request": request.number, "size": len(text)}, [memoryview(text)])

    def _inputs_are_there(self, request: Request, tasks: list[int], at: float) -> None:
        """Take tasks that arrive at the same time: all are there before a slot takes the first of them."""
        _sleep_until(at)
        messages = [one for one in self._after.get(None, ()) if one["task"] in tasks]
        with self._lock:
            for task in tasks:
                request.values.setdefault(task, {}).update(self._inputs[task])
            for part in self.parts.values():
                if part["given"] and part["task"] in tasks:
                    request.missing[part["number"]] -= 1
                    self._offer(request, part, at)
            request.unsent += len(messages) - 1
            self._lock.notify_all()
        self._send(request, messages, at)
        self._look(request)

    def _arrived(self, facts: Facts, body: bytearray) -> None:
        one = self.messages[facts["message"]]
        request, came = self._current(_whole(facts, "request")), monotonic()
        if request is None:
            return  # of a run that nobody waits for any more
        if self.how["shaped"]:
            _sleep_until(_moment(facts["due"] if "due" in facts else came + facts.get("latency_s", 0.0)))
        there = monotonic()
        with self._lock:
            if one["number"] in request.came:
                raise NotAgreed(f"message {one['number']} is there already")
            request.came.add(one["number"])
            request.values.setdefault(one["task"], {}).update(
                from_bytes(body, self._tensors(one["task"]), one["tensors"])
            )
            request.events.append(["message", one["number"], facts.get("begun"), came, there])
            for number in one["readers"]:
                if number in request.missing:
                    request.missing[number] -= 1
                    self._offer(request, self.parts[number], there)
            self._lock.notify_all()

    def _offer(self, request: Request, part: Facts, now: float) -> None:
        """Take a part among those that are ready, if it is; the lock is held."""
        if request.missing[part["number"]] == 0 and request is self._request:
            heapq.heappush(self._ready, (now, part["number"]))

    def _next(self, slot: int) -> tuple[Request, Facts, float]:
        """Return the next part for a slot: the one that has been ready longest, or the one whose turn it is there."""
        with self._lock:
            while True:
                request, found = self._request, None
                if request is not None and self._ready:
                    if not self.manifest["ordered"]:
                        found = heapq.heappop(self._ready)
                    elif (place := self._place[slot]) < len(self._lanes[slot]):
                        found = next((one for one in self._ready if one[1] == self._lanes[slot][place]), None)
                        if found is not None:
                            self._place[slot] += 1
                            self._ready.remove(found)
                            heapq.heapify(self._ready)
                if request is not None and found is not None:
                    return request, self.parts[found[1]], found[0]
                self._lock.wait()

    def _work(self, slot: int) -> None:
        with suppress(OSError, AttributeError):
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[(self.facts["number"] + slot) % len(cores)]})
        while True:
            request, part, ready = self._next(slot)
            try:
                self._run(request, part, ready)
            except Exception as error:  # whatever a runtime raises
                request.failed = f"can't run {part['layers'][0]}: {' '.join(str(error).split())[:_WHY]}"

    def _run(self, request: Request, part: Facts, ready: float) -> None:
        values = request.values.setdefault(part["task"], {})
        start = monotonic()
        if part["file"]:
            feeds = {name: values[name] for name in part["reads"]}
            made = dict(zip(part["makes"], self._sessions[part["file"]](part["makes"], feeds), strict=True))
        else:
            made = {}
        computed = monotonic()
        if self.how["paced"]:
            _sleep_until(start + part["seconds"])
        end = monotonic()
        messages = self._after.get(part["number"], ())
        with self._lock:
            values.update(made)
            request.events.append(["part", part["number"], ready, start, computed, end])
            for number in self._local.get(part["number"], ()):
                request.missing[number] -= 1
                self._offer(request, self.parts[number], end)
            request.undone -= 1
            request.unsent += len(messages)
            self._lock.notify_all()
        self._send(request, messages, end)
        self._look(request)

    def _look(self, request: Request) -> None:
        """See whether all of a request has been done here."""
        with self._lock:
            if request.begun.is_set() and request.undone == 0 and request.unsent == 0:
                request.done.set()

    # Sending.

    def _send(self, request: Request, messages: Sequence[Facts], begun: float) -> None:
        """Have messages sent, which the request counts as unsent already."""
        for one in messages:
            self._senders.submit(self._transfer, request, one, begun)

    def _transfer(self, request: Request, one: Facts, begun: float) -> None:
        try:
            tensors = self._tensors(one["task"])
            body = as_bytes(request.values[one["task"]], tensors, one["tensors"])
            size = sum(map(len, body))
            facts: Facts = {"kind": "message", "message": one["number"], "request": request.number, "begun": begun}
            bucket, latency_s = Bucket(float("inf")), 0.0
            if self.how["shaped"]:
                link = self.links[one["to"]]
                rate, latency_s = link["rate_mb_per_s"] * 1e6, link["latency_s"]
                if self.how["shared"]:
                    bucket = self._buckets.setdefault(one["to"], Bucket(rate))
                    facts["latency_s"] = latency_s
                else:  # each has the whole rate, as in the model
                    bucket = Bucket(rate)
                    facts["due"] = begun + size / rate + latency_s
            connection = self._connected(one["to"])
            connection.sendall(header(facts, size))
            send_shaped(connection, body, bucket, begun)
            with self._lock:
                # Until then the other side holds back what it has, and reads nothing else of this connection.
                self._idle.setdefault(one["to"], []).append((monotonic() + latency_s, connection))
        except (OSError, NotAgreed, KeyError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            request.failed = f"can't send to '{one['to']}': {why}"
        finally:
            with self._lock:
                request.unsent -= 1
            self._look(request)

    def _connected(self, peer: str) -> socket.socket:
        """Return a connection that nothing else is sent on meanwhile."""
        with self._lock:
            idle, now = self._idle.setdefault(peer, []), monotonic()
            for one in [one for one in idle if one[0] <= now]:
                idle.remove(one)
                if not _has_spoken(one[1]):
                    return one[1]
                one[1].close()
        if peer not in self.peers:
            raise NotAgreed("its address isn't known (--peer)")
        connection = socket.create_connection(self.peers[peer], _PATIENCE_S)
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def _whole(facts: Facts, name: str) -> int:
    value = facts.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotAgreed(f"'{name}' must be a whole number")
    return value


def _moment(value: Any) -> float:
    if not isinstance(value, int | float) or not abs(value - monotonic()) < _LONGEST_S:
        raise NotAgreed("a moment must be a number, and not days away")
    return float(value)


def _has_spoken(connection: socket.socket) -> bool:
    """Tell whether one that has nothing to say has refused what it was sent, or has ended."""
    with selectors.DefaultSelector() as waiting:
        waiting.register(connection, selectors.EVENT_READ)
        return bool(waiting.select(0))


def _sleep_until(at: float) -> None:
    if (left := at - monotonic()) > 0:
        sleep(left)


def _session(path: Path) -> Callable[[list[str], Mapping[str, Array]], list[Array]]:
    """Load a part and return what runs it, with one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it refuses it raises as well
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of classes of its own
        raise SystemExit(f"{path}: ONNX Runtime can't load it: {' '.join(str(error).split())[:_WHY]}") from None
    run: Callable[[list[str], Mapping[str, Array]], list[Array]] = session.run
    return run
