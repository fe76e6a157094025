from itertools import pairwise

import pytest
from examples import DELAY_ALONE, instance, layer, link, server, task

from offbench.errors import OffbenchError
from offbench.graph import contract
from offbench.instance import Instance, load, parse
from offbench.problem import P1


def made(*layers: dict[str, object]) -> Instance:
    servers = [server("phone", "client"), server("edge", "edge", ghz=2)]
    return parse(instance(servers, [link("client", "edge", 2)], [task("t", *layers, input_mb=1)], weights=DELAY_ALONE))


def test_module_becomes_one_layer() -> None:
    """Fork a; branches b and c-d; the join e also reads the fork: 3 + 4 + 5 cycles, 0.5 + 0.25 + 2 MB into the join."""
    full = made(
        layer("a", 1, 2), layer("b", 3, 0.5, ("a",)), layer("c", 4, 1, ("a",)), layer("d", 5, 0.25, ("c",)),
        layer("e", 6, 7, ("b", "d", "a")), layer("f", 8, 0, ("e",)),
    )  # fmt: skip
    coarse = contract(full)
    found = [(each.name, each.gcycles, each.output_mb, each.inputs) for each in coarse.tasks[0].layers]
    assert found == [
        ("a", 1, 2, ()), ("b..d", 12, 2.75, ("a",)), ("e", 6, 7, ("b..d",)), ("f", 8, 0, ("e",)),
    ]  # fmt: skip
    assert P1(coarse).scales == P1(full).scales


def test_chain_stays_as_it_is() -> None:
    full = load("alexnet")
    assert contract(full).tasks == full.tasks


@pytest.mark.parametrize(("name", "layers"), [("googlenet", 29), ("resnet", 69)])
def test_shipped_graphs_become_chains(name: str, layers: int) -> None:
    full = load(name)
    chain = contract(full).tasks[0].layers
    assert len(chain) == layers
    assert all(each.inputs == (before.name,) for before, each in pairwise(chain))
    assert sum(each.gcycles for each in chain) == pytest.approx(sum(each.gcycles for each in full.tasks[0].layers))


def test_task_with_two_ends_is_refused() -> None:
    with pytest.raises(OffbenchError, match=r"tasks\[0\] of instance 'made-by-hand': layers 'b', 'c' are read by none"):
        contract(made(layer("a", 1, 1), layer("b", 1, 1, ("a",)), layer("c", 1, 1, ("a",))))
    with pytest.raises(OffbenchError, match="layers 'a', 'b' read the task's input"):
        contract(made(layer("a", 1, 1), layer("b", 1, 1), layer("c", 1, 1, ("a", "b"))))


def test_module_whose_layers_may_run_elsewhere_is_refused() -> None:
    with pytest.raises(OffbenchError, match="between 'a' and 'd' differ in `allowed`"):
        contract(
            made(
                layer("a", 1, 1),
                {**layer("b", 1, 1, ("a",)), "allowed": ["edge"]},
                layer("c", 1, 1, ("a",)),
                layer("d", 1, 1, ("b", "c")),
            )
        )
