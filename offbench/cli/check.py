"""`offbench check`: whether a solver does what every solver must."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from offbench.cli.shared.arguments import Json
from offbench.cli.shared.errors import FAILED

if TYPE_CHECKING:
    from offbench.runs.conformance import Verdict

    # How to tell what runs, and how to hide that.
    Watched = tuple[Callable[[str], None], Callable[[], AbstractContextManager[None]]]


def check(
    solver: Annotated[
        str,
        typer.Argument(metavar="SOLVER", help="A solver's name, or the path of a file with one: ./mine.py."),
    ],
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Check a solver: budget, allowed servers, proven optima, seeds, strange instances, Ctrl-C.

    It is tried in a process of its own, which is ended at each check's limit. A solver may refuse an
    instance with a reason, or find nothing in time. The exit code is 1 if it does something wrong.
    (Files of instances: `offbench instance check`.)
    """
    from time import monotonic

    from offbench.cli.shared.console import show_json, show_line
    from offbench.search.registry import locate

    begun = monotonic()
    locate(solver)
    if not json:
        show_line(f"{solver}: trying it")  # before what takes a second to load
    from offbench.runs.conformance import conformance, longest_s

    if not json:
        minutes = f"{longest_s() / 60:.0f} minutes at most, twice that for P1 and P2"
        show_line(f"each check is ended at its limit: {minutes}; mostly it takes some seconds")
    verdicts: list[Verdict] = []
    running = ""

    def begin(title: str) -> None:
        nonlocal running
        running = title
        tell(title)

    try:
        with _watched(solver, quiet) as (tell, hidden):
            for verdict in conformance(solver, begin):
                verdicts.append(verdict)
                if not json:
                    with hidden():
                        reason = f"  {verdict.detail}" if verdict.outcome in ("refused", "skipped") else ""
                        show_line(f"{verdict.outcome:8}{verdict.seconds:6.1f} s  {verdict.check}{reason}")
    except KeyboardInterrupt:
        if not json:
            _summarise(solver, verdicts, f"interrupted during '{running}'")
        raise
    failed = any(verdict.outcome == "failed" for verdict in verdicts)
    if json:
        show_json(
            {
                "solver": solver,
                "conforms": not failed,
                "seconds": monotonic() - begun,
                "checks": [vars(verdict) for verdict in verdicts],
            }
        )
    else:
        _summarise(solver, verdicts, "does not conform" if failed else "conforms")
    if failed:
        raise typer.Exit(FAILED)


def _summarise(solver: str, verdicts: "list[Verdict]", conclusion: str) -> None:
    """Print each fault once, with the checks that it came out in."""
    from offbench.cli.shared.console import show_line
    from offbench.runs.conformance import findings

    failed = sum(verdict.outcome == "failed" for verdict in verdicts)
    show_line(f"{solver} {conclusion}" + (f": {failed} of {len(verdicts)} checks failed" if failed else ""))
    for finding in findings(verdicts):
        show_line(f"  {finding}")
        show_line(f"    in: {'; '.join(finding.checks)}")


@contextmanager
def _watched(title: str, quiet: bool) -> "Iterator[Watched]":
    """Show what runs, on a terminal at once, elsewhere if it takes long; yield how to tell that, and how to hide it."""
    from contextlib import nullcontext
    from functools import partial
    from time import monotonic

    from offbench.cli.shared.progress import Lines, elapsed
    from offbench.cli.shared.terminal import watched_stderr
    from offbench.files.plain import plain

    with watched_stderr() as console:
        if quiet:
            yield (lambda text: None), nullcontext
        elif console is None:
            with Lines(title, title) as lines:

                def begin(text: str) -> None:
                    lines.begin(text)
                    lines.follow(partial(elapsed, monotonic()))

                yield begin, nullcontext
        else:
            from rich.text import Text

            def tell(text: str) -> None:
                status.update(Text(plain(text)))  # a text of its own, for rich reads markup in a str here

            status = console.status(Text(plain(title)))

            @contextmanager
            def hidden() -> Iterator[None]:
                status.stop()
                yield
                status.start()

            with status:
                yield tell, hidden
