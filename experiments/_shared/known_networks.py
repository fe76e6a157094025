"""Convolutional networks of the literature, layer by layer as a runtime fuses them, made from their papers' tables.

Batch 1, float32 (4 bytes). Normalisation and ReLU are part of the convolution before them; other activations, sums,
concatenations and pooling are layers of their own.
"""

from collections.abc import Callable, Iterable
from math import ceil

from offbench.model.network import Network, NetworkLayer, Operator

_MB = 4e-6  # of a float32


class _Chain:
    """Layers in the order in which they run, and the shape that the last of them leaves."""

    def __init__(self, name: str, side: int) -> None:
        self.name = name
        self.input_mb = 3 * side * side * _MB
        self.layers: list[NetworkLayer] = []
        self.channels, self.side = 3, side

    @property
    def size(self) -> int:
        return self.channels * self.side**2

    def add(self, operator: Operator, flop: float, read: float, weights: int = 0) -> None:
        """Append a layer that reads *read* numbers besides its weights, and leaves the present shape."""
        self.layers.append(
            NetworkLayer(
                name=f"{len(self.layers)}-{operator}",
                operator=operator,
                gflop=flop / 1e9,
                read_mb=(read + weights) * _MB,
                written_mb=self.size * _MB,
                output_mb=self.size * _MB,
                inputs=(self.layers[-1].name,) if self.layers else (),
                weights_mb=weights * _MB,
            )
        )

    def conv(self, channels: int, kernel: int, stride: int = 1, *, groups: int = 1, padding: int | None = None) -> None:
        read, before = self.size, self.channels
        padding = kernel // 2 if padding is None else padding
        self.channels, self.side = channels, (self.side + 2 * padding - kernel) // stride + 1
        weights = channels * before // groups * kernel**2
        operator: Operator = "depthwise-convolution" if groups == before > 1 else "convolution"
        self.add(operator, 2 * weights * self.side**2, read, weights)

    def depthwise(self, kernel: int, stride: int = 1) -> None:
        self.conv(self.channels, kernel, stride, groups=self.channels)

    def pool(self, kernel: int, stride: int = 2, *, padding: int = 0) -> None:
        read = self.size
        self.side = ceil((self.side + 2 * padding - kernel) / stride) + 1
        self.add("pooling", self.size * kernel**2, read)

    def pool_all(self) -> None:
        read, self.side = self.size, 1
        self.add("pooling", read, read)

    def full(self, channels: int) -> None:
        read, self.channels, self.side = self.size, channels, 1
        self.add("matrix-product", 2 * read * channels, read, read * channels)

    def activation(self) -> None:
        self.add("activation", 4 * self.size, self.size)

    def sum(self) -> None:
        self.add("elementwise", self.size, 2 * self.size)

    def join(self, channels: int) -> None:
        self.channels = channels
        self.add("movement", 0, self.size)

    def softmax(self) -> None:
        self.add("softmax", 5 * self.size, self.size)

    def excite(self, hidden: int, *, activations: int = 0) -> None:
        """Squeeze and excitation (https://arxiv.org/abs/1709.01507)."""
        channels, side = self.channels, self.side
        self.pool_all()
        self.full(hidden)
        self.full(channels)
        for _ in range(activations):
            self.activation()
        self.side = side
        self.add("elementwise", self.size, self.size + channels)

    def classify(self, classes: int = 1000) -> Network:
        self.full(classes)
        return self.done()

    def done(self) -> Network:
        self.softmax()
        return Network(name=self.name, input_mb=self.input_mb, layers=tuple(self.layers))


def alexnet() -> Network:
    """Return AlexNet with two groups (https://doi.org/10.1145/3065386), local response normalisation as a layer."""
    net = _Chain("alexnet", 227)
    net.conv(96, 11, 4, padding=0)
    net.add("normalisation", 10 * net.size, net.size)
    net.pool(3)
    net.conv(256, 5, groups=2)
    net.add("normalisation", 10 * net.size, net.size)
    net.pool(3)
    net.conv(384, 3)
    net.conv(384, 3, groups=2)
    net.conv(256, 3, groups=2)
    net.pool(3)
    net.full(4096)
    net.full(4096)
    return net.classify()


def vgg16() -> Network:
    """Return VGG-16 (https://arxiv.org/abs/1409.1556)."""
    net = _Chain("vgg16", 224)
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            net.conv(channels, 3)
        net.pool(2)
    net.full(4096)
    net.full(4096)
    return net.classify()


def squeezenet() -> Network:
    """Return SqueezeNet 1.1 (https://arxiv.org/abs/1602.07360)."""
    net = _Chain("squeezenet", 227)
    net.conv(64, 3, 2, padding=0)
    for fires in (((16, 64), (16, 64)), ((32, 128), (32, 128)), ((48, 192), (48, 192), (64, 256), (64, 256))):
        net.pool(3)
        for squeeze, expand in fires:
            net.conv(squeeze, 1)
            net.conv(expand, 1)
            net.channels = squeeze
            net.conv(expand, 3)
            net.join(2 * expand)
    net.conv(1000, 1)
    net.pool_all()
    return net.done()


def googlenet() -> Network:
    """Return GoogLeNet (https://arxiv.org/abs/1409.4842)."""
    net = _Chain("googlenet", 224)
    net.conv(64, 7, 2)
    net.pool(3)
    net.add("normalisation", 10 * net.size, net.size)
    net.conv(64, 1)
    net.conv(192, 3)
    net.add("normalisation", 10 * net.size, net.size)
    net.pool(3)
    modules = (
        ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
        ((192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64),
         (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128)),
        ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
    )  # fmt: skip
    for number, stage in enumerate(modules):
        if number:
            net.pool(3)
        for one, three_in, three, five_in, five, pooled in stage:
            channels = net.channels
            for width, kernel, narrow in ((one, 1, 0), (three, 3, three_in), (five, 5, five_in)):
                net.channels = channels
                if narrow:
                    net.conv(narrow, 1)
                net.conv(width, kernel)
            net.channels = channels
            net.pool(3, 1, padding=1)
            net.conv(pooled, 1)
            net.join(one + three + five + pooled)
    net.pool_all()
    return net.classify()


def resnet(name: str, blocks: tuple[int, ...], *, bottleneck: bool) -> Network:
    """Return a residual network (https://arxiv.org/abs/1512.03385)."""
    net = _Chain(name, 224)
    net.conv(64, 7, 2)
    net.pool(3, 2)
    for stage, count in enumerate(blocks):
        width = 64 * 2**stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            before, side, out = net.channels, net.side, width * (4 if bottleneck else 1)
            if bottleneck:
                net.conv(width, 1, stride)
                net.conv(width, 3)
                net.conv(out, 1)
            else:
                net.conv(width, 3, stride)
                net.conv(width, 3)
            if before != out:
                net.channels, net.side = before, side
                net.conv(out, 1, stride)
            net.sum()
            net.activation()
    net.pool_all()
    return net.classify()


def mobilenet() -> Network:
    """Return MobileNet 1.0 (https://arxiv.org/abs/1704.04861)."""
    net = _Chain("mobilenet", 224)
    net.conv(32, 3, 2)
    strides = {128: 2, 256: 2, 512: 2, 1024: 2}
    before = 32
    for channels in (64, 128, 128, 256, 256, *(512,) * 6, 1024, 1024):
        net.depthwise(3, strides[channels] if channels in strides and channels != before else 1)
        net.conv(channels, 1)
        before = channels
    net.pool_all()
    return net.classify()


def _inverted(  # what the mobile networks since MobileNetV2 share
    net: _Chain, out: int, kernel: int, stride: int, hidden: int, *, squeeze: int = 0,
    activation: Callable[[], None] | None = None, gate: int = 0, late: bool = False,
) -> None:  # fmt: skip
    before = net.channels
    if hidden != before:
        net.conv(hidden, 1)
        if activation is not None:
            activation()
    net.depthwise(kernel, stride)
    if activation is not None and not late:
        activation()
    if squeeze:
        net.excite(squeeze, activations=gate)
    if activation is not None and late:
        activation()
    net.conv(out, 1)
    if stride == 1 and before == out:
        net.sum()


def _inverted_stages(net: _Chain, rows: Iterable[tuple[int, int, int, int, int]]) -> None:
    """Append stages given as expansion, kernel, channels, blocks, stride of the first block."""
    for expansion, kernel, out, count, stride in rows:
        for block in range(count):
            _inverted(net, out, kernel, stride if not block else 1, net.channels * expansion)


def mobilenet_v2() -> Network:
    """Return MobileNetV2 1.0 (https://arxiv.org/abs/1801.04381)."""
    net = _Chain("mobilenet_v2", 224)
    net.conv(32, 3, 2)
    _inverted_stages(
        net,
        ((1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 3, 32, 3, 2), (6, 3, 64, 4, 2), (6, 3, 96, 3, 1),
         (6, 3, 160, 3, 2), (6, 3, 320, 1, 1)),
    )  # fmt: skip
    net.conv(1280, 1)
    net.pool_all()
    return net.classify()


def mobilenet_v3() -> Network:
    """Return MobileNetV3-Large (https://arxiv.org/abs/1905.02244)."""
    net = _Chain("mobilenet_v3", 224)
    net.conv(16, 3, 2)
    net.activation()
    rows = (
        (16, 16, 3, 1, 0, 0), (64, 24, 3, 2, 0, 0), (72, 24, 3, 1, 0, 0), (72, 40, 5, 2, 1, 0), (120, 40, 5, 1, 1, 0),
        (120, 40, 5, 1, 1, 0), (240, 80, 3, 2, 0, 1), (200, 80, 3, 1, 0, 1), (184, 80, 3, 1, 0, 1),
        (184, 80, 3, 1, 0, 1), (480, 112, 3, 1, 1, 1), (672, 112, 3, 1, 1, 1), (672, 160, 5, 2, 1, 1),
        (960, 160, 5, 1, 1, 1), (960, 160, 5, 1, 1, 1),
    )  # fmt: skip
    for hidden, out, kernel, stride, squeezed, swish in rows:
        _inverted(
            net, out, kernel, stride, hidden, squeeze=hidden // 4 if squeezed else 0, gate=1,
            activation=net.activation if swish else None, late=bool(squeezed),
        )  # fmt: skip
    net.conv(960, 1)
    net.activation()
    net.pool_all()
    net.full(1280)
    net.activation()
    return net.classify()


def mnasnet() -> Network:
    """Return MnasNet-B1 1.0 (https://arxiv.org/abs/1807.11626)."""
    net = _Chain("mnasnet", 224)
    net.conv(32, 3, 2)
    _inverted_stages(
        net,
        ((1, 3, 16, 1, 1), (3, 3, 24, 3, 2), (3, 5, 40, 3, 2), (6, 5, 80, 3, 2), (6, 3, 96, 2, 1),
         (6, 5, 192, 4, 2), (6, 3, 320, 1, 1)),
    )  # fmt: skip
    net.conv(1280, 1)
    net.pool_all()
    return net.classify()


def proxylessnas() -> Network:
    """Return ProxylessNAS for mobile processors (https://arxiv.org/abs/1812.00332)."""
    net = _Chain("proxylessnasnet", 224)
    net.conv(32, 3, 2)
    _inverted(net, 16, 3, 1, 32)
    stages = (
        (32, 2, ((5, 3), (3, 3))),
        (40, 2, ((7, 3), (3, 3), (5, 3), (5, 3))),
        (80, 2, ((7, 6), (5, 3), (5, 3), (5, 3))),
        (96, 1, ((5, 6), (5, 3), (5, 3), (5, 3))),
        (192, 2, ((7, 6), (7, 6), (7, 3), (7, 3))),
        (320, 1, ((7, 6),)),
    )
    for out, first, blocks in stages:
        for number, (kernel, expansion) in enumerate(blocks):
            _inverted(net, out, kernel, 1 if number else first, net.channels * expansion)
    net.conv(1280, 1)
    net.pool_all()
    return net.classify()


def efficientnet_b0() -> Network:
    """Return EfficientNet-B0 (https://arxiv.org/abs/1905.11946)."""
    net = _Chain("efficientnet_b0", 224)
    net.conv(32, 3, 2)
    net.activation()
    for expansion, kernel, out, count, stride in (
        (1, 3, 16, 1, 1), (6, 3, 24, 2, 2), (6, 5, 40, 2, 2), (6, 3, 80, 3, 2), (6, 5, 112, 3, 1),
        (6, 5, 192, 4, 2), (6, 3, 320, 1, 1),
    ):  # fmt: skip
        for block in range(count):
            _inverted(
                net, out, kernel, 1 if block else stride, net.channels * expansion, squeeze=max(1, net.channels // 4),
                gate=1, activation=net.activation,
            )  # fmt: skip
    net.conv(1280, 1)
    net.activation()
    net.pool_all()
    return net.classify()


def regnety_400m() -> Network:
    """Return RegNetY-400MF, groups of 8 channels (https://arxiv.org/abs/2003.13678)."""
    net = _Chain("regnety_400m", 224)
    net.conv(32, 3, 2)
    for out, count in ((48, 1), (104, 3), (208, 6), (440, 6)):
        for block in range(count):
            before, side, stride = net.channels, net.side, 1 if block else 2
            net.conv(out, 1)
            net.conv(out, 3, stride, groups=out // 8)
            net.excite(before // 4)
            net.conv(out, 1)
            if not block:
                net.channels, net.side = before, side
                net.conv(out, 1, stride)
            net.sum()
            net.activation()
    net.pool_all()
    return net.classify()


def shufflenet() -> Network:
    """Return ShuffleNet 1.0 with three groups (https://arxiv.org/abs/1707.01083)."""
    net = _Chain("shufflenet", 224)
    net.conv(24, 3, 2)
    net.pool(3)
    for out, count in ((240, 4), (480, 8), (960, 4)):
        for block in range(count):
            before, side = net.channels, net.side
            if not block:
                net.pool(3)
                net.channels, net.side = before, side
            net.conv((out if block else out - before) // 4 if before != 24 else 54, 1, groups=1 if before == 24 else 3)
            if before != 24:
                net.join(net.channels)
            net.depthwise(3, 1 if block else 2)
            net.conv(out if block else out - before, 1, groups=3)
            if block:
                net.sum()
            else:
                net.join(out)
            net.activation()
    net.pool_all()
    return net.classify()


def shufflenet_v2() -> Network:
    """Return ShuffleNetV2 1.0 (https://arxiv.org/abs/1807.11164)."""
    net = _Chain("shufflenet_v2", 224)
    net.conv(24, 3, 2)
    net.pool(3)
    for out, count in ((116, 4), (232, 8), (464, 4)):
        for block in range(count):
            before, side = net.channels, net.side
            if not block:
                net.depthwise(3, 2)
                net.conv(out // 2, 1)
                net.channels, net.side = before, side
            else:
                net.join(out // 2)
            net.conv(out // 2, 1)
            net.depthwise(3, 1 if block else 2)
            net.conv(out // 2, 1)
            net.join(out)
            net.join(out)
    net.conv(1024, 1)
    net.pool_all()
    return net.classify()


def known_networks() -> dict[str, Network]:
    """Return the networks by the names that ncnn's table gives them."""
    made = (
        squeezenet(), mobilenet(), mobilenet_v2(), mobilenet_v3(), shufflenet(), shufflenet_v2(), mnasnet(),
        proxylessnas(), efficientnet_b0(), regnety_400m(), googlenet(), alexnet(), vgg16(),
        resnet("resnet18", (2, 2, 2, 2), bottleneck=False), resnet("resnet50", (3, 4, 6, 3), bottleneck=True),
    )  # fmt: skip
    return {network.name: network for network in made}
