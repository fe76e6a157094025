"""What travels is what was agreed, or it is refused before memory is taken; links keep their rate."""

import json
import socket
import struct
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from offbench.emulate import shaping
from offbench.emulate.shaping import Bucket, send_shaped
from offbench.emulate.wire import MOST_HEADER, Array, Closed, NotAgreed, as_bytes, from_bytes, receive, send, size_of

TENSORS = {"a": ("float32", [2, 3]), "none": ("int64", [0, 4]), "yes": ("bool", [5])}


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        other.settimeout(5)
        yield one, other


def test_tensors_come_as_they_were(pair: tuple[socket.socket, socket.socket]) -> None:
    values: dict[str, Array] = {
        "a": np.arange(12, dtype=np.float32).reshape(3, 4).T[::2].reshape(2, 3),  # not in one piece
        "none": np.empty((0, 4), np.int64), "yes": np.array([1, 0, 1, 1, 0], bool),
    }  # fmt: skip
    send(pair[0], {"kind": "some"}, as_bytes(values, TENSORS, TENSORS))
    facts, body = receive(pair[1], lambda facts: size_of(TENSORS, TENSORS))
    assert facts == {"kind": "some"} and size_of(TENSORS, TENSORS) == 24 + 0 + 5
    found = from_bytes(body, TENSORS, TENSORS)
    assert all((found[name] == values[name]).all() and found[name].dtype == values[name].dtype for name in TENSORS)


def test_another_type_or_shape_isnt_sent() -> None:
    for wrong in (np.zeros((2, 3)), np.zeros((3, 2), np.float32)):
        with pytest.raises(NotAgreed, match="'a' is float"):
            as_bytes({"a": wrong}, TENSORS, ["a"])


def raw(magic: bytes = b"OFB1", text: bytes = b"{}", length: int | None = None, size: int = 0) -> bytes:
    return struct.pack(">4sIQ", magic, len(text) if length is None else length, size) + text


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (raw(magic=b"HTTP"), "not a message of offbench"),
        (raw(text=b"[" * 100_000), "no JSON"),
        (raw(text=b"[1]"), "no JSON object"),
        (raw(text=b"\xff"), "no JSON"),
        (raw(length=MOST_HEADER + 1), "at most"),
        (raw(size=1 << 62), "where 24 were agreed"),  # of which nothing is allocated
        (raw(size=23), "where 24 were agreed"),
    ],
)
def test_what_isnt_agreed_is_refused(sent: bytes, why: str, pair: tuple[socket.socket, socket.socket]) -> None:
    threading.Thread(target=pair[0].sendall, args=(sent,), daemon=True).start()
    with pytest.raises(NotAgreed, match=why):
        receive(pair[1], lambda facts: 24)


def test_an_end_in_the_middle_is_told(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].sendall(raw(text=json.dumps({}).encode(), size=24) + b"half")
    pair[0].shutdown(socket.SHUT_WR)
    with pytest.raises(Closed):
        receive(pair[1], lambda facts: 24)


class Clock:
    """Time that passes by sleeping alone, and what was sent when."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, now: float) -> None:
        self.now, self.sent = now, list[tuple[float, int]]()
        monkeypatch.setattr(shaping, "monotonic", lambda: self.now)
        monkeypatch.setattr(shaping, "sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    def sendall(self, piece: memoryview) -> None:
        self.sent.append((self.now, len(piece)))


def test_nothing_is_there_before_the_rate_lets_it_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, now=100.0)
    parts = [memoryview(bytes(250_000)), memoryview(bytes(10)), memoryview(bytes(99_990))]
    send_shaped(clock, parts, Bucket(1e6), 100.0)  # type: ignore[arg-type]
    passed = 0
    for time, size in clock.sent:
        passed += size
        assert time == pytest.approx(100.0 + passed / 1e6)
    assert passed == 350_000 and clock.now == pytest.approx(100.35)


def test_what_is_late_catches_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, now=100.2)  # it could have begun at 100
    send_shaped(clock, [memoryview(bytes(300_000))], Bucket(1e6), 100.0)  # type: ignore[arg-type]
    assert clock.now == pytest.approx(100.3)


def test_those_that_share_a_link_have_its_rate_together(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, link = Clock(monkeypatch, now=0.0), Bucket(1e6)
    for _ in range(2):
        send_shaped(clock, [memoryview(bytes(100_000))], link, 0.0)  # type: ignore[arg-type]
    assert clock.now == pytest.approx(0.2)
