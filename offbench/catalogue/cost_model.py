"""How long a layer takes on a device: a roofline with an overhead for each kernel, and its spread.

``seconds = launches x launch + max(gflop / (efficiency x speed), (read + written) / bandwidth)``

Speed, bandwidth and launch are the device's: fitted to ncnn's times of whole networks where it has the device, else
shares of its theoretical peaks. So the runtime is ncnn as it comes: float16 where a processor computes with it, the
fastest number of threads; a GPU by Vulkan. The efficiency is the operator's, the same for all devices with a processor
of one kind, relative to a convolution. `experiments/cost_model.py` fits the constants and tests them on networks and
devices left out; both are in ``data/cost_model.toml``, with the spread found.

Roofline: Williams, Waterman, Patterson, https://doi.org/10.1145/1498765.1498785
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from offbench.catalogue.catalogue import Catalogue, data_table
from offbench.catalogue.entries import Processor
from offbench.errors import OffbenchError
from offbench.files.json import check
from offbench.model.facts import Fact, Name, NonNegative, Positive
from offbench.model.network import NetworkLayer, Operator

Basis = Literal["measured", "fitted", "datasheet"]
Work = Operator | Literal["convolution-3x3"]


class Spread(Fact):
    """By which factors times of whole networks differ from the model's, in tests on what it wasn't fitted to."""

    low: Positive
    """at 10 %"""
    high: Positive
    """at 90 %"""


class Speed(Fact):
    """What a device does, as layers see it."""

    gflop_per_s: Positive
    """of a convolution, 10^9 operations/s"""
    mb_per_s: Positive
    launch_s: NonNegative


class Shares(Fact):
    """What devices with a processor of one kind have in common."""

    efficiency: dict[Work, Positive]
    """of operators, relative to a convolution; 1 where none is named"""
    peak: Positive
    """share of the theoretical peak that convolutions reach"""
    bandwidth: Positive
    """share of the memory's rate that layers reach; above 1 where much is in caches"""
    mb_per_gflop: Positive
    """what layers reach where the memory's rate isn't known, MB/s for each 10^9 operations/s of a convolution"""
    launch_s: NonNegative = 0.0
    launch_gflop: NonNegative = 0.0
    """a kernel's overhead that is work, in convolution's 10^9 operations"""
    fitted: Spread
    """of devices that ncnn's table has, on networks left out"""
    datasheet: Spread
    """of devices left out"""


class Constants(Fact):
    """What `experiments/cost_model.py` found."""

    cpu: Shares
    gpu: Shares
    devices: dict[Name, Speed]
    """fitted one by one"""

    def shares(self, processor: Processor) -> Shares:
        """Return what holds for a kind of processor."""
        return self.cpu if processor == "cpu" else self.gpu


@dataclass(frozen=True)
class Estimate:
    """A time, s, and where it ends in one case of ten to either side."""

    seconds: float
    low: float
    high: float
    basis: Basis
    """how sure it is: measured; of a device fitted to its times of networks; of its data sheet alone"""


class CostModel:
    """Times of layers on the devices of a catalogue.

    Parameters
    ----------
    catalogue
        The devices.
    constants
        Those shipped if absent.
    """

    def __init__(self, catalogue: Catalogue, constants: Constants | None = None) -> None:
        self.catalogue = catalogue
        self.constants = shipped_constants() if constants is None else constants

    def speed(self, device: str) -> tuple[Speed, Basis]:
        """Return what a device does, and how that is known.

        Raises
        ------
        OffbenchError
            If there is no such device, or nothing tells its speed.
        """
        facts = self.catalogue.device(device)
        shares = self.constants.shares(facts.processor)
        fitted = self.constants.devices.get(device)
        if fitted is not None and facts.ncnn is not None:  # else it is a user's entry of this name
            return fitted, "fitted"
        peaks = [figure.value for each, figure in facts.peak_gflop_per_s.items() if each != "int8" and figure.value]
        if not peaks:
            raise OffbenchError(
                f"catalogue: devices.{device}: nothing tells how fast it is; it needs peak_gflop_per_s.float32"
            )
        speed = shares.peak * max(peaks)
        bandwidth = facts.bandwidth_mb_per_s
        known = bandwidth is not None and bandwidth.value > 0
        rate = shares.bandwidth * bandwidth.value if bandwidth is not None and known else shares.mb_per_gflop * speed
        launch = shares.launch_s + shares.launch_gflop / speed
        if facts.launch_s is not None:
            launch = facts.launch_s.value
        return Speed(gflop_per_s=speed, mb_per_s=rate, launch_s=launch), "datasheet"

    def spread(self, device: str, basis: Basis) -> Spread:
        """Return how far times of networks on a device are off; of measured ones by nothing."""
        if basis == "measured":
            return Spread(low=1.0, high=1.0)
        shares = self.constants.shares(self.catalogue.device(device).processor)
        return shares.fitted if basis == "fitted" else shares.datasheet

    def layer(self, layer: NetworkLayer, device: str) -> Estimate:
        """Return how long a layer takes on a device; seconds that were measured there win."""
        return self.layers((layer,), device)

    def layers(self, layers: Iterable[NetworkLayer], device: str) -> Estimate:
        """Return how long layers take on a device, one after another.

        The spread is that of whole networks. Single layers are off by more, and by amounts that partly cancel.
        Layers that were measured have none.
        """
        efficiency = self.constants.shares(self.catalogue.device(device).processor).efficiency
        measured = modelled = 0.0
        known: tuple[Speed, Basis] | None = None
        for layer in layers:
            if layer.seconds is not None and device in layer.seconds:
                measured += layer.seconds[device]
                continue
            known = known or self.speed(device)
            modelled += seconds_of(layer, known[0], efficiency)
        basis: Basis = "measured" if known is None else known[1]
        spread = self.spread(device, basis)
        return Estimate(measured + modelled, measured + modelled * spread.low, measured + modelled * spread.high, basis)


def seconds_of(layer: NetworkLayer, speed: Speed, efficiency: dict[Work, float]) -> float:
    """Return a layer's time by the formula, s."""
    computing = (layer.gflop or 0.0) / (efficiency.get(work_of(layer), 1.0) * speed.gflop_per_s)
    return layer.launches * speed.launch_s + max(computing, (layer.read_mb + layer.written_mb) / speed.mb_per_s)


def work_of(layer: NetworkLayer) -> Work:
    """Return a layer's operator, and of convolutions whether it is 3 x 3 with stride 1, which runtimes do faster.

    They save multiplications by Winograd's algorithm (https://arxiv.org/abs/1509.09308). A layer doesn't say its
    kernel, but its sizes do: with H x W outputs of each channel, 2 H W operations for each weight, and weights for
    each pair of channels, ``operations^2 / (4 weights x input x output)`` is kernel area / stride^2. It is half of that
    where the layer also reads the other term of a residual sum.
    """
    mb = layer.weights_mb * (layer.read_mb - layer.weights_mb) * layer.written_mb
    if layer.operator != "convolution" or not layer.gflop or mb <= 0:
        return layer.operator
    area = (layer.gflop * 1e9) ** 2 * _MB_OF_A_NUMBER**3 / (4 * mb)
    return "convolution-3x3" if 8 < area < 10 or 4.2 < area < 4.8 else "convolution"


_MB_OF_A_NUMBER = 4e-6  # float32


@cache
def shipped_constants() -> Constants:
    """Return what comes with offbench."""
    return check(Constants, data_table("cost_model")["cost_model"], "cost_model.toml")
