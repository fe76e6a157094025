"""The cost model: numbers by hand, monotone, measured seconds first, an error that is stated."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbench.catalogue.catalogue import load_catalogue
from offbench.catalogue.cost_model import CostModel, Speed, Work, seconds_of, shipped_constants, work_of
from offbench.errors import OffbenchError
from offbench.model.network import NetworkLayer, Operator

SPEED = Speed(gflop_per_s=10, mb_per_s=100, launch_s=0.01)
EFFICIENCY: dict[Work, float] = {"convolution-3x3": 2.5, "matrix-product": 0.5}


def layer(operator: Operator = "convolution", **facts: Any) -> NetworkLayer:
    """Return a layer that does 2 GFLOP on 4 MB with two kernels, or what is given."""
    given = {"gflop": 2.0, "read_mb": 3.0, "written_mb": 1.0, "launches": 2, "output_mb": 1.0, "inputs": ()} | facts
    return NetworkLayer(name="a", operator=operator, **given)


def convolution(inputs: int, outputs: int, side: int, kernel: int, stride: int = 1, terms: int = 0) -> NetworkLayer:
    """Return a convolution of float32; *terms*: other terms that it adds, each as large as its output."""
    out = side // stride
    weights = inputs * outputs * kernel**2
    return layer(
        gflop=2 * weights * out**2 / 1e9, weights_mb=weights * 4e-6, written_mb=outputs * out**2 * 4e-6,
        read_mb=(inputs * side**2 + weights + terms * outputs * out**2) * 4e-6,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "seconds"),
    [
        (layer(), 2 * 0.01 + 2 / 10),
        (layer("matrix-product"), 2 * 0.01 + 2 / (0.5 * 10)),
        (layer("softmax", read_mb=99.0), 2 * 0.01 + 100 / 100),  # waits for memory
        (layer("movement", gflop=None), 2 * 0.01 + 4 / 100),
        (layer("movement", gflop=0.0, launches=0), 4 / 100),
    ],
)
def test_formula_by_hand(one: NetworkLayer, seconds: float) -> None:
    assert seconds_of(one, SPEED, EFFICIENCY) == pytest.approx(seconds, rel=1e-12)


def test_convolutions_of_3_by_3_are_known_by_their_sizes() -> None:
    same, other = "convolution-3x3", "convolution"
    assert work_of(convolution(64, 128, 28, 3)) == same
    assert work_of(convolution(64, 64, 28, 3, terms=1)) == same  # with a residual sum
    for inputs, outputs, kernel, stride in (
        (64, 64, 1, 1),
        (64, 128, 3, 2),
        (3, 64, 7, 2),
        (16, 32, 5, 1),
        (3, 96, 11, 4),
    ):
        assert work_of(convolution(inputs, outputs, 112, kernel, stride)) == other
    assert work_of(convolution(64, 256, 28, 1, terms=1)) == other
    assert work_of(layer("depthwise-convolution")) == "depthwise-convolution"
    assert work_of(layer(gflop=None)) == work_of(layer(written_mb=0.0)) == other


amounts = st.floats(0, 1e3)
rates = st.floats(1e-3, 1e6)


@given(amounts, amounts, amounts, st.integers(1, 9), rates, rates, st.floats(0, 1), st.floats(1, 10))
def test_more_work_or_a_slower_device_never_takes_less(
    gflop: float, read: float, written: float, launches: int, speed: float, rate: float, launch: float, more: float
) -> None:
    def time(work: float = 1, moved: float = 1, faster: float = 1, kernels: int = 0) -> float:
        one = layer(
            "matrix-product", gflop=gflop * work, read_mb=read * moved, written_mb=written, launches=launches + kernels
        )
        device = Speed(gflop_per_s=speed * faster, mb_per_s=rate * faster, launch_s=launch)
        return seconds_of(one, device, EFFICIENCY)

    for changed in (time(work=more), time(moved=more), time(kernels=1), time(faster=1 / more)):
        assert changed >= time() * (1 - 1e-12)


def test_measured_seconds_win_and_have_no_spread() -> None:
    model = CostModel(load_catalogue())
    measured = layer(seconds={"raspberry-pi-5": 0.25})
    found = model.layer(measured, "raspberry-pi-5")
    assert (found.seconds, found.low, found.high, found.basis) == (0.25, 0.25, 0.25, "measured")
    elsewhere = model.layer(measured, "raspberry-pi-4")
    assert elsewhere.basis == "fitted" and elsewhere.low < elsewhere.seconds < elsewhere.high
    both = model.layers((measured, layer()), "raspberry-pi-5")
    alone = model.layer(layer(), "raspberry-pi-5")
    assert both.seconds == pytest.approx(0.25 + alone.seconds)
    assert both.high - both.seconds == pytest.approx(alone.high - alone.seconds)


def test_device_by_its_sheet_alone() -> None:
    known, shares = load_catalogue(), shipped_constants().gpu
    speed, basis = CostModel(known).speed("a6000")
    assert basis == "datasheet"
    assert speed.gflop_per_s == pytest.approx(shares.peak * 38_710)
    assert speed.mb_per_s == pytest.approx(shares.bandwidth * 768_000)
    assert speed.launch_s == shares.launch_s
    without, _ = CostModel(known).speed("a10g")  # of which no memory's rate is known
    assert without.mb_per_s == pytest.approx(shares.mb_per_gflop * without.gflop_per_s)


def test_own_device_is_told_by_its_own_figures(write: Callable[[str, str], Path]) -> None:
    text = "[devices.{}]\nwhat = 'B'\nkind = 'client'\nprocessor = 'cpu'\n{}"
    facts = "peak_gflop_per_s.float32 = 50\npeak_gflop_per_s.int8 = 900\nlaunch_s = 0.001\n"
    shares = shipped_constants().cpu
    for name in ("board", "raspberry-pi-4"):  # the second replaces a shipped one, whose fitted speed isn't its own
        model = CostModel(load_catalogue(write("own.toml", text.format(name, facts))))
        speed, basis = model.speed(name)
        assert basis == "datasheet" and speed.launch_s == 0.001
        assert speed.gflop_per_s == pytest.approx(shares.peak * 50)
    model = CostModel(load_catalogue(write("own.toml", text.format("board", ""))))
    with pytest.raises(OffbenchError, match=r"devices\.board: nothing tells how fast it is"):
        model.layer(layer(), "board")
    assert model.layer(layer(seconds={"board": 1.0}), "board").seconds == 1.0


def test_constants_are_of_the_devices_in_the_catalogue() -> None:
    known, constants = load_catalogue(), shipped_constants()
    assert set(constants.devices) == {name for name, device in known.devices.items() if device.ncnn is not None}
    for shares in (constants.cpu, constants.gpu):
        for spread in (shares.fitted, shares.datasheet):
            assert spread.low < 1 < spread.high
        assert 0 < shares.peak < 1 < shares.efficiency["convolution-3x3"] < 4.5  # Winograd saves 4 at most
    for name in known.devices:
        assert CostModel(known).layer(layer(), name).seconds > 0
