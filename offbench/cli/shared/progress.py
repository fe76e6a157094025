"""How far a run is: a bar for somebody who watches a terminal, else a line now and then for a pipe or a log."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Self

from offbench.cli.shared.state import search_state, starting
from offbench.cli.shared.terminal import watched_stderr
from offbench.files.plain import plain

if TYPE_CHECKING:
    from offbench.cli.shared.live_bar import LiveBar
    from offbench.search.search import Search


@contextmanager
def bar(title: str, quiet: bool, of: str = "") -> Iterator["LiveBar | Lines | None"]:
    """Show how far it is on stderr: a progress bar on a terminal, lines elsewhere, nothing if *quiet*.

    Parameters
    ----------
    title
        What runs, until `begin` says otherwise.
    quiet
        Whether nothing is shown.
    of
        What it runs on; lines begin with it.
    """
    if quiet:
        yield None
        return
    with watched_stderr() as console:
        if console is None:
            with Lines(title, of) as lines:
                yield lines
        else:
            from offbench.cli.shared.live_bar import LiveBar

            with LiveBar(title, console) as progress:
                yield progress


@contextmanager
def waiting(text: str, quiet: bool, of: str = "") -> Iterator[None]:
    """Say what is waited for, where nothing tells how far it is."""
    if quiet:
        yield
        return
    with watched_stderr() as console:
        if console is not None:
            with console.status(plain(text)):
                yield
        else:
            with Lines(text, of, first_s=5) as lines:
                lines.follow(partial(elapsed, monotonic()))
                yield


def elapsed(begun: float) -> tuple[float, str]:
    """Return the state of what tells nothing but when it began."""
    return 0.0, f"{monotonic() - begun:.0f} s so far"


def line_times() -> Iterator[float]:
    """Yield the seconds after which a line is due: ever fewer, so that a day's log has some hundred and fifty."""
    yield from (2, 5, 10, 20, 40)
    yield from (60.0 * minute for minute in range(1, 10))
    yield from (600.0 * n for n in count(1))


class Lines:
    """The state of what runs in a line now and then, from a thread of its own that ends with the body."""

    def __init__(self, title: str, of: str = "", first_s: float = 0) -> None:
        self._title, self._of, self._first_s = title, of, first_s
        self._stream = sys.stderr
        self._look: Callable[[], tuple[float, str]] | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="progress", daemon=True)

    def begin(self, title: str) -> None:
        """Tell that something of this title starts."""
        self._title, self._look = title, None

    def watch(self, search: "Search") -> None:
        """Tell of *search* from now on."""
        self.follow(partial(search_state, search))

    def follow(self, look: Callable[[], tuple[float, str]]) -> None:
        """Tell from now on what *look* returns: the share that is done, and the state in words."""
        self._look = look

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(1.0)  # it may hang at a pipe that nobody reads

    def _tell(self) -> None:
        begun = monotonic()
        for due in line_times():
            left = begun + due - monotonic()
            # Where compiled code keeps this thread from running, times pass: one line stands for all of them.
            if due < self._first_s or left < 0:
                continue
            if self._over.wait(left):
                return
            look, title = self._look, self._title
            state = starting() if look is None else look()[1]
            name = title if title.startswith(self._of) else f"{self._of}, {title}"
            with suppress(OSError, ValueError):  # a reader that has gone, a stream that is closed
                print(plain(f"{name}: {state}"), file=self._stream, flush=True)
