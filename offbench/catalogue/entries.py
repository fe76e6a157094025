"""What the catalogue tells of a device, a link, a price."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from offbench.catalogue.figure import Figure
from offbench.model.facts import Count, Fact, Kind, Name

Processor = Literal["cpu", "gpu"]
Precision = Literal["float32", "float16", "int8"]


def _above_zero(figure: Figure) -> Figure:
    if figure.value <= 0:
        raise ValueError("must be above 0")
    return figure


Positive = Annotated[Figure, AfterValidator(_above_zero)]


class Device(Fact):
    """A device. Figures that nobody states are absent."""

    what: Name
    kind: Kind
    """what it is meant for"""
    processor: Processor
    """what runs a network there"""
    ncnn: Name | None = None
    """how the title of its section in ncnn's table begins"""
    memory_mb: Positive | None = None
    """memory for weights, MB"""
    peak_gflop_per_s: dict[Precision, Figure] = Field(default_factory=dict)
    """theoretical peak by precision, 10^9 operations/s"""
    bandwidth_mb_per_s: Figure | None = None
    """theoretical rate of its memory, MB/s"""
    launch_s: Figure | None = None
    """what each kernel takes longer, s"""
    idle_power_w: Figure | None = None
    busy_power_w: Figure | None = None
    """while it computes, W"""
    pool: Count = 1
    """how many inferences it runs at once; one, for an inference takes all cores or the whole GPU"""
    price_usd: Figure | None = None
    """to buy, $"""


class Link(Fact):
    """A link as the client sees it."""

    what: Name
    up_mb_per_s: Positive
    """from the client, MB/s"""
    down_mb_per_s: Positive
    """to the client, MB/s"""
    latency_s: Figure
    """one way, s"""
    send_power_w: Figure | None = None
    """what the client draws while it sends, W; absent: too little to count"""
    receive_power_w: Figure | None = None
    """what the client draws while it receives, W"""
    up_usd_per_gb: Figure
    """price of sending, $/GB with 1 GB = 1000 MB"""
    down_usd_per_gb: Figure


class Price(Fact):
    """What an hour costs."""

    what: Name
    device: Name | None = None
    """the device that it buys, if the catalogue has it"""
    usd_per_hour: Figure


Entry = Device | Link | Price


def figures(entry: Entry) -> Iterator[tuple[str, Figure]]:
    """Yield the figures of an entry with the names of their fields."""
    for name in type(entry).model_fields:
        value = getattr(entry, name)
        if isinstance(value, Figure):
            yield name, value
        elif isinstance(value, dict):
            yield from ((f"{name}.{key}", figure) for key, figure in value.items())
