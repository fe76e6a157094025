"""`offbench emulate`: a cut network run on processes and shaped links, and held against the prediction."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.network.read import Shapes, parse_shape
from offbench.cli.shared.arguments import InstanceArgument, Json
from offbench.errors import OffbenchError, one_of

if TYPE_CHECKING:
    from offbench.emulate.comparison import Compared

_SHOWN = 12


def emulate(
    instance: InstanceArgument,
    placement: Annotated[Path, typer.Argument(metavar="PLACEMENT", help="A placement file, or - for stdin.")],
    model: Annotated[
        list[str],
        typer.Option(
            metavar="FILE", help="The ONNX model that the layers are of; of several networks TASK=FILE, repeatable."
        ),
    ],
    shape: Shapes = None,
    compute: Annotated[
        str,
        typer.Option(
            metavar="paced|here",
            help="paced: a part takes at least the seconds that the instance says; here: what this machine takes.",
        ),
    ] = "paced",
    profile: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="This machine's seconds (`offbench profile`) in place of the instance's on every server, for "
            "--compute here; of several networks TASK=FILE, repeatable.",
        ),
    ] = None,
    links: Annotated[
        str,
        typer.Option(
            metavar="private|shared",
            help="private: each transfer has its link's whole rate, as in the model; shared: all on it share the rate.",
        ),
    ] = "private",
    runs: Annotated[
        int, typer.Option(metavar="N", help="Runs of which the median is taken; 0 cuts and runs nothing.")
    ] = 10,
    warm_up: Annotated[int, typer.Option(metavar="N", help="Runs before them that don't count.")] = 2,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="S", help="Seconds for each run; by default ten times what is predicted, and ten more."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the inputs.")] = 0,
    export: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the parts as ONNX files, with a manifest.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what was measured: a page (.html) or JSON (.json).")
    ] = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Cut a network where a placement says, run it, and compare with the prediction.

    Each server is a process of this machine, which runs its parts with ONNX Runtime. Tensors travel over sockets that
    keep the links' rates and latencies. Needs `pip install 'offbench[profile]'`. Ctrl-C keeps the runs that are there.
    """
    for option, value, known in (("compute", compute, ["paced", "here"]), ("links", links, ["private", "shared"])):
        if value not in known:
            raise one_of(f"--{option}", value, known)
    for option, number in (("runs", runs), ("warm-up", warm_up)):
        if number < 0:
            raise OffbenchError(f"--{option}: must be at least 0, not {number}")
    if timeout is not None and not 0 < timeout < math.inf:
        raise OffbenchError(f"--timeout: must be above 0 and finite, not {timeout:g}")
    if runs == 0 and export is None:
        raise OffbenchError("--runs 0: nothing is run, so say where to keep the parts (--export DIR)")
    if profile and compute != "here":
        raise OffbenchError("--profile: is this machine's, so it needs --compute here")
    if output is not None and output.suffix not in (".html", ".json", ""):
        raise OffbenchError(f"--output {output}: must end in .html or .json")

    from offbench.cli.shared import console
    from offbench.cli.shared.files import check_folder, check_stdout_once, check_writable, write
    from offbench.cli.shared.given import called, check_stdin_once, instance_from, is_dash, placement_from
    from offbench.cli.shared.interrupt import one_interrupt
    from offbench.cli.shared.progress import bar

    check_stdin_once(instance, placement)
    check_stdout_once(output, json)
    if output is not None:
        check_writable(output)
    if export is not None:
        check_folder(export)
    shapes = dict(parse_shape(text) for text in shape or ())
    facts = instance_from(instance)
    models = _named(model, [task.name for task in facts.tasks], "--model")
    if profile:
        from offbench.emulate.here import as_here

        facts = as_here(facts, _named(profile, [task.name for task in facts.tasks], "--profile"), models, shapes)
    given = placement_from(placement, facts)
    console.load_evaluator(quiet)
    if runs == 0:
        from offbench.emulate.manifest import cut

        assert export is not None
        export.mkdir(parents=True, exist_ok=True)
        made = cut(facts, given, models, export, shapes)
        _tell_cut(len(made.parts.pieces), len(made.parts.messages), export, json, made.manifest)
        return

    from offbench.emulate.measuring import Progress
    from offbench.emulate.measuring import emulate as measure
    from offbench.emulate.words import facts as as_facts
    from offbench.emulate.words import in_words

    now = Progress(runs + warm_up)

    def stop() -> None:
        if now.done <= warm_up:
            raise KeyboardInterrupt
        now.stop = True

    if export is not None:
        export.mkdir(parents=True, exist_ok=True)
    with one_interrupt(stop) as ending, bar(facts.name, quiet) as progress:
        if progress is not None:
            progress.follow(lambda: (now.done / max(1, now.total), f"{now.what}, {now.done} of {now.total} runs"))
        found = measure(
            facts, given, models, shapes=shapes, compute="here" if compute == "here" else "paced",
            links="shared" if links == "shared" else "private", runs=runs, warm_up=warm_up, timeout_s=timeout,
            seed=seed, folder=export, progress=now,
        )  # fmt: skip
    if output is not None:
        if output.suffix == ".html":
            from offbench.report.emulation import emulation_page

            write(output, emulation_page(f"{called(placement)} on {facts.name}", found), quiet)
        else:
            import json as to_json

            write(output, to_json.dumps(as_facts(found), indent=1, allow_nan=False) + "\n", quiet)
    if json:
        console.show_json(as_facts(found))
    elif not is_dash(output):
        from offbench.emulate.comparison import compared

        rows = compared(found)
        for line in in_words(found, rows):
            console.show_line(line)
        if rows:
            console.show(_table(rows))
        if export is not None:
            console.show_line(f"{export}: {len(found.cut.parts.pieces)} parts and manifest.json")
    if now.stop:
        raise typer.Exit(ending.exit_code)
    if found.error is not None:
        raise typer.Exit(1)


def _named(options: Sequence[str], tasks: Sequence[str], option: str) -> dict[str, str | Path] | Path:
    """Turn FILE, or TASK=FILE several times, into one file or files by task."""
    found: dict[str, str | Path] = {}
    for text in options:
        name, equals, file = text.partition("=")
        if equals and name in tasks:
            if name in found:
                raise OffbenchError(f"{option} {text}: task '{name}' has one already, {found[name]}")
            found[name] = Path(file)
        elif len(options) == 1 and (not equals or Path(text).exists()):
            return Path(text)
        else:
            raise OffbenchError(f"{option} {text}: must be TASK=FILE; tasks: {', '.join(tasks)}")
    return found


def _tell_cut(parts: int, messages: int, folder: Path, json: bool, manifest: dict[str, Any]) -> None:
    from offbench.cli.shared.console import show_json, show_line
    from offbench.model.facts import counted

    if json:
        show_json(manifest)
        return
    show_line(f"{folder}: {counted(parts, 'part')} and manifest.json; {counted(messages, 'transfer')} between servers")
    for server in manifest["servers"]:
        show_line(f"python -m offbench.emulate.worker {folder} --server {server['name']} --listen 127.0.0.1:0")


def _table(rows: "Sequence[Compared]") -> Any:
    """Return tasks, and of parts and transfers those that are off by most."""
    from rich.table import Table
    from rich.text import Text

    from offbench.files.plain import plain

    table = Table("", "what")
    for head in ("predicted", "measured", "quartiles", "off by", "off"):
        table.add_column(head, justify="right")
    tasks = [row for row in rows if row.kind == "task"]
    others = sorted((row for row in rows if row.kind != "task"), key=lambda row: -abs(row.measured_s - row.predicted_s))
    for row in (*tasks[:_SHOWN], *others[:_SHOWN]):
        apart = row.measured_s - row.predicted_s
        table.add_row(
            row.kind, Text(plain(row.name)), f"{row.predicted_s * 1e3:,.4g} ms", f"{row.measured_s * 1e3:,.4g} ms",
            f"{row.low_s * 1e3:,.4g} to {row.high_s * 1e3:,.4g}", f"{apart * 1e3:+,.3g} ms",
            "" if math.isnan(row.error) else f"{row.error:+.1%}",
        )  # fmt: skip
    left = len(tasks[_SHOWN:]) + len(others[_SHOWN:])
    if left:
        table.caption = f"{left} more, which are off by less, are in --json and --output"
    return table
