"""Instances of any size in the paper's environment, made of the four networks' layers."""

from collections.abc import Sequence

import numpy as np

from offbench.model.composition import arrivals, compose
from offbench.model.instance import Instance, Layer, Task, Weights, load

NETWORKS = ("alexnet", "vgg19", "googlenet", "resnet")
# The two whose layers take so long (0.02 to 2 s on the client) that tasks wait for one another.
SLOW_NETWORKS = ("alexnet", "vgg19")
# Edges and clouds beside the client, by the number of all servers.
REMOTES = {3: (1, 1), 5: (2, 2), 11: (5, 5)}


def chain(layers: int, servers: int, seed: int) -> Instance:
    """Return one chain: the four networks in an order and from a layer drawn, again after the last."""
    rng = np.random.default_rng([seed, layers])
    networks = [str(name) for name in rng.permutation(NETWORKS)]
    name = f"chain {layers} x {servers}, seed {seed}"
    return compose(name, [_network(_taken(networks, int(rng.integers(272)), layers))], [0.0], *REMOTES[servers])


def alexnets(tasks: int, layers: int, servers: int) -> Instance:
    """Return tasks of AlexNet's first *layers*, all at once."""
    network = _network(_taken(["alexnet"], 0, layers))
    return compose(f"alexnet {tasks} x {layers} x {servers}", [network], [0.0] * tasks, *REMOTES[servers])


def queues(tasks: int, layers: int, servers: int, seed: int) -> Instance:
    """Return several chains that compete for slots, all at once: stretches of AlexNet and VGG19."""
    rng = np.random.default_rng([seed, tasks, layers])
    networks = [_network(_taken([str(rng.choice(SLOW_NETWORKS))], int(rng.integers(24)), layers)) for _ in range(tasks)]
    return compose(f"{tasks} x {layers} x {servers}, seed {seed}", networks, [0.0] * tasks, *REMOTES[servers])


def perturbed(seed: int) -> Instance:
    """Return one to three tasks on two to seven edges and clouds each: none of its numbers of layers is a shipped one.

    A task is one of the four networks, or a chain of 10 to 80 of their layers in turn, with other work and output
    (`_changed`).
    """
    rng = np.random.default_rng([seed, 2026])
    networks = []
    for i in range(int(rng.integers(1, 4))):
        if rng.random() < 0.5:
            layers = list(load(str(rng.choice(NETWORKS))).tasks[0].layers)
        else:
            names = [str(name) for name in rng.permutation(NETWORKS)]
            layers = _taken(names, int(rng.integers(272)), int(rng.integers(10, 81)))
        networks.append(_changed(f"network-{i + 1}", layers, rng))
    edges, clouds = (int(number) for number in rng.integers(2, 8, size=2))
    return compose(f"perturbed-{seed}", networks, arrivals(len(networks), interval_s=0.1), edges, clouds)


def mixture(
    name: str, parts: Sequence[str | int], edges: int, clouds: int, weights: Weights, rng: np.random.Generator
) -> Instance:
    """Return one task for each part, a network by name or a chain of so many layers, with numbers as in `perturbed`."""
    networks: list[Instance] = []
    for part in parts:
        if isinstance(part, str):
            layers = list(load(part).tasks[0].layers)
        else:
            layers = _taken([str(each) for each in rng.permutation(NETWORKS)], int(rng.integers(272)), part)
        networks.append(_changed(f"network-{len(networks) + 1}", layers, rng))
    return compose(name, networks, arrivals(len(networks), interval_s=0.1), edges, clouds, weights)


def inception(servers: int) -> Instance:
    """Return GoogLeNet's first inception module with the layers about it: a small branching graph."""
    layers = load("googlenet").tasks[0].layers[6:15]
    names = {layer.name for layer in layers}
    kept = [layer.model_copy(update={"inputs": tuple(n for n in layer.inputs if n in names)}) for layer in layers]
    return compose(f"inception x {servers}", [_network(kept)], [0.0], *REMOTES[servers])


def _taken(networks: list[str], start: int, count: int) -> list[Layer]:
    """Return *count* layers of the networks one after the other, from *start* on, as a chain."""
    facts = [layer for name in networks for layer in load(name).tasks[0].layers]
    chosen = [facts[(start + j) % len(facts)] for j in range(count)]
    return [
        Layer(
            name=f"layer-{j + 1}", gcycles=layer.gcycles, output_mb=layer.output_mb,
            inputs=(f"layer-{j}",) if j else (),
        )
        for j, layer in enumerate(chosen)
    ]  # fmt: skip


def _changed(name: str, layers: list[Layer], rng: np.random.Generator) -> Instance:
    """Return a network whose layers have other work and output: factors of their own, log-normal with sigma 0.5."""
    work, output = np.exp(rng.normal(scale=0.5, size=(2, len(layers)))).tolist()
    changed = [
        layer.model_copy(update={"gcycles": layer.gcycles * a, "output_mb": layer.output_mb * b})
        for layer, a, b in zip(layers, work, output, strict=True)
    ]
    return _network(changed).model_copy(update={"name": name})


def _network(layers: list[Layer]) -> Instance:
    shipped = load("alexnet")
    task = Task(name="task", input_mb=shipped.tasks[0].input_mb, layers=tuple(layers))
    return shipped.model_copy(update={"name": "task", "tasks": (task,)})
