"""A terminal that somebody watches."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def watched_stderr() -> Iterator["Console | None"]:
    """Lend a console where somebody watches stderr; its cursor comes back whenever Ctrl-C falls."""
    if not sys.stderr.isatty():
        yield None
        return

    from rich.console import Console

    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    try:
        yield console
    finally:
        console.show_cursor()
