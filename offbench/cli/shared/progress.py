"""The progress bar of a run, for somebody who watches a terminal."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from offbench.cli.shared.console import watched_stderr
from offbench.files.plain import plain

if TYPE_CHECKING:
    from offbench.search.metrics import Diary
    from offbench.search.search import Search


@contextmanager
def bar(title: str, quiet: bool) -> Iterator["LiveBar | None"]:
    """Show a progress bar, or nothing where nobody watches."""
    if quiet:
        yield None
        return
    with watched_stderr() as console:
        if console is None:
            yield None
        else:
            with LiveBar(title, console) as progress:
                yield progress


class LiveBar(Progress):
    """A bar that looks at what runs whenever rich draws it, from rich's own thread.

    So it moves although a solver never yields, and a search knows nothing of it.
    """

    def __init__(self, title: str, console: Console) -> None:
        self._look: Callable[[], tuple[float, str]] | None = None  # first, for Progress draws while it is made
        super().__init__(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=console,
            transient=True,
        )
        self._row = self.add_task(plain(title), total=1.0, state="starting")

    def begin(self, title: str) -> None:
        """Show that something of this title starts."""
        self._look = None
        self.update(self._row, description=plain(title), completed=0.0, state="starting")

    def watch(self, search: "Search") -> None:
        """Show *search* from now on."""
        self.follow(partial(_search_state, search))

    def follow(self, look: Callable[[], tuple[float, str]]) -> None:
        """Show from now on what *look* returns: the share that is done, and the state in words."""
        self._look = look

    def get_renderables(self) -> Iterable[RenderableType]:
        if self._look is not None:
            done, state = self._look()
            self.update(self._row, completed=done, state=plain(state))
        yield from super().get_renderables()


# "best Q" stands there already.
_SHOWN = ("episode", "loss", "epsilon")


def _search_state(search: "Search") -> tuple[float, str]:
    return min(1.0, search.progress), _state(search)


def _state(search: "Search") -> str:
    limit, most = search.budget.time_limit, search.budget.max_evaluations
    best = "no placement yet"
    if search.violation < math.inf:
        feasible = search.objective < math.inf
        best = f"best Q {search.objective:.6g}" if feasible else f"not feasible yet, violation {search.violation:.4g}"
    count = f"{search.evaluations:,}" + (f" of {most:,}" if most else "") + " evaluations"
    time = f"{search.seconds:.1f}" + (f" of {limit:g}" if limit else "") + " s"
    return ", ".join([best, count, time, *learning_state(search.diary)])


def learning_state(diary: "Diary") -> list[str]:
    """Tell what a solver that learns has written down last."""
    return [
        f"{name} {value:,.0f}" if name == "episode" else f"{name} {value:.4g}"
        for name, value in sorted(diary.latest.items())
        if name in _SHOWN
    ]
