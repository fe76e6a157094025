"""The program that is one server of a cut network (`server`).

``python -m offbench.emulate.worker FOLDER --server edge --listen 0.0.0.0:7001 --peer client=10.0.0.7:7000`` serves the
parts of ``edge`` in a folder that ``offbench emulate --export`` wrote. It needs numpy and onnxruntime, and of offbench
this room's `server`, `wire` and `shaping` alone. Who reaches its port may have it compute; so it listens on loopback
unless told otherwise.
"""

import argparse
import json
import os
import socket
import sys
import threading
from pathlib import Path

from offbench.emulate.server import AT_ONCE, Facts, Server

FORMAT = "offbench-parts/1"


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"must be HOST:PORT, not '{text}'")
    return host.strip("[]") or "127.0.0.1", int(port)


def peer(text: str) -> tuple[str, tuple[str, int]]:
    """Turn ``edge=10.0.0.8:7001`` into a name and an address."""
    name, equals, address = text.rpartition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"must be NAME=HOST:PORT, not '{text}'")
    return name, _address(address)


def read_manifest(folder: Path) -> Facts:
    """Return what a folder of parts says of them, or end."""
    path = folder / "manifest.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SystemExit(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise SystemExit(f"{path}: must have the format '{FORMAT}'")
    return found


def main(arguments: list[str] | None = None) -> None:
    """Serve until stdin ends (``--until-stdin-ends``) or for ever."""
    parser = argparse.ArgumentParser(prog="python -m offbench.emulate.worker", description=__doc__)
    parser.add_argument("folder", type=Path, help="what `offbench emulate --export` wrote")
    parser.add_argument("--server", required=True, help="which server of the manifest this one is")
    parser.add_argument("--listen", type=_address, default=("127.0.0.1", 0), metavar="HOST:PORT")
    parser.add_argument("--peer", type=peer, action="append", default=[], metavar="NAME=HOST:PORT")
    parser.add_argument("--until-stdin-ends", action="store_true", help="end with the process that started this one")
    given = parser.parse_args(arguments)
    manifest = read_manifest(given.folder)
    server = Server(manifest, given.folder, given.server)
    server.peers.update(given.peer)
    sys.setswitchinterval(0.0005)  # who has slept until a moment runs then, whoever computes
    server.start()
    family = socket.AF_INET6 if ":" in given.listen[0] else socket.AF_INET
    try:
        listening = socket.create_server(given.listen, family=family, backlog=AT_ONCE * 4)
    except OSError as error:
        raise SystemExit(f"--listen {given.listen[0]}:{given.listen[1]}: {error.strerror or error}") from None
    print(json.dumps({"listening": listening.getsockname()[:2]}), flush=True)
    if given.until_stdin_ends:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=server.serve, args=(connection,), daemon=True).start()


def _end_with_stdin() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
