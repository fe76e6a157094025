"""The shipped instances of format 2: devices with links, memories and deadlines as users have them.

Layer times are those of `dnn_profiles.csv`, weights are counted from the networks' structure (4 bytes a number, MB of
2^20 bytes as the profiles count them). Devices, links and deadlines are made, of the size of what is on sale; each
instance's *source* says so.
"""

from collections.abc import Iterator

from offbench.model.instance import Instance, Kind, Layer, Limits, Link, Server, Task, Weights

# Numbers in each layer's weights and biases. AlexNet: Krizhevsky et al. (2012), its convolutions in two groups.
ALEXNET = {
    "conv1": 96 * 3 * 11**2 + 96,
    "conv2": 256 * 48 * 5**2 + 256,
    "conv3": 384 * 256 * 3**2 + 384,
    "conv4": 384 * 192 * 3**2 + 384,
    "conv5": 256 * 192 * 3**2 + 256,
    "fc6": 4096 * 9216 + 4096,
    "fc7": 4096 * 4096 + 4096,
    "fc8": 1000 * 4096 + 1000,
}
# VGG19: Simonyan and Zisserman (2015), table 1, column E; all kernels are 3 x 3.
_CHANNELS = {"1": (3, 64, 2), "2": (64, 128, 2), "3": (128, 256, 4), "4": (256, 512, 4), "5": (512, 512, 4)}
VGG19 = {
    f"conv{block}_{number}": (channels if number > 1 else before) * channels * 3**2 + channels
    for block, (before, channels, count) in _CHANNELS.items()
    for number in range(1, count + 1)
} | {"fc6": 512 * 7**2 * 4096 + 4096, "fc7": 4096 * 4096 + 4096, "fc8": 1000 * 4096 + 1000}

_PROFILES = "layer times and sizes as in {}.json, weights counted from the network's structure"
_MADE = "devices, links and what is asked of them are made, not measured"
_DELAY = Weights(delay=1, energy=0, cost=0, score=1, coordination=0, balance=0)
_DELAY_ENERGY = Weights(delay=0.5, energy=0.5, cost=0, score=1, coordination=0, balance=0)


def weighed(layers: tuple[Layer, ...], numbers: dict[str, int], shared: str = "") -> tuple[Layer, ...]:
    """Return layers with their weights; *shared* is the name under which tasks hold the same."""
    found = []
    for layer in layers:
        count = numbers.get(layer.name, 0)
        update = {"weights_mb": float(f"{count * 4 / 2**20:.4g}")} if count else {}
        held = {"weights_id": f"{shared}/{layer.name}"} if count and shared else {}
        found.append(layer.model_copy(update=update | held))
    return tuple(found)


def _server(
    name: str, kind: Kind, ghz: float, power_w: float, pool: int, usd_per_h: float = 0, **more: float
) -> Server:
    return Server(
        name=name, kind=kind, compute_ghz=ghz, price_per_hour=usd_per_h, client_power_w=power_w, pool=pool, **more
    )


def _both_ways(
    one: str, other: str, up: float, down: float, latency_s: float, power_w: tuple[float, float] = (0, 0)
) -> Iterator[Link]:
    """Yield a link up and one down, each with its rate (MB/s) and what the client's radio draws (W)."""
    for ends, rate, watt in (((one, other), up, power_w[0]), ((other, one), down, power_w[1])):
        yield Link(
            from_=ends[0], to=ends[1], rate_mb_per_s=rate, latency_s=latency_s, price_per_gb=0, transmit_power_w=watt
        )


def phones(alexnet: Instance) -> Instance:
    """Return three phones that share an edge, which holds one copy of their network."""
    layers = weighed(alexnet.tasks[0].layers, ALEXNET, "alexnet")
    clients = [("phone-1", 2.8, 4.1, 0.9), ("phone-2", 2.4, 3.6, 0.8), ("phone-3", 2.0, 3.2, 0.8)]
    return Instance(
        format="offbench/2",
        name="phones",
        source=f"{_PROFILES.format('alexnet')}; {_MADE}: phones 1 and 2 by Wi-Fi, phone 3 by LTE with a "
        "round trip of 70 ms",
        servers=(
            *(
                _server(name, "client", ghz, power_w, 1, idle_power_w=idle_w, memory_mb=120)
                for name, ghz, power_w, idle_w in clients
            ),
            _server("edge", "edge", 12, 1, 2, memory_mb=300),
        ),
        links=(
            *_both_ways("client", "edge", 2.5, 11, 0.006, (2.3, 1.1)),
            *_both_ways("phone-3", "edge", 0.6, 3, 0.035, (2.8, 1.5)),
        ),
        tasks=tuple(
            Task(name=f"photo-{number}", client=name, arrival_s=0.1 * (number - 1), input_mb=0.574, layers=layers)
            for number, (name, *_) in enumerate(clients, 1)
        ),
        weights=_DELAY_ENERGY,
    )


def camera(alexnet: Instance) -> Instance:
    """Return a camera whose small GPU is 28 times as fast as its CPU in convolutions and 8 times elsewhere."""
    cpu_ghz = 1.5
    layers = tuple(
        layer.model_copy(
            update={
                "gcycles": None,
                "seconds": {
                    "camera": float(f"{layer.gcycles / cpu_ghz:.4g}"),
                    "gpu": float(f"{layer.gcycles / cpu_ghz / (28 if layer.name.startswith('conv') else 8):.4g}"),
                    "cloud": float(f"{layer.gcycles / 60:.4g}"),
                },
            }
        )
        for layer in weighed(alexnet.tasks[0].layers, ALEXNET, "alexnet")
        if layer.gcycles is not None
    )
    return Instance(
        format="offbench/2",
        name="camera",
        source=f"{_PROFILES.format('alexnet')}; {_MADE}: a CPU of 1.5 GHz, a GPU on the same board that is 28 "
        "and 8 times as fast and holds 150 MB, a cloud by LTE with a round trip of 70 ms",
        servers=(
            _server("camera", "client", cpu_ghz, 3, 1),
            _server("gpu", "edge", 12, 8.2, 1, memory_mb=150),  # the camera feeds it
            _server("cloud", "cloud", 60, 1.2, 4, usd_per_h=0.5),
        ),
        links=(
            *_both_ways("client", "edge", 400, 400, 0.0002, (0.5, 0.5)),
            *_both_ways("client", "cloud", 0.6, 3, 0.035, (2.8, 1.5)),
            *_both_ways("edge", "cloud", 0.6, 3, 0.035),
        ),
        tasks=tuple(
            Task(name=f"frame-{number}", arrival_s=0.5 * (number - 1), input_mb=0.574, deadline_s=1.5, layers=layers)
            for number in (1, 2)
        ),
        weights=_DELAY_ENERGY,
    )


def board(vgg19: Instance) -> Instance:
    """Return a board whose memory holds a seventh of its network."""
    return Instance(
        format="offbench/2",
        name="board",
        source=f"{_PROFILES.format('vgg19')}; {_MADE}: 548 MB of weights, a board for 80 MB of them, two edges for 100 "
        "each; the cloud is far",
        servers=(
            _server("board", "client", 1.2, 5, 1, idle_power_w=1.9, memory_mb=80),
            _server("edge-1", "edge", 6, 1.9, 2, usd_per_h=0.1, memory_mb=100),
            _server("edge-2", "edge", 9, 1.9, 2, usd_per_h=0.2, memory_mb=100),
            _server("cloud", "cloud", 60, 1.9, 4, usd_per_h=0.9),
        ),
        links=(
            *_both_ways("client", "edge", 5, 12, 0.003, (1.6, 0.9)),
            *_both_ways("client", "cloud", 0.2, 1, 0.035, (2.8, 1.5)),
            *_both_ways("edge", "cloud", 0.5, 2, 0.02),
            Link(between=("edge", "edge"), rate_mb_per_s=50, latency_s=0.001, price_per_gb=0),
        ),
        tasks=(Task(name="vgg19", input_mb=0.574, layers=weighed(vgg19.tasks[0].layers, VGG19)),),
        weights=Weights(delay=0.6, energy=0.3, cost=0.1, score=1, coordination=0, balance=0),
        limits=Limits(cost_usd=0.0002),
    )


def split(alexnet: Instance) -> Instance:
    """Return a deadline that neither the device alone meets nor the cloud alone."""
    return Instance(
        format="offbench/2",
        name="split",
        source=f"layer times and sizes as in alexnet.json; {_MADE}: the device alone takes "
        "2.2 s, the cloud alone 1.4 s",
        servers=(
            _server("device", "client", 3.2, 3, 1, idle_power_w=0.7),
            _server("cloud", "cloud", 40, 0.7, 4, usd_per_h=0.5),
        ),
        links=tuple(_both_ways("client", "cloud", 0.5, 2, 0.035, (2.8, 1.5))),
        tasks=(Task(name="alexnet", input_mb=0.574, deadline_s=1.1, layers=alexnet.tasks[0].layers),),
        weights=_DELAY,
    )
