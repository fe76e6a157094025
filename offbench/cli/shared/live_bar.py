"""The progress bar of a run, for somebody who watches a terminal."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from offbench.cli.shared.state import search_state, starting
from offbench.files.plain import plain

if TYPE_CHECKING:
    from offbench.search.search import Search


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
        self.follow(partial(search_state, search))

    def follow(self, look: Callable[[], tuple[float, str]]) -> None:
        """Show from now on what *look* returns: the share that is done, and the state in words."""
        self._look = look

    def get_renderables(self) -> Iterable[RenderableType]:
        done, state = (0.0, starting()) if self._look is None else self._look()
        for row in self.task_ids:  # none yet while it is made
            self.update(row, completed=done, state=plain(state))
        yield from super().get_renderables()
