"""Inception-v4 with layer times of ours, for the instance `inception-nested`: modules that have modules inside.

Layers, kernels and sizes are the network's own (Szegedy, Ioffe, Vanhoucke, Alemi, 2017, figures 3 to 9), 299 x 299
pixels in, normalisation and activation part of their convolution. Nobody measured it for the paper's data set, so
the times follow from what each layer computes, at the rates that GoogLeNet has there as a whole:

- a convolution takes 0.1 cycles a multiply-add (GoogLeNet's 57 take 0.158 Gcycles for 1.58 G);
- pooling and concatenation take 0.0039 Gcycles for each MB that they give (GoogLeNet's 23: 0.080 for 20.2 MB);
- the last layer, which reads each weight once, takes 3.7 cycles a multiply-add, as GoogLeNet's does.

The inner branches of the three Inception-C modules fork once more, and meet only where the outer ones do.
"""

from offbench.model.instance import Layer

CYCLES_PER_MAC = 0.1
CYCLES_PER_MAC_LAST = 3.7
GCYCLES_PER_MB = 0.0039
SIDE = 299
INPUT_MB = round(SIDE * SIDE * 3 * 4 / 2**20, 3)
SOURCE = (
    "layers and sizes: Szegedy, Ioffe, Vanhoucke, Alemi, Inception-v4, Inception-ResNet and the Impact of Residual "
    "Connections on Learning, 2017; layer times: ours, from multiply-adds and sizes at GoogLeNet's rates in "
    "dnn_profiles.csv, as instances/inception.py says"
)


class Network:
    """Layers in the making; a map of features is known by the layer that gives it."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.macs = 0
        self._shape: dict[str, tuple[int, int]] = {"": (3, SIDE)}  # channels and side

    def conv(self, source: str, name: str, channels: int, stride: int = 1, valid: bool = False) -> str:
        """Add a convolution; its name ends in its kernel, such as 3x3."""
        height, width = map(int, name.split("/")[-1].split("_")[0].split("x"))
        inputs, side = self._shape[source]
        side = (side - height) // stride + 1 if valid else side
        macs = side * side * channels * inputs * height * width
        self.macs += macs
        return self._add(name, (source,), macs * CYCLES_PER_MAC / 1e9, channels, side)

    def pool(self, source: str, name: str, kernel: int = 3, stride: int = 1) -> str:
        """Add a pooling, which keeps the size unless it strides."""
        channels, side = self._shape[source]
        side = side if stride == 1 else (side - kernel) // stride + 1
        return self._add(name, (source,), None, channels, side)

    def dense(self, source: str, name: str, outputs: int) -> str:
        """Add a layer in which every output reads every input."""
        channels, side = self._shape[source]
        macs = channels * side * side * outputs
        self.macs += macs
        return self._add(name, (source,), macs * CYCLES_PER_MAC_LAST / 1e9, outputs, 1)

    def concat(self, name: str, *sources: str) -> str:
        """Add the layer where branches meet."""
        channels = sum(self._shape[source][0] for source in sources)
        return self._add(name, sources, None, channels, self._shape[sources[0]][1])

    def _add(self, name: str, sources: tuple[str, ...], gcycles: float | None, channels: int, side: int) -> str:
        output_mb = channels * side * side * 4 / 2**20
        if gcycles is None:
            gcycles = GCYCLES_PER_MB * output_mb
        self._shape[name] = channels, side
        self.layers.append(
            Layer(
                name=name,
                gcycles=float(f"{gcycles:.6g}"),
                output_mb=output_mb,
                inputs=tuple(source for source in sources if source),
            )
        )
        return name

    def chain(self, source: str, *convs: tuple[str, int]) -> str:
        """Add convolutions one after the other."""
        for name, channels in convs:
            source = self.conv(source, name, channels)
        return source


def inception_v4() -> Network:
    """Return the network, layer by layer."""
    net = Network()
    at = _stem(net)
    for i in range(4):
        at = _a(net, at, f"a{i + 1}")
    at = _reduction_a(net, at)
    for i in range(7):
        at = _b(net, at, f"b{i + 1}")
    at = _reduction_b(net, at)
    for i in range(3):
        at = _c(net, at, f"c{i + 1}")
    at = net.pool(at, "pool/8x8", kernel=8, stride=8)
    net.dense(at, "fc", 1000)
    return net


def _stem(net: Network) -> str:
    at = net.conv("", "stem1/3x3_s2", 32, 2, valid=True)
    at = net.conv(at, "stem2/3x3", 32, valid=True)
    at = net.conv(at, "stem3/3x3", 64)
    at = net.concat(
        "stem4/concat", net.pool(at, "stem4/pool", stride=2), net.conv(at, "stem4/3x3_s2", 96, 2, valid=True)
    )
    one = net.conv(net.conv(at, "stem5/1/1x1", 64), "stem5/1/3x3", 96, valid=True)
    other = net.chain(at, ("stem5/2/1x1", 64), ("stem5/2/7x1", 64), ("stem5/2/1x7", 64))
    at = net.concat("stem5/concat", one, net.conv(other, "stem5/2/3x3", 96, valid=True))
    return net.concat(
        "stem6/concat", net.conv(at, "stem6/3x3_s2", 192, 2, valid=True), net.pool(at, "stem6/pool", stride=2)
    )


def _a(net: Network, at: str, name: str) -> str:
    return net.concat(
        f"{name}/concat",
        net.conv(net.pool(at, f"{name}/1/pool"), f"{name}/1/1x1", 96),
        net.conv(at, f"{name}/2/1x1", 96),
        net.chain(at, (f"{name}/3/1x1", 64), (f"{name}/3/3x3", 96)),
        net.chain(at, (f"{name}/4/1x1", 64), (f"{name}/4/1/3x3", 96), (f"{name}/4/2/3x3", 96)),
    )


def _reduction_a(net: Network, at: str) -> str:
    return net.concat(
        "reduction-a/concat",
        net.pool(at, "reduction-a/1/pool", stride=2),
        net.conv(at, "reduction-a/2/3x3_s2", 384, 2, valid=True),
        net.conv(
            net.chain(at, ("reduction-a/3/1x1", 192), ("reduction-a/3/3x3", 224)), "reduction-a/3/3x3_s2", 256, 2,
            valid=True,
        ),
    )  # fmt: skip


def _b(net: Network, at: str, name: str) -> str:
    return net.concat(
        f"{name}/concat",
        net.conv(net.pool(at, f"{name}/1/pool"), f"{name}/1/1x1", 128),
        net.conv(at, f"{name}/2/1x1", 384),
        net.chain(at, (f"{name}/3/1x1", 192), (f"{name}/3/1x7", 224), (f"{name}/3/7x1", 256)),
        net.chain(
            at, (f"{name}/4/1x1", 192), (f"{name}/4/1/1x7", 192), (f"{name}/4/1/7x1", 224),
            (f"{name}/4/2/1x7", 224), (f"{name}/4/2/7x1", 256),
        ),
    )  # fmt: skip


def _reduction_b(net: Network, at: str) -> str:
    short = net.conv(at, "reduction-b/2/1x1", 192)
    long = net.chain(at, ("reduction-b/3/1x1", 256), ("reduction-b/3/1x7", 256), ("reduction-b/3/7x1", 320))
    return net.concat(
        "reduction-b/concat",
        net.pool(at, "reduction-b/1/pool", stride=2),
        net.conv(short, "reduction-b/2/3x3_s2", 192, 2, valid=True),
        net.conv(long, "reduction-b/3/3x3_s2", 320, 2, valid=True),
    )


def _c(net: Network, at: str, name: str) -> str:
    ends = [
        net.conv(net.pool(at, f"{name}/1/pool"), f"{name}/1/1x1", 256),
        net.conv(at, f"{name}/2/1x1", 256),
    ]
    third = net.conv(at, f"{name}/3/1x1", 384)
    ends += [net.conv(third, f"{name}/3/{kernel}", 256) for kernel in ("1x3", "3x1")]
    fourth = net.chain(at, (f"{name}/4/1x1", 384), (f"{name}/4/1x3", 448), (f"{name}/4/3x1", 512))
    ends += [net.conv(fourth, f"{name}/4/2/{kernel}", 256) for kernel in ("3x1", "1x3")]
    return net.concat(f"{name}/concat", *ends)
