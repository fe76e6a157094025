"""The four networks as flat chains: layers in the profiles' file order, each reading the one before."""

from collections.abc import Sequence

from offbench.model.composition import PAPER_WEIGHTS, compose
from offbench.model.instance import Coordination, Instance, Layer, Weights, load

# Proven optima in the paper's environment and weights, indicators as costs, root 2 (issue 3, item 2).
OPTIMA = {"alexnet": 0.203089, "vgg19": 0.088121, "googlenet": -0.304461, "resnet": -0.634940}
LAYERS = {"alexnet": 11, "vgg19": 24, "googlenet": 83, "resnet": 136}

COSTS_2 = Coordination()
BENEFITS_3 = Coordination(indicators="benefits", root=3)
READINGS = {"costs-2": COSTS_2, "benefits-3": BENEFITS_3}


def flat_chain(
    name: str, *, weights: Weights | None = None, coordination: Coordination | None = None,
    layers: int | None = None, edges: int = 5, clouds: int = 5,
) -> Instance:  # fmt: skip
    """Return a network as a chain in the paper's environment; its first *layers* alone if they are given."""
    return repeated_chain(
        f"{name}-flat", [name], layers, edges=edges, clouds=clouds, weights=weights, coordination=coordination
    )


def repeated_chain(
    name: str, networks: Sequence[str], layers: int | None, *, edges: int = 5, clouds: int = 5,
    weights: Weights | None = None, coordination: Coordination | None = None,
) -> Instance:  # fmt: skip
    """Return the first *layers* of networks one after the other, beginning again after the last, as a chain."""
    facts = [(f"{network}-", layer) for network in networks for layer in load(network).tasks[0].layers]
    chain: list[Layer] = []
    for j in range(len(facts) if layers is None else layers):
        prefix, layer = facts[j % len(facts)]
        lap = j // len(facts)
        label = f"{prefix if len(networks) > 1 or lap else ''}{layer.name}{f'-{lap + 1}' if lap else ''}"
        inputs = (chain[-1].name,) if chain else ()
        chain.append(layer.model_copy(update={"name": label, "inputs": inputs}))
    task = load(networks[0]).tasks[0].model_copy(update={"name": name, "layers": tuple(chain)})
    network = load(networks[0]).model_copy(update={"name": name, "tasks": (task,)})
    return compose(
        name, [network], [0.0], edges, clouds, weights or PAPER_WEIGHTS, coordination, source="layers as a flat chain"
    )


def weights_with_balance(balance: float, *, score_alone: bool = False) -> Weights:
    """Return the paper's weights with another one of balance.

    The rest goes to score and coordination as 3 : 1, as in the paper, or to the score alone.
    """
    rest = 1 - balance
    coordination = 0.0 if score_alone else rest / 4
    return Weights(
        delay=0.5, energy=0.3, cost=0.2, score=rest - coordination, coordination=coordination, balance=balance
    )
