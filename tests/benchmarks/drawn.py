"""Instances of any size in the paper's environment, made of the four networks' layers."""

import numpy as np

from offbench.compose import compose
from offbench.instance import Instance, Layer, Task, load

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


def _network(layers: list[Layer]) -> Instance:
    shipped = load("alexnet")
    task = Task(name="task", input_mb=shipped.tasks[0].input_mb, layers=tuple(layers))
    return shipped.model_copy(update={"name": "task", "tasks": (task,)})
