from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from handmade import DELAY_ALONE, instance, layer, link, server, task
from hypothesis import given
from hypothesis import strategies as st

from offbench.errors import OffbenchError
from offbench.model.instance import Instance, load, parse
from offbench.model.modules import Module, Nesting, contract, pin
from offbench.model.problem import P1


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
    assert names(coarse) == [
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


def names(coarse: Instance) -> list[tuple[str, float, float, tuple[str, ...]]]:
    return [(each.name, each.gcycles, each.output_mb, each.inputs) for each in coarse.tasks[0].layers]


def nested() -> Instance:
    """Return the paper's Type-2: c, in a branch, forks once more, and its branches end where the outer ones do."""
    return made(
        layer("a", 1, 2), layer("b", 4, 1, ("a",)), layer("c", 1, 1, ("a",)), layer("d", 6, 1, ("c",)),
        layer("f", 2, 1, ("c",)), layer("g", 1, 0, ("b", "d", "f")),
    )  # fmt: skip


def test_nested_module_is_found_and_contracted_on_its_own() -> None:
    nesting = Nesting(nested())
    (outer,) = nesting.modules[0]
    assert (outer.fork, outer.join, outer.layers, outer.inside) == (0, 5, (1, 2), [1, 2, 3, 4])
    assert outer.modules == (Module(2, 5, (3, 4), ()),)
    assert nesting.depth.tolist() == [0, 1, 1, 2, 2, 0]
    assert names(nesting.contract(0)) == [("a", 1, 2, ()), ("b..f", 13, 3, ("a",)), ("g", 1, 0, ("b..f",))]
    assert nesting.part_of(0).tolist() == [0, 1, 1, 1, 1, 2]
    assert names(nesting.contract(1)) == [
        ("a", 1, 2, ()), ("b", 4, 1, ("a",)), ("c", 1, 1, ("a",)), ("d..f", 8, 2, ("c",)), ("g", 1, 0, ("b", "d..f")),
    ]  # fmt: skip
    assert nesting.part_of(1).tolist() == [0, 1, 2, 3, 3, 4]
    assert nesting.contract(2).tasks == nested().tasks


def test_skip_across_modules_makes_one_with_the_others_inside() -> None:
    """Modules a-d and d-g, and a way from a past both to g."""
    nesting = Nesting(
        made(
            layer("a", 1, 1), layer("b", 1, 1, ("a",)), layer("c", 1, 1, ("a",)), layer("d", 1, 2, ("b", "c")),
            layer("e", 1, 1, ("d",)), layer("f", 1, 1, ("d",)), layer("g", 1, 1, ("a", "e", "f")),
        )
    )  # fmt: skip
    assert nesting.modules == [(Module(0, 6, (1, 2, 3), (Module(3, 6, (4, 5), ()),)),)]
    assert names(nesting.contract()) == [("a", 1, 1, ()), ("b..f", 5, 3, ("a",)), ("g", 1, 1, ("b..f",))]


def test_branches_that_never_meet_are_a_module_to_the_end_of_the_task() -> None:
    coarse = contract(made(layer("a", 1, 1), layer("b", 1, 1, ("a",)), layer("c", 2, 1, ("a",))))
    assert names(coarse) == [("a", 1, 1, ()), ("b..c", 3, 0, ("a",))]
    coarse = contract(made(layer("a", 1, 0.5), layer("b", 2, 0.25), layer("c", 1, 1, ("a", "b"))))
    assert names(coarse) == [("a..b", 3, 0.75, ()), ("c", 1, 1, ("a..b",))]


def test_module_may_run_where_all_its_layers_may() -> None:
    def with_allowed(b: list[str], c: list[str]) -> Instance:
        tied = [{**layer("b", 1, 1, ("a",)), "allowed": b}, {**layer("c", 1, 1, ("a",)), "allowed": c}]
        return made(layer("a", 1, 1), *tied, layer("d", 1, 1, ("b", "c")))

    assert contract(with_allowed(["edge", "phone"], ["edge"])).tasks[0].layers[1].allowed == ("edge",)
    with pytest.raises(OffbenchError, match="module between 'a' and 'd', for 'b', 'c' differ in `allowed`"):
        contract(with_allowed(["phone"], ["edge"]))


def test_pinned_layers_stand_where_they_are_told() -> None:
    pinned = pin(nested(), np.array([0, 1, 1, 0, 0, 0]), np.array([True, True, False, False, False, True]))
    problem = P1(pinned)
    assert problem.free.tolist() == [2, 3, 4]
    assert problem.allowed.tolist() == [[True, False], [False, True], *[[True, True]] * 3, [True, False]]
    assert problem.scales == P1(nested()).scales


def test_all_are_free_where_none_has_a_choice() -> None:
    pinned = pin(nested(), np.zeros(6, dtype=np.int64), np.ones(6, dtype=np.bool_))
    assert P1(pinned).free.tolist() == list(range(6))


# Against the definition, on drawn graphs

Inputs = list[list[int]]


@st.composite
def drawn_inputs(draw: st.DrawFn) -> Inputs:
    """Draw the inputs of up to ten layers, each among the layers shortly before it."""
    inputs: Inputs = []
    for k in range(draw(st.integers(1, 10))):
        near = list(range(max(0, k - draw(st.sampled_from([2, 3, 9]))), k))
        inputs.append(sorted(draw(st.sets(st.sampled_from(near), max_size=3))) if near else [])
    return inputs


def modules_by_definition(inputs: Inputs) -> dict[int, tuple[int, frozenset[int]]]:
    """Return join and inside of each module by its fork; -1 and n are the task's input and end."""
    n = len(inputs)
    graph = nx.DiGraph((source, k) for k, sources in enumerate(inputs) for source in sources or [-1])
    graph.add_edges_from((k, n) for k in range(n) if k not in {source for sources in inputs for source in sources})
    meets = nx.immediate_dominators(graph.reverse(), n)
    found = {}
    for fork in range(-1, n):
        if graph.out_degree(fork) > 1:
            rest = graph.copy()
            rest.remove_node(meets[fork])
            inside = nx.descendants(rest, fork)
            if all(source == fork or source in inside for k in inside for source in graph.predecessors(k)):
                found[fork] = (meets[fork], frozenset(inside))
    return found


@given(drawn_inputs())
def test_modules_are_those_of_the_definition(inputs: Inputs) -> None:
    full = made(*(layer(f"l{k}", 1, 1, tuple(f"l{j}" for j in sources)) for k, sources in enumerate(inputs)))
    nesting = Nesting(full)
    found = {
        -1 if module.fork is None else module.fork: (
            len(inputs) if module.join is None else module.join, frozenset(module.inside)
        )
        for outer in nesting.modules[0]
        for module in outer.within()
    }  # fmt: skip
    assert found == modules_by_definition(inputs)
    assert nesting.depth.tolist() == [sum(k in inside for _, inside in found.values()) for k in range(len(inputs))]


@given(drawn_inputs())
def test_contracted_graph_is_a_chain_and_every_depth_is_an_instance(inputs: Inputs) -> None:
    full = made(*(layer(f"l{k}", k + 1, 1, tuple(f"l{j}" for j in sources)) for k, sources in enumerate(inputs)))
    nesting = Nesting(full)
    for depth in range(nesting.deepest + 1):
        coarse = parse(nesting.contract(depth).model_dump(mode="json"))
        assert sum(each.gcycles for each in coarse.tasks[0].layers) == sum(range(len(inputs) + 1))
        assert nesting.part_of(depth).max() == len(coarse.tasks[0].layers) - 1
    layers = nesting.contract().tasks[0].layers
    assert all(each.inputs == (before.name,) for before, each in pairwise(layers))
    assert nesting.contract(nesting.deepest).tasks == full.tasks


# As deep as one likes


def nested_deep(depth: int) -> Instance:
    """Return modules inside one another: fork i reads fork i - 1, a layer beside it does too, join i closes both."""
    down = [layer("f0", 1, 1)]
    for i in range(1, depth):
        down += [layer(f"a{i}", 1, 1, (f"f{i - 1}",)), layer(f"f{i}", 1, 1, (f"f{i - 1}",))]
    down += [layer(f"{side}{depth}", 1, 1, (f"f{depth - 1}",)) for side in "ab"]
    up = [layer(f"j{depth - 1}", 1, 1, (f"a{depth}", f"b{depth}"))]
    up += [layer(f"j{i}", 1, 1, (f"a{i + 1}", f"j{i + 1}")) for i in reversed(range(depth - 1))]
    return made(*down, *up)


def test_modules_may_lie_as_deep_as_they_like() -> None:
    depth = 5000
    one, other = (Nesting(nested_deep(depth)) for _ in range(2))
    assert one.deepest == depth
    ((outer,),) = one.modules
    assert sum(1 for _ in outer.within()) == depth
    assert len(outer.inside) == one.instance.subtasks - 2
    assert outer == other.modules[0][0]
    assert outer != outer.modules[0]
    assert hash(outer) == hash(other.modules[0][0])
    assert (
        repr(outer)
        == f"<Module 0 to {one.instance.subtasks - 1}: {one.instance.subtasks - 2} layers, 4999 modules inside>"
    )
    assert repr(one.modules) == f"[({outer!r},)]"
    assert len(one.contract().tasks[0].layers) == 3


def sized(*layers: dict[str, object]) -> Instance:
    servers = [server("phone", "client"), server("edge", "edge", ghz=2)]
    tasks = [task("t", *layers, input_mb=1)]
    return parse(instance(servers, [link("client", "edge", 2)], tasks, format="offbench/2"))


def test_inputs_with_sizes_are_edges_too() -> None:
    join = {**layer("d", 1), "inputs": [{"layer": "b", "mb": 3}, "c"]}
    fork = sized(layer("a", 1, 1), layer("b", 1, 1, ("a",)), layer("c", 1, 1, ("a",)), join)
    assert Nesting(fork).depth.tolist() == [0, 1, 1, 0]
    with pytest.raises(OffbenchError, match="between 'a' and 'd' has measured seconds, or inputs with a size"):
        contract(fork)
    # The task's input is read again behind the join: all lies between it and the end.
    again = {**layer("d", 1), "inputs": ["b", "c", {"input_mb": 1}]}
    parts = sized(layer("a", 1, 1), layer("b", 1, 1, ("a",)), layer("c", 1, 1, ("a",)), again, layer("e", 1, 1, ("d",)))
    assert Nesting(parts).depth.tolist() == [1, 2, 2, 0, 0]
    chain = sized(layer("a", 1, 1), {**layer("b", 1, 1), "inputs": [{"layer": "a", "mb": 3}]})
    assert contract(chain).tasks == chain.tasks
