"""What was published of Neurosurgeon, and what offbench finds.

Kang, Hauswald, Gao, Rovinski, Mudge, Mars, Tang, Neurosurgeon: Collaborative Intelligence Between the Cloud and Mobile
Edge, ASPLOS 2017. Its text couldn't be read here. The findings are those of a reader's report in a public repository;
the rates are those of DADS, Table I, for the paper's own weren't in the report.
"""

from collections.abc import Callable
from pathlib import Path

from experiments._published.splits import MBIT, answer, instance_of, named, place, ranges, seconds_of
from experiments._shared.known_networks import alexnet, vgg16
from offbench.catalogue.catalogue import load_catalogue
from offbench.catalogue.cost_model import CostModel
from offbench.model.instance import Instance
from offbench.model.network import Network

RATES = {"Wi-Fi": 18.88, "LTE": 5.85, "3G": 1.1}
"""Mbit/s"""
BYTES, FLOATS = 1, 4
"""what a number of the input takes; the report doesn't say which"""
_MODEL = CostModel(load_catalogue(Path(__file__).with_name("devices.toml")))
_ALEXNET = (
    "conv1", "norm1", "pool1", "conv2", "norm2", "pool2", "conv3", "conv4", "conv5", "pool5", "fc6", "fc7", "fc8",
    "prob",
)  # fmt: skip


def network(name: str, number_bytes: int) -> Network:
    """Return AlexNet or VGG-16 with the names that Caffe gives layers, and an input of so many bytes a number."""
    input_mb = 224 * 224 * 3 * number_bytes / 1e6
    if name == "AlexNet":
        return named(alexnet(), _ALEXNET, input_mb)
    names: list[str] = []
    for block, convolutions in enumerate((2, 2, 3, 3, 3), 1):
        names += [*(f"conv{block}_{k + 1}" for k in range(convolutions)), f"pool{block}"]
    return named(vgg16(), [*names, "fc6", "fc7", "fc8", "prob"], input_mb)


def instance(name: str, number_bytes: int, rate: float) -> Instance:
    """Return a network between the Jetson TK1's GPU and the Tesla K40, with times by their data sheets alone."""
    made = network(name, number_bytes)
    device, remote = (seconds_of(_MODEL, made, each) for each in ("jetson-tk1", "tesla-k40"))
    return instance_of(made, device, remote, rate * MBIT)


def shrink() -> tuple[str, str]:
    """By how much pooling shrinks AlexNet's data."""
    size = {layer.name: layer.output_mb for layer in network("AlexNet", BYTES).layers}
    before = {"pool1": "norm1", "pool2": "norm2", "pool5": "conv5"}
    most, layer = max((size[earlier] / size[pool], pool) for pool, earlier in before.items())
    return "up to 4.7 times", f"{most:.1f} times, by {layer}"


def slowest() -> tuple[str, str]:
    """Which share of AlexNet's time fc6 takes on the device."""
    times = seconds_of(_MODEL, network("AlexNet", BYTES), "jetson-tk1")
    return "45 %", f"{times['fc6'] / sum(times.values()):.1%} by data sheets".replace("%", " %")


def cut(name: str, link: str) -> Callable[[], tuple[str, str]]:
    """Where it is best to cut."""

    def found() -> tuple[str, str]:
        said = "between pool5 and fc6" if (name, link) == ("AlexNet", "Wi-Fi") else "not in the report"
        answers = [answer(instance(name, each, RATES[link])) for each in (BYTES, FLOATS)]
        if answers[0].cut == answers[1].cut:
            return said, f"{place(answers[0].cut)}, {1e3 * answers[0].best_s:.0f} ms"
        told = " or ".join(f"{place(one.cut)}, {1e3 * one.best_s:.0f} ms" for one in answers)
        return said, f"{told} (input of bytes or of floats)"

    return found


def holds(name: str) -> Callable[[], tuple[str, str]]:
    """At which rates each cut is the best."""

    def found() -> tuple[str, str]:
        low, high = 0.01, 10_000.0
        parts = []
        for where, start, _ in ranges(instance(name, BYTES, 1.0), low, high):
            parts.append(f"from {start / MBIT:.3g} Mbit/s {place(where)}" if start > low else place(where))
        return "not in the report", ", ".join(parts)

    return found


def speedup() -> tuple[str, str]:
    """How much faster than the cloud alone VGG is over 3G."""
    told = []
    for each, what in ((BYTES, "bytes"), (FLOATS, "floats")):
        one = answer(instance("VGG-16", each, RATES["3G"]))
        told.append(f"{one.remote_s / one.best_s:.1f} times with an input of {what}")
    return "about 20 times", ", ".join(told)


CASES: dict[str, Callable[[], tuple[str, str]]] = {
    "AlexNet: pooling shrinks the data": shrink,
    "AlexNet: fc6's share of the time on the TK1's GPU": slowest,
    **{f"{name}, {link}: best cut": cut(name, link) for name in ("AlexNet", "VGG-16") for link in RATES},
    "AlexNet: up to which rates": holds("AlexNet"),
    "VGG-16: up to which rates": holds("VGG-16"),
    "VGG, 3G: faster than the cloud alone": speedup,
}
"""what is compared: published, found"""
