"""What travels between servers: a header in JSON and raw bytes. Nothing that is received is run or unpickled.

Needs nothing but numpy, like all that a server of a deployed network imports (`server`).
"""

import json
import socket
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Tensors = Mapping[str, tuple[str, Sequence[int]]]
"""type and shape by name"""

_MAGIC = b"OFB1"
_HEAD = struct.Struct(">4sIQ")
MOST_HEADER = 1 << 20
"""bytes of a header; a longer one is refused before it is read"""


class NotAgreed(Exception):  # noqa: N818 - what happened, not whose fault it is
    """What came isn't what was agreed."""


class Closed(Exception):  # noqa: N818
    """The other side has ended the connection."""


def size_of(tensors: Tensors, names: Iterable[str]) -> int:
    """Return how many bytes some tensors have together."""
    return sum(prod(tensors[name][1]) * np.dtype(tensors[name][0]).itemsize for name in names)


def as_bytes(values: Mapping[str, Array], tensors: Tensors, names: Iterable[str]) -> list[memoryview]:
    """Return the bytes of some tensors, one after another.

    Raises
    ------
    NotAgreed
        If one isn't of its type and shape.
    """
    found = []
    for name in names:
        dtype, shape = tensors[name]
        value = values[name]
        if value.dtype != np.dtype(dtype) or value.shape != tuple(shape):
            raise NotAgreed(f"'{name}' is {value.dtype}{list(value.shape)}, not {dtype}{list(shape)}")
        if value.size:
            found.append(np.ascontiguousarray(value).reshape(-1).data.cast("B"))
    return found


def from_bytes(body: bytearray, tensors: Tensors, names: Iterable[str]) -> dict[str, Array]:
    """Return tensors from their bytes, which they keep using."""
    found, begun = {}, 0
    for name in names:
        dtype, shape = tensors[name]
        count = prod(shape)
        found[name] = np.frombuffer(body, dtype, count, begun).reshape(shape)
        begun += found[name].nbytes
    return found


def header(facts: Mapping[str, Any], size: int) -> bytes:
    """Return what comes before a body."""
    text = json.dumps(facts, allow_nan=False).encode()
    if len(text) > MOST_HEADER:
        raise NotAgreed(f"a header of {len(text)} bytes; at most {MOST_HEADER}")
    return _HEAD.pack(_MAGIC, len(text), size) + text


def send(connection: socket.socket, facts: Mapping[str, Any], body: Sequence[memoryview] = ()) -> None:
    """Send a header and a body, as fast as it goes."""
    connection.sendall(header(facts, sum(map(len, body))))
    for each in body:
        connection.sendall(each)


def receive(connection: socket.socket, admitted: Callable[[dict[str, Any]], int]) -> tuple[dict[str, Any], bytearray]:
    """Return what comes.

    Parameters
    ----------
    connection
        From where.
    admitted
        Tells from a header how large its body must be, or raises `NotAgreed`; memory is taken only then.

    Raises
    ------
    NotAgreed
        If it isn't what was agreed.
    Closed
        If the other side has ended the connection.
    """
    magic, length, size = _HEAD.unpack(_exactly(connection, _HEAD.size))
    if magic != _MAGIC:
        raise NotAgreed("not a message of offbench")
    if length > MOST_HEADER:
        raise NotAgreed(f"a header of {length} bytes; at most {MOST_HEADER}")
    try:
        facts = json.loads(_exactly(connection, length))
    except (ValueError, RecursionError):
        raise NotAgreed("a header that is no JSON") from None
    if not isinstance(facts, dict):
        raise NotAgreed("a header that is no JSON object")
    expected = admitted(facts)
    if size != expected:
        raise NotAgreed(f"a body of {size} bytes where {expected} were agreed")
    return facts, _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytearray:
    found = bytearray(size)
    view, got = memoryview(found), 0
    while got < size:
        count = connection.recv_into(view[got:])
        if count == 0:
            raise Closed
        got += count
    return found
