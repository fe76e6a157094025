"""The study of the cost model: networks as published, ncnn's table read, constants found again."""

import numpy as np
import pytest

from experiments import cost_model as study
from experiments._shared.known_networks import known_networks

# Millions of multiplications, and of weights, as the papers say; absent where they don't.
PUBLISHED = {
    "alexnet": (None, 60), "vgg16": (15_500, 138), "squeezenet": (None, 1.24), "googlenet": (1500, 7.0),
    "resnet18": (1800, 11.7), "resnet50": (3800, 25.6), "mobilenet": (569, 4.2), "mobilenet_v2": (300, 3.4),
    "mobilenet_v3": (219, 5.4), "mnasnet": (315, 4.4), "proxylessnasnet": (320, 4.1), "efficientnet_b0": (390, 5.3),
    "regnety_400m": (400, 4.3), "shufflenet": (140, None), "shufflenet_v2": (146, 2.3),
}  # fmt: skip


@pytest.mark.parametrize("name", known_networks())
def test_networks_are_those_of_the_papers(name: str) -> None:
    network, (operations, weights) = known_networks()[name], PUBLISHED[name]
    if operations is not None:
        assert network.gflop * 1000 / 2 == pytest.approx(operations, rel=0.07)
    if weights is not None:
        assert network.weights_mb / 4 == pytest.approx(weights, rel=0.03)


def test_table_is_read() -> None:
    names = list(known_networks())
    lines = ["text", "### A board (x 4)", "loop_count = 4", "num_threads = 1", "gpu_device = -1"]
    lines += [f"  {name}  min =  {20 + k}.5  max = 99 avg = 50" for k, name in enumerate(names)]
    lines += ["loop_count = 4", "gpu_device = -1"]  # a faster run, of int8 and too
    lines += [f"  {name}  min =  {10 + k}.5  max = 99 avg = 50" for k, name in enumerate(names)]
    lines += ["  resnet18_int8  min = 1.0 max = 1.0 avg = 1.0", "loop_count = 4", "gpu_device = 0"]
    lines += [f"  {name}  min =  2.0  max = 99 avg = 50" for name in names[2:]]
    lines += ["### Few networks", "loop_count = 4", "  squeezenet min = 1.0 max = 1.0 avg = 1.0"]
    processor, gpu = study.read_runs("\n".join(lines))
    assert processor.device == gpu.device == "A board (x 4)"
    assert (processor.processor, gpu.processor) == ("cpu", "gpu")
    assert processor.seconds == pytest.approx([(10.5 + k) / 1000 for k in range(len(names))])
    assert np.isnan(gpu.seconds[:2]).all() and gpu.seconds[2:] == pytest.approx(0.002)


def test_constants_are_found_again() -> None:
    work = study.Work(study.NETWORKS.values())
    efficiencies = np.log((2.5, 0.5, 0.8))
    truth = np.log((20.0, 8_000.0, 1e-4))
    run = study.Run("made", "cpu", work.seconds(truth, efficiencies))
    use = np.arange(len(study.NETWORKS)) % 3 != 0
    found = study.fit_device(work, run, efficiencies, use).constants
    left_out = work.seconds(found, efficiencies)[~use] / run.seconds[~use]
    assert left_out == pytest.approx(1, abs=0.1)  # the beliefs pull a little
    assert found[:2] == pytest.approx(truth[:2], abs=0.15)


def test_seconds_are_those_of_the_library() -> None:
    """The study's arrays and `offbench.catalogue.cost_model` are one formula."""
    from offbench.catalogue.cost_model import Speed, Work, seconds_of

    speed = Speed(gflop_per_s=20, mb_per_s=8_000, launch_s=1e-4)
    efficiency: dict[Work, float] = dict(zip(study.FITTED, (2.5, 0.5, 0.8), strict=True))
    here = study.Work(study.NETWORKS.values()).seconds(np.log((20.0, 8_000.0, 1e-4)), np.log((2.5, 0.5, 0.8)))
    there = [
        sum(seconds_of(layer, speed, efficiency) for layer in network.layers) for network in study.NETWORKS.values()
    ]
    assert here == pytest.approx(there)
