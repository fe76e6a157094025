"""Who is at a run, among processes and machines that share a folder: a file for each run that somebody is at.

A claim is made whole or not at all, and by one process only: it is written under another name and linked to its own.
While its process lives, it sets the file's time anew every few seconds (`Claims.beating`). A claim is stale

- at once, where it was made on this system since it started and its process has gone, whatever the host is called,
- else when it has had no beat for a minute, or its last one lies more than that ahead: a clock was put back.
"""

import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import psutil
from pydantic import ConfigDict, ValidationError

from offbench.bench.damage import names
from offbench.files.regular import read_regular
from offbench.model.instance import Fact

BEAT_S = 5.0
STALE_S = 60.0


class Claimant(Fact):
    """Who is at a run."""

    model_config = ConfigDict(extra="ignore")  # a newer version's claims are claims

    host: str
    place: str
    """of processes whose numbers are of one kind (`here`)"""
    pid: int
    started: float
    """when the process began (`began`)"""
    nonce: str = ""
    """makes each claim another one"""


@cache
def here() -> str:
    """Return what tells this start of this system, and the container if there is one, from all others."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # no Linux
        return f"{platform.node()} {psutil.boot_time():.0f}"


def began(pid: int) -> float | None:
    """Return when a process began, in a measure that no change of the clock moves where the system has one.

    None if there is no such process, or it has ended and nobody has asked how.

    Raises
    ------
    psutil.AccessDenied
        If it is another user's, and hidden.
    """
    if not psutil.pid_exists(pid):
        return None
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        with suppress(OSError, ValueError, IndexError):
            # Ticks since the system started; psutil adds the time of that, which goes with the clock.
            return float(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[19])
        return float(process.create_time())
    except psutil.ZombieProcess:
        return None
    except psutil.NoSuchProcess:
        if psutil.pid_exists(pid):
            raise psutil.AccessDenied(pid) from None
        return None


@dataclass(frozen=True)
class _Claim:
    """A claim as it stands in the folder."""

    content: bytes
    claimant: Claimant | None
    """None if the content says nothing"""
    beat: float
    """when the last one was, in seconds since 1970"""

    def lives(self) -> bool | None:
        """Tell whether its process lives; None if that can't be told from here."""
        if self.claimant is None or self.claimant.place != here():
            return None
        try:
            start = began(self.claimant.pid)
        except psutil.AccessDenied:  # of another user
            return None
        return start is not None and abs(start - self.claimant.started) < 1

    def holds(self, now: float) -> bool:
        """Tell whether it isn't stale."""
        lives = self.lives()
        return abs(now - self.beat) < STALE_S if lives is None else lives  # one to come is of a clock that was put back


class Claims:
    """The claims in a folder.

    Parameters
    ----------
    folder
        Made when the first claim is; the folder around it must be there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mine: set[str] = set()
        self._seen: dict[str, float] = {}
        """the beats of others' claims when they were met"""

    def take(self, name: str) -> bool:
        """Claim a run for this process; False if another one is at it.

        Raises
        ------
        OSError
            If it can't be written.
        """
        self.folder.mkdir(exist_ok=True)
        if not self._take(name):
            return False
        self._mine.add(name)
        return True

    def drop(self, name: str) -> None:
        """Give up a claim of this process."""
        self._mine.discard(name)
        claim = self._at(name)
        if claim is not None and self._is_mine(claim):  # else it was taken over as stale
            (self.folder / name).unlink(missing_ok=True)

    def held(self) -> set[str]:
        """Return the names of the runs that somebody is at."""
        return {name for name in names(self.folder) if name[0] != "." and "~" not in name and self.holds(name)}

    def holds(self, name: str) -> bool:
        """Tell whether somebody is at a run."""
        claim = self._at(name)
        return claim is not None and claim.holds(time.time())

    def shows_life(self, name: str) -> bool:
        """Tell whether the process that has a claim is known to live: it can be seen, or its heart has beaten since."""
        claim = self._at(name)
        return claim is not None and (bool(claim.lives()) or claim.beat != self._seen.setdefault(name, claim.beat))

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Show during the body that this process lives."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT_S):
                for name in list(self._mine):
                    with suppress(OSError):
                        os.utime(self.folder / name)

        heart = threading.Thread(target=beat, daemon=True)
        heart.start()
        try:
            yield
        finally:
            over.set()
            heart.join()

    def _take(self, name: str) -> bool:
        claim = self._at(name)
        if claim is None:
            return self._make(name)
        if self._is_mine(claim):
            return True
        self._seen.setdefault(name, claim.beat)
        if claim.lives() or claim.holds(self._now()):
            return False
        # Only who has the right to succeed this very claim may replace it, so it is still there when that is done.
        succession = f"{name}~{sha256(claim.content).hexdigest()[:8]}"
        if not self._take(succession):
            return False
        try:
            current = self._at(name)
            if current is None:
                return self._make(name)
            if current.content != claim.content or current.beat != claim.beat:
                return False
            with self._written(name) as written:
                written.replace(self.folder / name)
            return True
        finally:
            (self.folder / succession).unlink(missing_ok=True)

    def _make(self, name: str) -> bool:
        path = self.folder / name
        with self._written(name) as written:
            try:
                os.link(written, path)
                return True
            except FileExistsError:
                return written.stat().st_nlink == 2  # NFS may say so of a link that it has made
            except OSError:  # a file system without links
                try:
                    with path.open("xb") as file:
                        file.write(written.read_bytes())
                    return True
                except FileExistsError:
                    return False

    @contextmanager
    def _written(self, name: str) -> Iterator[Path]:
        """Give a claim under a name that nobody else has."""
        nonce = secrets.token_hex(8)
        me = Claimant(host=platform.node(), place=here(), pid=os.getpid(), started=began(os.getpid()) or 0, nonce=nonce)
        path = self.folder / f".{name}-{nonce}.tmp"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(me.model_dump_json())
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _now(self) -> float:
        """Return the time by the clock that the files' times are of."""
        with self._written("now") as written:
            return written.stat().st_mtime

    def _at(self, name: str) -> _Claim | None:
        path = self.folder / name
        try:
            beat, content = path.stat().st_mtime, read_regular(path)
            return _Claim(content, Claimant.model_validate_json(content), beat)
        except FileNotFoundError:
            return None
        except ValidationError:
            return _Claim(content, None, beat)
        except (OSError, ValueError):  # no file, or none that we may read: nobody can take it
            return _Claim(b"", None, time.time())

    @staticmethod
    def _is_mine(claim: _Claim) -> bool:
        return claim.claimant is not None and claim.claimant.pid == os.getpid() and bool(claim.lives())
