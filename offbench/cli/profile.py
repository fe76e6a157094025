"""`offbench profile`: a model's layers measured here."""

import math
from collections.abc import Iterator
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.network.read import Shapes, parse_shape
from offbench.cli.shared.arguments import Json
from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from offbench.importers.imported import Shape
    from offbench.importers.onnxruntime.measuring import Measured, Spread
    from offbench.model.network import NetworkLayer

_SLOWEST = 10
# Who has the processor for less of the time isn't alone.
_ALONE = 0.95


def profile(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A model file of ONNX, such as detector.onnx.")],
    shape: Shapes = None,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="What this device is called, as in the catalogue if it is there.")
    ] = "here",
    runs: Annotated[int, typer.Option(metavar="N", help="Runs of which the median is taken.")] = 20,
    warm_up: Annotated[int, typer.Option(metavar="N", help="Runs before them that don't count.")] = 5,
    threads: Annotated[int, typer.Option(metavar="N", help="Threads that compute a layer.")] = 1,
    time_limit: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds for all runs; those that fit are taken.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the inputs.")] = 0,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the profile; - for stdout.")
    ] = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no summary.")] = False,
) -> None:
    """Measure a model's layers here, on the processor, with ONNX Runtime.

    The profile is for `offbench network import MODEL --profile NAME=FILE`. The sum of the layers is held against the
    network's time without profiling. Ctrl-C ends it with the runs that are there.
    """
    for option, value, least in (("runs", runs, 1), ("warm-up", warm_up, 0), ("threads", threads, 1)):
        if value < least:
            raise OffbenchError(f"--{option}: must be at least {least}, not {value}")
    if time_limit is not None and not 0 < time_limit < math.inf:
        raise OffbenchError(f"--time-limit: must be above 0 and finite, not {time_limit:g}")
    if not device.strip() or "=" in device:
        raise OffbenchError(f"--device: must be a name without =, not '{device}'")

    from offbench.cli.shared.errors import say
    from offbench.cli.shared.files import check_stdout_once, check_writable, write
    from offbench.cli.shared.interrupt import one_interrupt
    from offbench.cli.shared.progress import bar
    from offbench.importers.onnxruntime.measuring import Progress, measure
    from offbench.model.facts import counted

    check_stdout_once(output, json)
    if output is not None:
        check_writable(output)
    shapes = dict(parse_shape(text) for text in shape or ())
    now = Progress(runs + warm_up)

    def stop() -> None:
        if not now.kept:
            raise KeyboardInterrupt
        now.stop = True

    with one_interrupt(stop) as ending, bar(model.name, quiet) as progress:
        if progress is not None:
            progress.follow(lambda: (now.done / now.total, f"{now.what}, {now.done} of {now.total} runs"))
        measured = measure(
            model, shapes, device=device, runs=runs, warm_up=warm_up, threads=threads, time_limit=time_limit,
            seed=seed, progress=now,
        )  # fmt: skip
    try:
        if output is not None:
            write(output, measured.to_text(), quiet)
    finally:  # where it can't be written, it is told all the same
        _tell(model, shapes, shape or [], device, measured, output, now.stop, json, quiet)
    if now.stop:
        say(f"interrupted after {counted(measured.profiled.runs, 'run')}")
        raise typer.Exit(ending.exit_code)


def _tell(
    model: Path,
    shapes: "Mapping[str, Shape]",
    shape: list[str],
    device: str,
    measured: "Measured",
    output: Path | None,
    interrupted: bool,
    json: bool,
    quiet: bool,
) -> None:
    from offbench.cli.shared.console import show, show_json, show_line
    from offbench.cli.shared.errors import say
    from offbench.cli.shared.given import is_dash
    from offbench.importers.granularity import told
    from offbench.importers.measured import with_seconds
    from offbench.importers.onnx import read

    given = with_seconds(read(model, shapes), measured.profile, device, str(output or model))
    layers = told(given.network, "layer").layers
    if json:
        show_json(_facts(model, measured, layers, given.coverage.notes, interrupted))
    elif not quiet:
        dash = is_dash(output)
        for line in lines(model, device, measured, given.coverage.notes):
            say(line) if dash else show_line(line)
        if not dash:
            show(_slowest(layers, device))
        if output is not None and not dash:
            sizes = [part for text in shape for part in ("--shape", text)]
            reads = ["--profile", f"{device}={output}", "--output", "network.json"]
            show_line(join(["offbench", "network", "import", str(model), *sizes, *reads]))


def lines(model: Path, device: str, measured: "Measured", notes: tuple[str, ...]) -> Iterator[str]:
    """Yield in sentences what was measured, and how."""
    how = measured.conditions
    yield (
        f"{model.name} on {device}: ONNX Runtime {how['version']}, threads: {how['threads']}, {how['processor']}; "
        f"after {how['warm_up']} runs for warm-up"
    )
    yield f"sum of the layers: {_ms(measured.profile.seconds)}"
    yield f"whole network while they are measured: {_spread(measured.profiled)}"
    yield f"whole network without profiling: {_spread(measured.plain)}"
    yield (
        f"profiling makes it {_more(measured.slowdown, 'slower', 'faster')} (median over the runs); the sum of the "
        f"layers is {_more(measured.sum_against_whole, 'above', 'below')} the whole network without it"
    )
    if measured.processor_share < _ALONE:
        yield (
            f"for {1 - measured.processor_share:.0%} of the time the processor was taken, by other programs or by more "
            "threads than cores; repeat it when the device is idle"
        )
    yield from notes


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.4g} ms"


def _spread(spread: "Spread") -> str:
    return (
        f"{_ms(spread.median_s)} (median of {spread.runs}, quartiles {spread.low_s * 1e3:,.4g} to {_ms(spread.high_s)})"
    )


def _more(share: float, more: str, less: str) -> str:
    return f"{abs(share):.1%} {more if share >= 0 else less}"


def _slowest(layers: "tuple[NetworkLayer, ...]", device: str) -> Any:
    from rich.table import Table
    from rich.text import Text

    from offbench.files.plain import plain

    seconds = {layer.name: (layer.seconds or {}).get(device, 0.0) for layer in layers}
    total = sum(seconds.values())
    table = Table("slowest layers", "operator")
    for head in ("time", "share"):
        table.add_column(head, justify="right")
    for layer in sorted(layers, key=lambda layer: -seconds[layer.name])[:_SLOWEST]:
        time = seconds[layer.name]
        table.add_row(Text(plain(layer.name)), layer.operator, _ms(time), f"{time / total:.1%}" if total else "")
    return table


def _facts(
    model: Path, measured: "Measured", layers: "tuple[NetworkLayer, ...]", notes: tuple[str, ...], interrupted: bool
) -> dict[str, Any]:
    device = measured.conditions["device"]
    return {
        "model": str(model), **measured.conditions, "interrupted": interrupted,
        "sum_of_layers_s": measured.profile.seconds,
        "with_profiling": measured.profiled._asdict(),
        "without_profiling": measured.plain._asdict(),
        "slowdown_by_profiling": measured.slowdown, "sum_against_whole": measured.sum_against_whole,
        "notes": list(notes),
        "layers": [
            {"name": layer.name, "operator": layer.operator, "seconds": (layer.seconds or {}).get(device)}
            for layer in layers
        ],
    }  # fmt: skip
