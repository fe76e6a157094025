"""The cost model of layers, fitted to published times of whole networks and tested on others.

Question: How far is the cost model off, for networks that it wasn't fitted to, on devices that its efficiencies, or
nothing of it, were fitted to?

Command: `make cost-model ARGS=ncnn/benchmark/README.md`; with `--write` it renews the constants that come with offbench

Needs: ncnn's table, `benchmark/README.md` of github.com/Tencent/ncnn at a4d2ea1; a core.

Writes: nothing, or the constants with --write; prints tables of errors by network and by device.

Time: 45 seconds.

Outcome: networks left out, on 65 processors and 34 GPUs, are off by 14.7 and 16.5 % in the median, by 43.6 and 65.2 %
at 90 %; devices left out by 32.6 and 28.7 %, 69.0 and 72.1 %. Worst is vgg16: 44 % in the median, on GPUs 78.

Of each section of the table, a device, the run with the least geometric mean of times is taken, on the processor and on
the GPU by themselves; of a network's runs the least time. What is fitted is the logarithm of predicted over published
time, so that half as long and twice as long count the same.

Networks left out: they are split at random, five times, into three parts of five; the constants of one part's test come
from the other ten alone. The efficiencies, shared by all devices, are fitted on every fourth device and tested on the
others, whose three constants (speed, bandwidth, overhead) are fitted to the ten networks.

Devices left out: each device whose peak the catalogue has is predicted from its data sheet and from the shares of their
peaks that the others reach in the median; nothing of its times is used but in the efficiencies.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares, minimize

from experiments._shared.known_networks import known_networks
from experiments._shared.study import parser
from offbench.catalogue.catalogue import load_catalogue
from offbench.catalogue.cost_model import Work as WorkOf
from offbench.catalogue.cost_model import work_of
from offbench.catalogue.entries import Processor
from offbench.catalogue.figure import Figure
from offbench.model.network import Network

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

FITTED: tuple[WorkOf, ...] = ("convolution-3x3", "depthwise-convolution", "matrix-product")
"""classes with an efficiency of their own; a convolution's is 1, and the others wait for memory"""
PARTS = 3
FEWEST = 12
"""networks that a device must have"""
NETWORKS = known_networks()
CONSTANTS = Path(__file__).parents[1] / "offbench/catalogue/data/cost_model.toml"


class Run(NamedTuple):
    """The fastest run of a device in ncnn's table."""

    device: str
    processor: Processor
    seconds: Floats
    """by network, not a number where it has none"""


class Fit(NamedTuple):
    """Logarithms of the constants of a device: GFLOP/s, MB/s, s."""

    constants: Floats
    cost: float


class Work:
    """What the networks' layers do, as arrays."""

    def __init__(self, networks: Iterable[Network]) -> None:
        layers = [list(network.layers) for network in networks]
        every = [layer for each in layers for layer in each]
        works = [work_of(layer) for layer in every]
        self.efficiency = np.array([FITTED.index(work) if work in FITTED else len(FITTED) for work in works])
        self.gflop = np.array([layer.gflop or 0.0 for layer in every])
        self.mb = np.array([layer.read_mb + layer.written_mb for layer in every])
        self.launches = np.array([sum(layer.launches for layer in each) for each in layers])
        self.starts = np.cumsum([0, *(len(each) for each in layers[:-1])])

    def seconds(self, constants: Floats, efficiencies: Floats) -> Floats:
        """Return the time of each network; both given as logarithms."""
        speed, bandwidth, launch = np.exp(constants)
        efficiency = np.exp(np.append(efficiencies, 0.0))[self.efficiency]
        each = np.maximum(self.gflop / (efficiency * speed), self.mb / bandwidth)
        found: Floats = np.add.reduceat(each, self.starts) + self.launches * launch
        return found


def read_runs(text: str) -> list[Run]:
    """Return the fastest run of each device and processor in ncnn's table."""
    title, times, processor = "", dict[str, float](), "cpu"
    fastest: dict[tuple[str, str], dict[str, float]] = {}

    def keep() -> None:
        if len(times) >= FEWEST:
            before = fastest.get((title, processor))
            if before is None or _mean(times, before) < 0:
                fastest[title, processor] = dict(times)
        times.clear()

    for line in text.splitlines():
        if line.startswith("### "):
            keep()
            title, processor = line[4:].strip(), "cpu"
        elif setting := re.match(r"\s*(loop_count|gpu_device)\s*=\s*(-?\d+)", line):
            if setting[1] == "loop_count":
                keep()
            else:
                processor = "gpu" if int(setting[2]) >= 0 else "cpu"
        elif (time := re.match(r"\s*(\S+)\s+min =\s*([\d.]+)", line)) and time[1] in NETWORKS:
            times[time[1]] = float(time[2]) / 1000
    keep()
    return [
        Run(device, "gpu" if kind == "gpu" else "cpu", np.array([found.get(name, np.nan) for name in NETWORKS]))
        for (device, kind), found in fastest.items()
    ]


def _mean(times: dict[str, float], before: dict[str, float]) -> float:
    """Return the mean logarithm of how much longer times are than those before."""
    return float(np.mean([np.log(times[name] / before[name]) for name in times if name in before]))


def fit_device(work: Work, run: Run, efficiencies: Floats, use: Floats, start: Floats | None = None) -> Fit:
    """Return a device's constants that suit the times of some networks best.

    Two weak beliefs keep constants that hardly matter on a device within reason: 100 MB for a GFLOP, and a kernel's
    overhead that of two millionths of a GFLOP.
    """
    known = use & np.isfinite(run.seconds)

    def misfit(constants: Floats) -> Floats:
        errors = np.log(work.seconds(constants, efficiencies) / run.seconds)[known]
        beliefs = (
            0.075 * (constants[1] - constants[0] - np.log(100)),
            0.05 * (constants[2] + constants[0] - np.log(2e-3)),
        )
        return np.append(errors, beliefs)

    if start is None:
        total = np.add.reduceat(work.gflop, work.starts)
        speed = np.log(np.median((total / run.seconds)[known]) * 1.2)
        start = np.array([speed, speed + np.log(125), np.log(1e-3) - speed])
    found = least_squares(misfit, start, loss="soft_l1", f_scale=0.15)
    return Fit(found.x, float(found.cost))


def fit_efficiencies(work: Work, runs: Sequence[Run], use: Floats) -> Floats:
    """Return the logarithms of the efficiencies that suit some devices best, each with its own constants."""
    last: list[Floats | None] = [None] * len(runs)

    def misfit(efficiencies: Floats) -> float:
        total = 0.0
        for k, run in enumerate(runs):
            last[k], cost = fit_device(work, run, efficiencies, use, last[k])
            total += cost
        # A depthwise convolution mostly waits for memory: where it does, any efficiency fits, and 1/2 is as good.
        return total + 0.02 * float(np.sum((efficiencies - np.log((2.5, 0.5, 0.8))) ** 2))

    start = np.log((2.0, 0.4, 0.8))
    found = minimize(misfit, start, method="Nelder-Mead", options={"maxfev": 90, "xatol": 0.03, "fatol": 0.005})
    result: Floats = found.x
    return result


def networks_left_out(work: Work, runs: Sequence[Run], splits: int) -> tuple[list[Run], Floats]:
    """Return the devices tested, and the predicted over the published times of networks never fitted to.

    Returns
    -------
    tuple
        The devices, and the ratios by split, device and network.
    """
    fitted, tested = runs[::4], [run for k, run in enumerate(runs) if k % 4]
    ratios = np.full((splits, len(tested), len(NETWORKS)), np.nan)
    rng = np.random.default_rng(0)
    for split in range(splits):
        part = rng.permutation(len(NETWORKS)) % PARTS
        for left in range(PARTS):
            use = part != left
            efficiencies = fit_efficiencies(work, fitted, use)
            for k, run in enumerate(tested):
                constants = fit_device(work, run, efficiencies, use).constants
                ratios[split, k, ~use] = (work.seconds(constants, efficiencies) / run.seconds)[~use]
    return tested, ratios


class Sheet(NamedTuple):
    """What a device's data sheet says, as logarithms, and what is fitted to its times."""

    peak: float
    bandwidth: float
    """not a number where nobody states it"""
    fitted: Floats


class Reached(NamedTuple):
    """What devices reach in the median, as logarithms."""

    peak: float
    bandwidth: float
    mb_per_gflop: float
    launch: float
    """s, or GFLOP where overhead is work"""

    @classmethod
    def by(cls, sheets: Iterable[Sheet], work: bool) -> "Reached":
        """Return the shares that some devices reach; *work*: overhead is work."""
        speed, rate, launch = np.transpose([sheet.fitted for sheet in sheets])
        peak, bandwidth = np.transpose([sheet[:2] for sheet in sheets])
        each = (speed - peak, rate - bandwidth, rate - speed, launch + speed if work else launch)
        return cls(*(float(np.nanmedian(values)) for values in each))

    def constants(self, sheet: Sheet, work: bool) -> Floats:
        """Return a device's constants by its data sheet alone."""
        speed = sheet.peak + self.peak
        rate = speed + self.mb_per_gflop if np.isnan(sheet.bandwidth) else sheet.bandwidth + self.bandwidth
        return np.array((speed, rate, self.launch - speed if work else self.launch))


def devices_left_out(
    work: Work, runs: dict[str, Run], sheets: dict[str, Sheet], efficiencies: Floats, overhead_is_work: bool
) -> Floats:
    """Return predicted over published time of each device by its data sheet and what the other devices reach."""
    ratios = []
    for name, sheet in sheets.items():
        others = Reached.by([other for each, other in sheets.items() if each != name], overhead_is_work)
        found = work.seconds(others.constants(sheet, overhead_is_work), efficiencies)
        ratios.append(found / runs[name].seconds)
    return np.array(ratios)


def errors(ratios: Floats) -> str:
    """Return the median and the 90th percentile of the relative error, and the spread, in words."""
    off = np.abs(ratios[np.isfinite(ratios)] - 1)
    low, high = spread(ratios)
    return f"{np.median(off):6.1%} {np.quantile(off, 0.9):7.1%}   {low:.2f} to {high:.2f}   {off.size:5d}"


def spread(ratios: Floats) -> tuple[float, float]:
    """Return by which factors the published times differ from the predicted ones, at 10 and 90 %."""
    low, high = np.quantile(1 / ratios[np.isfinite(ratios)], (0.1, 0.9))
    return float(low), float(high)


def main() -> None:
    """Print the errors, and write the constants where that is asked for."""
    command = parser(__doc__, __file__)
    command.add_argument("table", type=Path, help="ncnn's benchmark/README.md")
    command.add_argument("--write", action="store_true", help="renew the constants that come with offbench")
    command.add_argument(
        "--splits", type=int, default=5, help="how often the networks are split (default: %(default)d)"
    )
    command.add_argument("--every", action="store_true", help="also a line for each device of the table")
    options = command.parse_args()
    runs, work, catalogue = (
        read_runs(options.table.read_text(encoding="utf-8")),
        Work(NETWORKS.values()),
        load_catalogue(),
    )
    head = f"{'':40} median  90 %    true/predicted   pairs"
    parts: list[str] = []
    devices: dict[str, Floats] = {}
    for processor in ("cpu", "gpu"):
        own = [run for run in runs if run.processor == processor]
        tested, ratios = networks_left_out(work, own, options.splits)
        print(f"\n{processor}: networks left out, {len(tested)} devices whose times gave no efficiency\n{head}")
        print(f"{'all':40}{errors(ratios)}")
        for k, name in enumerate(NETWORKS):
            print(f"  {name:38}{errors(ratios[:, :, k])}")
        if options.every:
            for k, run in enumerate(tested):
                print(f"  {run.device[:37]:38}{errors(ratios[:, k])}")
        use = np.ones(len(NETWORKS), bool)
        efficiencies = fit_efficiencies(work, own, use)
        named = {
            name: next(run for run in own if run.device.startswith(device.ncnn))
            for name, device in catalogue.devices.items()
            if device.processor == processor and device.ncnn is not None
        }
        fits = {name: fit_device(work, run, efficiencies, use).constants for name, run in named.items()}
        sheets = {
            name: Sheet(
                np.log(max(figure.value for figure in peaks.values())), _log(device.bandwidth_mb_per_s), fits[name]
            )
            for name, device in catalogue.devices.items()
            if name in named and (peaks := device.peak_gflop_per_s)
        }
        # On a processor a kernel's overhead is work done by it, on a GPU it is waiting for another processor.
        overhead_is_work = processor == "cpu"
        unseen = devices_left_out(work, named, sheets, efficiencies, overhead_is_work)
        print(f"\n{processor}: devices left out, known by their data sheets alone\n{head}\n{'all':40}{errors(unseen)}")
        for name, row in zip(sheets, unseen, strict=True):
            print(f"  {name:38}{errors(row)}")
        devices |= {name: np.exp(fit) for name, fit in fits.items()}
        reached = Reached.by(sheets.values(), overhead_is_work)
        parts.append(_shares(processor, np.exp(efficiencies), reached, spread(ratios), spread(unseen)))
    if options.write:
        CONSTANTS.write_text(_toml(parts, devices), encoding="utf-8")
        print(f"\nwritten: {CONSTANTS.name}")


def _log(figure: Figure | None) -> float:
    return float("nan") if figure is None else float(np.log(figure.value))


def _shares(
    processor: str, efficiencies: Floats, reached: Reached, fitted: tuple[float, float], datasheet: tuple[float, float]
) -> str:
    named = ", ".join(f"{work} = {value:.3g}" for work, value in zip(FITTED, efficiencies, strict=True))
    launch = "launch_gflop" if processor == "cpu" else "launch_s"
    return "\n".join((
        f"[cost_model.{processor}]",
        f"efficiency = {{ {named}, recurrent = {efficiencies[-1]:.3g} }}",
        f"peak = {np.exp(reached.peak):.3g}",
        f"bandwidth = {np.exp(reached.bandwidth):.3g}",
        f"mb_per_gflop = {np.exp(reached.mb_per_gflop):.3g}",
        f"{launch} = {np.exp(reached.launch):.3g}",
        f"fitted = {{ low = {fitted[0]:.3g}, high = {fitted[1]:.3g} }}",
        f"datasheet = {{ low = {datasheet[0]:.3g}, high = {datasheet[1]:.3g} }}",
    ))  # fmt: skip


def _toml(parts: list[str], devices: dict[str, Floats]) -> str:
    lines = [
        "# Constants of the cost model, written by `python -m experiments.cost_model README.md --write` from ncnn's",
        "# times (source ncnn). A recurrent layer's efficiency is a matrix product's, for no network here has one.",
        "",
        "\n\n".join(parts),
        "",
        "[cost_model.devices]",
    ]
    for name, (speed, bandwidth, launch) in devices.items():
        lines.append(f"{name} = {{ gflop_per_s = {speed:.4g}, mb_per_s = {bandwidth:.4g}, launch_s = {launch:.3g} }}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
