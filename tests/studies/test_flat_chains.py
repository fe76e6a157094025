"""The flat chains that tests of exact solvers use."""

from itertools import pairwise

import pytest

from experiments._shared.flat_chains import LAYERS, flat_chain, repeated_chain, weights_with_balance
from offbench import load


@pytest.mark.parametrize("name", LAYERS)
def test_flat_chain_has_the_networks_layers_in_file_order(name: str) -> None:
    instance = flat_chain(name)
    chain, network = instance.tasks[0].layers, load(name).tasks[0].layers
    assert len(instance.tasks) == 1
    assert len(chain) == LAYERS[name]
    assert [(layer.name, layer.gcycles, layer.output_mb) for layer in chain] == [
        (layer.name, layer.gcycles, layer.output_mb) for layer in network
    ]
    assert chain[0].inputs == ()
    assert all(layer.inputs == (before.name,) for before, layer in pairwise(chain))
    assert instance.tasks[0].input_mb == 0.574
    assert instance.servers == load(name).servers


def test_repeated_chain_begins_again_after_the_last_network() -> None:
    chain = repeated_chain("two laps", ["alexnet", "vgg19"], 46).tasks[0].layers
    assert [chain[j].gcycles for j in (0, 11, 35)] == [
        load("alexnet").tasks[0].layers[0].gcycles,
        load("vgg19").tasks[0].layers[0].gcycles,
        load("alexnet").tasks[0].layers[0].gcycles,
    ]


@pytest.mark.parametrize("balance", [0, 0.2, 0.5, 1])
def test_rest_of_the_weight_is_shared_as_in_the_paper_or_not_at_all(balance: float) -> None:
    shared, alone = weights_with_balance(balance), weights_with_balance(balance, score_alone=True)
    assert shared.balance == alone.balance == balance
    assert shared.score == pytest.approx(3 * shared.coordination)
    assert alone.coordination == 0
