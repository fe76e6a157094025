"""What was published of DADS, and what offbench finds.

Hu, Bao, Wang, Liu, Dynamic Adaptive DNN Surgery for Inference Acceleration on the Edge, IEEE INFOCOM 2019; read as
text, without its figures. Layer times are in figures alone. Where the text implies totals, the layers take the shares
that the catalogue's cost model gives them (Raspberry Pi 3 B+ for its 3 B, 8 cores of a Xeon for its 8 cores), and the
totals are the paper's.
"""

from collections.abc import Callable, Iterator

from experiments._published.splits import (
    DEVICE,
    MBIT,
    REMOTE,
    answer,
    instance_of,
    place,
    ranges,
    scaled,
    seconds_of,
    tiny_yolo_v2,
    with_rate,
)
from experiments._shared.known_networks import alexnet, resnet, vgg16
from offbench.catalogue.catalogue import load_catalogue
from offbench.catalogue.cost_model import CostModel
from offbench.evaluation.evaluator import evaluate
from offbench.model.instance import Instance
from offbench.model.network import Network, NetworkLayer
from offbench.model.placement import Placement
from offbench.model.problem import P1

RATES = {"CAT1": 0.13, "3G": 1.1, "4G": 5.85, "WiFi": 18.88}
"""Table I, Mbit/s"""
OVER_EDGE = {"CAT1": 1.46, "3G": 4.14, "4G": 7.23, "WiFi": 8.32}
"""ResNet-18, light load: how many times faster than the device alone (section V-C)"""
BELOW_CLOUD = {"CAT1": 0.64, "3G": 0.26, "4G": 0.07, "WiFi": 0.0}
"""and by which share the latency is below that of the cloud alone"""
SIDE = 288
"""of Tiny YOLOv2's input: with it input and max5 are as large as the paper says"""
_MIB = 1.048576
_MODEL = CostModel(load_catalogue())
_DEVICE, _REMOTE = "raspberry-pi-3-b-plus", "xeon-8124m-8-cores"


def sizes() -> tuple[str, str]:
    """Return Tiny YOLOv2's input and what max5 leaves."""
    net = tiny_yolo_v2(SIDE)
    max5 = next(layer.output_mb for layer in net.layers if layer.name == "max5")
    return "0.95 and 0.08 MB (Fig. 1)", f"{net.input_mb / _MIB:.3f} and {max5 / _MIB:.3f} MiB"


def yolo(catalogue: bool) -> Instance:
    """Return Tiny YOLOv2 with the catalogue's times, or with those that the text implies.

    It says 0.59 s at 18 Mbit/s with all in the cloud, and at 4 Mbit/s 62 % less with a cut after max5 than so.
    """
    net = tiny_yolo_v2(SIDE)
    device, remote = (seconds_of(_MODEL, net, each) for each in (_DEVICE, _REMOTE))
    if not catalogue:
        cloud = 0.59 - net.input_mb / (18 * MBIT)
        remote = scaled(remote, cloud)
        names = [layer.name for layer in net.layers]
        first = names[: names.index("max5") + 1]
        max5 = next(layer.output_mb for layer in net.layers if layer.name == "max5")
        whole = 0.38 * (net.input_mb / (4 * MBIT) + cloud)
        on_device = whole - max5 / (4 * MBIT) - sum(remote[name] for name in names if name not in first)
        device = scaled(device, sum(device.values()) * on_device / sum(device[name] for name in first))
    return instance_of(net, device, remote, MBIT)


def yolo_cut(rate: float, said: str, *, catalogue: bool) -> Callable[[], tuple[str, str]]:
    """Where Tiny YOLOv2 is cut."""

    def found() -> tuple[str, str]:
        made = with_rate(yolo(catalogue), rate * MBIT)
        one = answer(made)
        cut, low, high = next(each for each in ranges(made, 0.01, 1000.0) if each[1] <= rate * MBIT < each[2])
        assert cut == one.cut
        told = f"{place(cut)}, {one.best_s:.3f} s, the best from {low / MBIT:.3g} to {high / MBIT:.3g} Mbit/s"
        return said, f"{told}; all in the cloud {one.remote_s:.3f} s"

    return found


def resnet18() -> Network:
    """Return ResNet-18 as the graph that it is; `known_networks` has it in the order in which it runs."""
    made: list[NetworkLayer] = []
    convolution = block = 0
    entry: str | None = None
    inside: list[str] = []
    chain = resnet("resnet18", (2, 2, 2, 2), bottleneck=False)
    for layer in chain.layers:
        if layer.operator == "convolution" and len(inside) < 2:
            convolution += 1
            name, reads = f"conv{convolution}", [inside[-1] if inside else entry]
            if entry is not None and convolution > 1:
                inside.append(name)
        elif layer.operator == "convolution":
            name, reads = f"shortcut{block + 1}", [entry]
            inside.append(name)
        elif layer.operator == "elementwise":
            block += 1
            name, reads = f"sum{block}", [inside[1], inside[2] if len(inside) > 2 else entry]
        elif layer.operator == "activation":
            name, reads, inside = f"block{block}", [made[-1].name], []
            entry = name
        else:
            names = {"pooling": "pool1" if block == 0 else "pool2", "matrix-product": "fc", "softmax": "prob"}
            name, reads = names[layer.operator], [made[-1].name]
            entry = name
        inputs = tuple(each for each in reads if each is not None)
        made.append(layer.model_copy(update={"name": name, "inputs": inputs}))
    return chain.model_copy(update={"layers": tuple(made)})


def implied(one: str, other: str) -> tuple[float, float]:
    """Return ResNet-18's times on the device and in the cloud, s, as the speed-ups at two rates imply.

    With all in the cloud it takes transfer + cloud, which is device / speed-up / (1 - share below the cloud).
    """
    bits = resnet18().input_mb
    shares = [1 / OVER_EDGE[link] / (1 - BELOW_CLOUD[link]) for link in (one, other)]
    transfers = [bits / (RATES[link] * MBIT) for link in (one, other)]
    device = (transfers[0] - transfers[1]) / (shares[0] - shares[1])
    return device, device * shares[0] - transfers[0]


def consistent() -> tuple[str, str]:
    """Whether the speed-ups of all four rates are of one device and one cloud."""
    device, cloud = implied("4G", "WiFi")
    other, _ = implied("CAT1", "3G")
    return "(not stated)", (
        f"4G and WiFi imply {device:.1f} s on the device, {cloud:.1f} s in the cloud; CAT1 and 3G {other:.1f} s"
    )


def resnet_instance(rate: float) -> Instance:
    """Return ResNet-18 with the totals that 4G and WiFi imply, at a rate in Mbit/s."""
    net = resnet18()
    device, cloud = implied("4G", "WiFi")
    return instance_of(
        net, scaled(seconds_of(_MODEL, net, _DEVICE), device), scaled(seconds_of(_MODEL, net, _REMOTE), cloud),
        rate * MBIT,
    )  # fmt: skip


def resnet_speedup(link: str) -> Callable[[], tuple[str, str]]:
    """How much faster than the device and the cloud alone ResNet-18 is."""

    def found() -> tuple[str, str]:
        one = answer(resnet_instance(RATES[link]))
        said = f"{OVER_EDGE[link]} times the device, {BELOW_CLOUD[link]:.0%} below the cloud (Fig. 15)"
        below = 1 - one.best_s / one.remote_s
        return said.replace("%", " %"), (
            f"{one.device_s / one.best_s:.2f} times, {100 * below:.0f} % below, {place(one.cut)}"
        )

    return found


def resnet_cut(rate: float, said: str) -> Callable[[], tuple[str, str]]:
    """Where ResNet-18 is cut."""

    def found() -> tuple[str, str]:
        one = answer(resnet_instance(rate))
        return said, place(one.cut)

    return found


def smaller() -> tuple[str, str]:
    """After which layer of ResNet-18 a cut sends less than the input for the first time."""
    net = resnet18()
    done = next(j for j, mb in enumerate(net.cuts_mb()) if mb < net.input_mb)
    times = seconds_of(_MODEL, net, _DEVICE)
    share = sum(times[layer.name] for layer in net.layers[:done]) / sum(times.values())
    return "behind conv2 at the latest (implied by Fig. 18)", (
        f"behind {net.layers[done - 1].name}, which reads conv7: {100 * share:.0f} % of the device's time"
    )


def two_at_once() -> tuple[str, str]:
    """Return what it takes to send two outputs: ResNet-18 cut behind conv6, 4 Mbit/s, when computing takes no time."""
    net = resnet18()
    nothing = {layer.name: 0.0 for layer in net.layers}
    made = instance_of(net, nothing, nothing, 4 * MBIT)
    names = [layer.name for layer in net.layers]
    behind = names.index("conv6") + 1
    servers = [DEVICE] * behind + [REMOTE] * (len(names) - behind)
    apart = net.cuts_mb()[behind] / (4 * MBIT)
    return f"{apart:.2f} s (Eq. 3, by hand)", f"{evaluate(P1(made), Placement(servers)).delay_s:.2f} s"


def differences() -> Iterator[float]:
    """Yield by which share the minimum cut is worse than the optimum: four networks at four rates."""
    for net in (tiny_yolo_v2(SIDE), vgg16(), alexnet(), resnet18()):
        device, remote = (seconds_of(_MODEL, net, each) for each in (_DEVICE, _REMOTE))
        for rate in RATES.values():
            one = answer(instance_of(net, device, remote, rate * MBIT))
            yield one.min_cut_s / one.best_s - 1


def min_cut() -> tuple[str, str]:
    """Whether the paper's minimum cut is the optimum of offbench's model."""
    found = list(differences())
    return "the minimum cut is the optimum", (
        f"min-cut finds the proven optimum in {sum(abs(share) < 1e-9 for share in found)} of {len(found)} cases"
    )


CASES: dict[str, Callable[[], tuple[str, str]]] = {
    "Tiny YOLOv2: input and max5": sizes,
    **{
        f"Tiny YOLOv2, {rate} Mbit/s, times {of}": yolo_cut(rate, said, catalogue=catalogue)
        for of, catalogue in (("that the text implies", False), ("of the catalogue", True))
        for rate, said in (
            (4, "after max5, 62 % less than all in the cloud (Fig. 3)"),
            (18, "all in the cloud, 0.59 s (Fig. 3)"),
        )
    },
    "ResNet-18: times that the speed-ups imply": consistent,
    **{f"ResNet-18, {link}": resnet_speedup(link) for link in RATES},
    "ResNet-18, 3.41 Mbit/s: best cut": resnet_cut(3.41, "after conv2 (Fig. 18)"),
    "ResNet-18, 2.15 Mbit/s: best cut": resnet_cut(2.15, "after conv3 (Fig. 18)"),
    "ResNet-18, 1.5 Mbit/s: best cut": resnet_cut(1.5, "after conv7 (Fig. 18)"),
    "ResNet-18: first cut that sends less than the input": smaller,
    "ResNet-18, 4 Mbit/s: sending what a cut behind conv6 needs": two_at_once,
    "Tiny YOLOv2, VGG-16, AlexNet, ResNet-18 at four rates": min_cut,
}
"""what is compared: published, found"""
