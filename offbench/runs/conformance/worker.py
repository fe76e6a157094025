"""The processes that solvers are tried in: what comes back, how they are ended."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, Self

import psutil

from offbench.errors import OffbenchError
from offbench.files.plain import plain
from offbench.runs.conformance import limits
from offbench.runs.conformance.answer import Imported
from offbench.runs.conformance.instances import one_chain
from offbench.runs.conformance.own_code import is_own
from offbench.runs.conformance.verdict import Fault, Refused
from offbench.runs.process import Died, Process, TooLarge

_CHILD = "offbench.runs.conformance.child"
_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')
# What faulthandler begins with.
_DUMPS = ("Fatal Python error", "Timeout (")


class Ended(Fault):
    """A trial that had to be ended."""


class Worker:
    """A process that tries solvers, begun anew after a trial that ended it.

    Parameters
    ----------
    at_most_mb
        Memory that it may take.
    """

    def __init__(self, at_most_mb: float) -> None:
        self._at_most_mb = at_most_mb
        self._process: Process | None = None
        self._greeted = False
        self._number = 0
        """of the last request; its answer bears it"""
        self._asked: dict[str, int] = {}
        self._imported: dict[str, Imported] = {}
        self._rehearsed: set[str] = set()

    def start(self, solver: str | None = None) -> Process:
        """Begin a process where there is none, and a solver's import, without waiting for them."""
        if self._process is None:
            self._process = Process(_CHILD).__enter__()
            self._greeted, self._asked, self._imported, self._rehearsed = False, {}, {}, set()
        if solver is not None and solver not in self._asked and solver not in self._imported:
            self._asked[solver] = self._post({"do": "import", "solver": solver, "hard_s": limits.IMPORT_S})
        return self._process

    def _post(self, request: Mapping[str, Any]) -> int:
        assert self._process is not None
        self._number += 1
        self._process.post({**request, "number": self._number})
        return self._number

    def imported(self, solver: str) -> Imported:
        """Import a solver, and have it compile what it compiles once; return what it solves, and its own files.

        Raises
        ------
        OffbenchError
            If it can't be imported.
        Fault
            If its import ends the process, or doesn't end.
        """
        process = self.start(solver)
        if not self._greeted:
            process.receive(limits.START_S)
            self._greeted = True
        if solver not in self._imported:
            number = self._asked.pop(solver)  # whatever comes, nothing more is to come
            facts = Imported.read(self._receive(number, solver, limits.IMPORT_S, f"within {limits.IMPORT_S:g} s"))
            number = self._post({"do": "warm up", "solver": solver, "hard_s": limits.WARM_UP_S})
            self._receive(number, solver, limits.WARM_UP_S, f"compiling within {limits.WARM_UP_S:g} s")
            self._imported[solver] = facts
        return self._imported[solver]

    def run(self, solver: str, request: Mapping[str, Any], hard_s: float, allowed: str) -> dict[str, Any]:
        """Return what a run found, after `rehearse`.

        Parameters
        ----------
        solver, request
            What is run.
        hard_s
            When it is ended.
        allowed
            What it is told that it did not keep.

        Raises
        ------
        Ended
            If it had to be ended.
        Fault
            If it raised something, ended its process, or changed it.
        Refused
            If it has no placement.
        """
        self.start()
        number = self._post({"do": "run", "solver": solver, "hard_s": hard_s, **request})
        return self._receive(number, solver, hard_s, allowed, press=request["press"])

    def rehearse(self, solver: str, given: bool) -> None:
        """Have a solver load what it loads in its first run: libraries that take longer than a trial may.

        The watchdog ends it if need be, and whatever else goes wrong the trials tell.
        """
        self.imported(solver)
        if solver in self._rehearsed:
            return
        request = {
            "instance": one_chain().model_dump(mode="json"), "seed": 0, "time_limit": limits.TIME_LIMIT_S,
            "max_evaluations": limits.EVALUATIONS, "alarm": True, "press": False,
            "servers": [0] * len(one_chain().tasks[0].layers) if given else None,
        }  # fmt: skip
        hard_s = limits.FIRST_RUN_S
        self.start()
        number = self._post({"do": "run", "solver": solver, "hard_s": hard_s, **request})
        try:
            self._receive(number, solver, hard_s, f"at its limit ({limits.TIME_LIMIT_S:g} s), nor within {hard_s:g} s")
        except Ended:
            raise
        except (Fault, Refused):
            if self._process is None:  # it took that along
                raise
        self._rehearsed.add(solver)

    def _receive(
        self, number: int, solver: str, hard_s: float, allowed: str, press: bool = False
    ) -> dict[str, Any]:  # fmt: skip
        assert self._process is not None
        try:
            answer = self._pressed(hard_s) if press else self._process.receive(hard_s, self._at_most_mb)
            while answer.get("number") in self._asked.values():  # an import that nobody waits for
                answer = self._process.receive(hard_s, self._at_most_mb)
        except TimeoutError:
            raise Ended(f"didn't stop {allowed}, and was ended", where=self._dismissed(solver)) from None
        except TooLarge:
            gigabytes = self._at_most_mb / 1000
            raise Ended(
                f"took more than {gigabytes:.1f} GB of memory, and was ended", where=self._dismissed(solver)
            ) from None
        except Died as end:
            crashed = any(begin in end.told for begin in _DUMPS)
            raise Fault(
                f"its process ended with {end.how}" if crashed else str(end), where=self._dismissed(solver)
            ) from None
        if answer.get("number") != number:
            raise Fault("its process answered what it wasn't asked", where=self._dismissed(solver))
        if answer.get("changes"):
            self.kill()  # nobody else is to suffer from them
        if "mistake" in answer:
            raise OffbenchError(plain(str(answer["mistake"])))
        if "fault" in answer:
            raise Fault(plain(str(answer["fault"])), where=_shown(plain(str(answer.get("where", ""))), solver))
        if answer.get("changes"):
            raise Fault(" and ".join(map(str, answer["changes"])))
        if "refused" in answer:
            raise Refused(plain(str(answer["refused"])))
        return answer

    def _pressed(self, hard_s: float) -> dict[str, Any]:
        """Press Ctrl-C a moment after the run's start, again where it is lost; return the answer."""
        assert self._process is not None
        deadline = monotonic() + hard_s
        answer = self._process.receive(hard_s, self._at_most_mb)
        for patience_s in (limits.PRESS_AFTER_S, limits.PRESS_AGAIN_S, limits.PRESS_AGAIN_S):
            if "started" not in answer:
                return answer
            with suppress(TimeoutError):
                return self._process.receive(min(patience_s, deadline - monotonic()), self._at_most_mb)
            self._process.interrupt()
        return self._process.receive(deadline - monotonic(), self._at_most_mb)

    def end(self) -> None:
        """Let the process end by itself.

        Raises
        ------
        Fault
            If it doesn't, or something that it started goes on.
        """
        if self._process is None:
            return
        self._process.post({"do": "end"})
        ended = self._process.ended(limits.END_S)
        left = self._process.left()
        psutil.wait_procs(left, timeout=limits.FOLLOW_S)
        names = sorted(_command(process) for process in left if process.is_running())
        self.kill()
        if names:
            raise Fault(f"leaves a process behind: {names[0]}")
        if not ended:
            raise Fault(
                f"its process doesn't end within {limits.END_S:g} s of its last run, perhaps for a thread of it"
            )

    def kill(self) -> None:
        """End the process, and all that it started."""
        if self._process is not None:
            process, self._process = self._process, None
            process.__exit__(None, None, None)

    def _dismissed(self, solver: str) -> str:
        """End the process; return where in a solver's own code it was, if it told that."""
        assert self._process is not None
        told = self._process.told
        own = self._imported[solver].own if solver in self._imported else []
        self.kill()
        begin = max(told.rfind(mark) for mark in _DUMPS)
        frames = _FRAME.findall(told[begin:]) if begin >= 0 else []
        return next((_shown(f"{file}:{line}", solver) for file, line in frames if is_own(file, own)), "")


def _command(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        words = process.cmdline()
        if _CHILD in words:
            return "a fork of its own"
        return " ".join(Path(word).name if k == 0 else word for k, word in enumerate(words[:3]))
    return "one that has ended since"


def _shown(where: str, solver: str) -> str:
    """Return file and line as a user would write them."""
    if not where:
        return ""
    file, _, line = where.rpartition(":")
    near = os.path.relpath(file)
    return f"{file if near.startswith(os.pardir) else near}:{line}"


class Crew:
    """Two workers: of the second a solver's trials are new where the first has seen some."""

    def __enter__(self) -> Self:
        at_most_mb = limits.MEMORY_SHARE * psutil.virtual_memory().available / 1e6
        self.first, self.second = Worker(at_most_mb), Worker(at_most_mb)
        self.first.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.first.kill()
        self.second.kill()
