"""Stands between a process and the one that asked for it, and ends the first, with all that it started.

``python supervisor.py CONTROL COMMAND...`` starts the command and tells its id, later its return code, on the socket
with the number CONTROL, a line each. A byte that comes there interrupts the command. When the other end is closed,
whoever held it, and however that one ended, all that is left is killed: also what made itself a session of its own,
for on Linux orphans fall to this process (`prctl(2)`, ``PR_SET_CHILD_SUBREAPER``).

It imports little, and nothing of offbench, so that it starts in some milliseconds and takes few megabytes.
"""

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # of Linux
# Between two looks for the one that asked, in case that a fork of it holds the socket.
_LOOK_S = 1.0
# Between two rounds of killing what may start others meanwhile.
_ROUND_S = 0.01


def main() -> None:
    """Start the command, and wait for its end or for the asker's."""
    control, command = int(sys.argv[1]), sys.argv[2:]
    asker = os.getppid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: None)  # the command may send them here; they end nobody
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else lambda option, value: None
    prctl(_PR_SET_CHILD_SUBREAPER, 1)

    me, child = os.getpid(), os.fork()
    if child == 0:
        os.setsid()  # a group of its own can be ended as one
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # where the command ends its supervisor
        if os.getppid() != me:
            os._exit(1)
        os.set_inheritable(control, False)
        try:
            os.execvp(command[0], command)
        finally:
            os._exit(127)

    for stream in (0, 1, 2):  # these are the command's
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    _tell(control, child)
    ended = False
    try:
        while os.getppid() == asker:
            ready, _, _ = select.select([control, woken], [], [], _LOOK_S)
            if woken in ready:
                os.read(woken, 4096)
            if control in ready:
                if not _asked(control):
                    break
                if not ended:
                    os.kill(child, signal.SIGINT)
            for pid, status in _ended():
                if pid == child:
                    ended = True
                    _tell(control, os.waitstatus_to_exitcode(status))
    finally:  # whatever happens
        _kill_all(me, None if ended else child)
        os._exit(0)


def _asked(control: int) -> bool:
    """Take what was asked for; False if nobody is there any more."""
    try:
        return os.read(control, 1) != b""
    except ConnectionError:  # closed with something unread
        return False


def _tell(control: int, number: int) -> None:
    with suppress(OSError):  # nobody listens any more
        os.write(control, b"%d\n" % number)


def _ended() -> list[tuple[int, int]]:
    """Return children that have ended, with their status."""
    found = []
    with suppress(ChildProcessError):  # there are no more
        while (one := os.waitpid(-1, os.WNOHANG))[0] != 0:
            found.append(one)
    return found


def _kill_all(me: int, child: int | None) -> None:
    """Kill all descendants until there are none; where the system lists none, the child and its group."""
    if child is not None:
        _kill(os.killpg, child)
    while True:
        for pid in _descendants(me):
            _kill(os.kill, pid)
        try:
            while os.waitpid(-1, os.WNOHANG)[0] != 0:
                pass
        except ChildProcessError:
            return
        time.sleep(_ROUND_S)


def _kill(how: Callable[[int, int], None], number: int) -> None:
    with suppress(OSError):  # it has ended
        how(number, signal.SIGKILL)


def _descendants(me: int) -> list[int]:
    """Return the processes below this one; none where the system doesn't list them."""
    parent: dict[int, int] = {}
    with suppress(OSError):
        for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - as above, pathlib takes its time
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                parent[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
    found, before = {me}, 0
    while len(found) > before:
        before = len(found)
        found |= {pid for pid, above in parent.items() if above in found}
    return sorted(found - {me})


if __name__ == "__main__":
    main()
