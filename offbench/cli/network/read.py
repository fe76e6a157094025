"""`offbench network import`: a network from a model file."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offbench.cli.shared.errors import say
from offbench.errors import OffbenchError, one_of

if TYPE_CHECKING:
    from offbench.importers.granularity import Granularity

_DIGITS, _MOST_NUMBERS = 20, 2**63

Shapes = Annotated[
    list[str] | None,
    typer.Option(metavar="INPUT=N,...", help="Of an input with free dimensions: images=1,3,640,640; repeatable."),
]
GranularityOption = Annotated[
    str | None,
    typer.Option(
        metavar="node|layer|block",
        help="How fine: each operator, what a runtime fuses, or all between two layers that every path goes through; "
        "layer by default, but node of a file that tells its layers itself.",
        show_default=False,
    ),
]
ImporterOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Which importer reads it, where the file doesn't tell.")
]


def read(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A model file such as detector.onnx, a table, or module.py:factory.")
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write the network; - for stdout.")
    ] = None,
    shape: Shapes = None,
    granularity: GranularityOption = None,
    importer: ImporterOption = None,
    name: Annotated[str | None, typer.Option(help="The network's name; the file's by default.")] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DEVICE=FILE",
            help="Seconds of the same model as measured on a device, such as pi5=profile.json; repeatable.",
        ),
    ] = None,
    device_name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OLD=NEW",
            help="Another name for a device with measured seconds, such as profiled=raspberry-pi-5; repeatable.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No notes.")] = False,
) -> None:
    """Read a network from a model file, and say how much of it was understood.

    The file is a model of ONNX, a CSV table, a graph of PipeDream, msr-fiddle or WfCommons, or a network file. Code
    that makes a module of torch is named as module.py:factory or package.module:factory. Profiles are those of ONNX
    Runtime, torch and TensorFlow Lite. Without --output it is only told what there is.
    """
    from offbench.cli.network.facts import said
    from offbench.cli.shared.console import show_line
    from offbench.cli.shared.files import check_writable, write
    from offbench.cli.shared.given import is_dash
    from offbench.importers.registry import import_network

    fine = parse_granularity(granularity)
    if output is not None:
        check_writable(output)
    shapes = dict(parse_shape(text) for text in shape or ())
    profiles = dict(parse_profile(text) for text in profile or ())
    renamed = dict(parse_device_name(text) for text in device_name or ())
    found = import_network(model, importer, shapes, fine, name, profiles, renamed)
    if output is not None:
        write(output, found.network.to_text(), quiet)
    if quiet:
        return
    for line in said(found):
        if is_dash(output):
            say(line)
        else:
            show_line(line)


def parse_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Turn ``images=1,3,640,640`` into a name and a shape.

    Raises
    ------
    OffbenchError
        If it is none.
    """
    name, equals, sizes = text.rpartition("=")
    numbers = sizes.replace("x", ",").split(",")
    right = all(number.strip().isdecimal() and len(number.strip()) < _DIGITS and int(number) > 0 for number in numbers)
    if not equals or not name or not right:
        raise OffbenchError(f"--shape {text}: must be INPUT=N,N,... with whole numbers above 0")
    shape = tuple(int(number) for number in numbers)
    if math.prod(shape) >= _MOST_NUMBERS:
        raise OffbenchError(f"--shape {text}: has more numbers than any memory holds")
    return name, shape


def parse_granularity(text: str | None) -> "Granularity | None":
    """Turn the option into a granularity; absent, each importer has its own.

    Raises
    ------
    OffbenchError
        If it is none.
    """
    from offbench.importers.granularity import GRANULARITIES

    found = next((each for each in GRANULARITIES if each == text), None)
    if text is not None and found is None:
        raise one_of("--granularity", text, list(GRANULARITIES))
    return found


def parse_profile(text: str) -> tuple[str, Path]:
    """Turn ``pi5=profile.json`` into a device and a file.

    Raises
    ------
    OffbenchError
        If it is none.
    """
    device, _, file = text.partition("=")
    if not device.strip() or not file:
        raise OffbenchError(f"--profile {text}: must be DEVICE=FILE, such as pi5=profile.json")
    return device.strip(), Path(file)


def parse_device_name(text: str) -> tuple[str, str]:
    """Turn ``profiled=raspberry-pi-5`` into the old and the new name.

    Raises
    ------
    OffbenchError
        If it is none.
    """
    old, _, new = (part.strip() for part in text.partition("="))
    if not old or not new:
        raise OffbenchError(f"--device-name {text}: must be OLD=NEW, such as profiled=raspberry-pi-5")
    return old, new
