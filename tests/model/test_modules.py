from collections.abc import Sequence
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from handmade import DELAY_ALONE, instance, layer, link, server, task
from hypothesis import given
from hypothesis import strategies as st

from offbench.errors import OffbenchError
from offbench.evaluation.evaluator import evaluate
from offbench.model.instance import Instance, Layer, load, parse
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
    assert cycles(chain) == pytest.approx(cycles(full.tasks[0].layers))


def cycles(layers: Sequence[Layer]) -> float:
    return sum(each.gcycles or 0 for each in layers)


def names(coarse: Instance) -> list[tuple[object, ...]]:
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
        assert cycles(coarse.tasks[0].layers) == sum(range(len(inputs) + 1))
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


# Format 2


def made_2(*layers: dict[str, object], memory_mb: float | None = None) -> Instance:
    """Return two phones, an edge and a cloud, a task of each phone."""
    servers = [
        server("phone-1", "client"), {**server("edge", "edge", ghz=2), "memory_mb": memory_mb},
        server("phone-2", "client", ghz=4), server("cloud", "cloud", ghz=8),
    ]  # fmt: skip
    links = [link("client", "edge", 2), link("client", "cloud", 1), link("edge", "cloud", 4)]
    tasks = [{**task(f"t{i}", *layers, input_mb=1), "client": f"phone-{i}", "deadline_s": 9} for i in (1, 2)]
    return parse(instance(servers, links, tasks, weights=DELAY_ALONE, format="offbench/2"))


def without_cycles(name: str, output_mb: float, inputs: list[object], **more: object) -> dict[str, object]:
    return {"name": name, "output_mb": output_mb, "inputs": inputs, **more}


def test_measured_seconds_are_summed_on_each_server() -> None:
    """Branch b is measured everywhere, c on the edge alone: 3 + 4/1 s on phone-1, 3 + 4/4 on phone-2, 1 + 4/8, 5.5."""
    b = {"seconds": {"client": 3, "edge": 5, "cloud": 1}}
    full = made_2(
        layer("a", 1, 2), without_cycles("b", 0.5, ["a"], **b),
        {**layer("c", 4, 1, ("a",)), "seconds": {"edge": 0.5}}, layer("d", 6, 0, ("b", "c")),
    )  # fmt: skip
    coarse = contract(full)
    first, second = (task.layers[1] for task in coarse.tasks)
    assert first.seconds == {"phone-1": 7, "edge": 5.5, "cloud": 1.5} and first.gcycles is None
    assert second.seconds == {"phone-2": 4, "edge": 5.5, "cloud": 1.5}
    assert [(each.client, each.deadline_s) for each in coarse.tasks] == [("phone-1", 9), ("phone-2", 9)]
    parse(coarse.model_dump(mode="json", by_alias=True))  # the rules hold
    assert P1(coarse).arrays.execution_s[1].tolist() == [7, 5.5, 1.5]


def test_weights_of_one_id_are_held_once_also_by_another_task() -> None:
    """5 MB of b and c, which share them, and 2 of d: 7 MB in each task, and the same ones."""
    full = made_2(
        layer("a", 1, 2), *({**layer(name, 1, 1, ("a",)), "weights_mb": 5, "weights_id": "shared"} for name in "bc"),
        {**layer("d", 1, 1, ("a",)), "weights_mb": 2, "weights_id": "d"}, layer("e", 6, 0, ("b", "c", "d")),
        memory_mb=7,
    )  # fmt: skip
    first, second = (task.layers[1] for task in contract(full).tasks)
    assert first.weights_mb == second.weights_mb == 7 and first.weights_id == second.weights_id is not None
    problem = P1(contract(full))
    everything = evaluate(problem, problem.everything_on(1))
    assert everything.memory_violation == 0
    assert evaluate(P1(full), P1(full).everything_on(1)).memory_violation == 0


def test_branch_that_reads_the_task_s_input_is_another_way_in() -> None:
    """Layer c, between the fork a and the join d, reads a part of the input: all from the input on is one module."""
    full = made_2(
        layer("a", 1, 2), layer("b", 1, 0.5, ("a",)), without_cycles("c", 1, ["a", {"input_mb": 0.25}], gcycles=1),
        layer("d", 6, 0, ("b", "c")),
    )  # fmt: skip
    module = Nesting(full).modules[0][0]
    assert (module.fork, module.join, module.inside) == (None, 3, [0, 1, 2])
    assert [(each.name, each.inputs) for each in contract(full).tasks[0].layers] == [("a..c", ()), ("d", ("a..c",))]


def test_join_that_reads_the_task_s_input_gets_that_part_through_the_module() -> None:
    """What enters d: 0.5 MB that it gets of b, whose output is 2, and 0.25 MB of the input."""
    full = made_2(
        layer("a", 1, 2), layer("b", 1, 2, ("a",)),
        without_cycles("d", 1, [{"layer": "b", "mb": 0.5}, {"input_mb": 0.25}], gcycles=1),
    )  # fmt: skip
    layers = contract(full).tasks[0].layers
    assert [(each.name, each.output_mb, each.inputs) for each in layers] == [("a..b", 0.75, ()), ("d", 1, ("a..b",))]


def test_sizes_of_readers_outside_modules_stay() -> None:
    full = made_2(
        layer("a", 1, 2), without_cycles("b", 1, [{"layer": "a", "mb": 0.5}], gcycles=1), layer("c", 1, 1, ("b",)),
        layer("d", 1, 1, ("b",)), layer("e", 6, 0, ("c", "d")),
    )  # fmt: skip
    coarse = contract(full).tasks[0].layers
    assert [each.name for each in coarse] == ["a", "b", "c..d", "e"]
    assert coarse[1] == full.tasks[0].layers[1]


def test_pinned_to_the_client_means_each_task_s_own() -> None:
    full = made_2(layer("a", 1, 2), layer("b", 1, 1, ("a",)))
    pinned = pin(full, np.array([0, 1, 0, 2]), np.ones(4, dtype=bool))
    allowed = [[each.allowed for each in task.layers] for task in pinned.tasks]
    assert allowed == [[("phone-1",), ("edge",)], [("phone-2",), ("cloud",)]]
