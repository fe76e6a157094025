"""chain-exact: optima known from elsewhere, and brute force on chains too small for labels to hide anything."""

import itertools

import numpy as np
import pytest
from handmade import instance, layer, link, server, task

from experiments._shared.flat_chains import OPTIMA, READINGS, flat_chain, repeated_chain, weights_with_balance
from offbench.errors import OffbenchError
from offbench.evaluation.evaluator import evaluate_many
from offbench.model.instance import Instance, Weights, load, parse
from offbench.model.modules import Nesting, contract, pin
from offbench.model.problem import P1
from offbench.runs.solve import solve
from offbench.runs.two_step import solve_two_step

# s; a proof takes seconds, but on a busy machine minutes.
UNHURRIED = 1800


def brute_force(instance: Instance) -> float:
    problem = P1(instance)
    every = itertools.product(range(problem.n_servers), repeat=problem.n_subtasks)
    return float(evaluate_many(problem, np.array(list(every))).min())


@pytest.mark.parametrize("name", OPTIMA)
def test_flat_chains_reach_the_known_optima(name: str) -> None:
    found = solve(flat_chain(name), "chain-exact")
    assert found.status == "optimal"
    assert found.objective == pytest.approx(OPTIMA[name], abs=6e-7)


@pytest.mark.parametrize("name", ["googlenet", "resnet"])
def test_coarse_chains_are_proven(name: str) -> None:
    assert solve(contract(load(name)), "chain-exact").status == "optimal"


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("balance", [0, 0.1, 0.3, 0.7, 1])
@pytest.mark.parametrize("score_alone", [False, True])
def test_brute_force_agrees(reading: str, balance: float, score_alone: bool) -> None:
    weights = weights_with_balance(balance, score_alone=score_alone)
    chain = flat_chain("vgg19", layers=6, edges=2, clouds=3, weights=weights, coordination=READINGS[reading])
    found = solve(chain, "chain-exact")
    assert found.status == "optimal"
    assert found.objective == pytest.approx(brute_force(chain), abs=1e-9)


# Where balance counts and coordination doesn't, windows alone are far from the optimum.
HARD = weights_with_balance(0.1, score_alone=True)


def test_labels_prove_what_windows_dont() -> None:
    found = solve(flat_chain("vgg19", weights=HARD), "chain-exact", time_limit=UNHURRIED)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(0.347164, abs=6e-7)


@pytest.mark.parametrize(("reading", "score_alone"), [("benefits-3", False)])
def test_split_costs_prove_what_labels_dont(reading: str, score_alone: bool) -> None:
    weights = weights_with_balance(0.2, score_alone=score_alone)
    chain = flat_chain("resnet", weights=weights, coordination=READINGS[reading])
    found = solve(chain, "chain-exact", time_limit=UNHURRIED)
    assert found.status == "optimal"


@pytest.mark.parametrize("labels", [100])
def test_too_few_labels_leave_a_valid_bound(labels: int) -> None:
    found = solve(flat_chain("vgg19", weights=HARD), "chain-exact", parameters={"labels": labels})
    assert found.lower_bound <= 0.34716396 <= found.objective + 1e-8
    assert found.stopped == ("finished" if found.status == "feasible" else "optimal")


def test_one_layer_one_server_and_no_groups() -> None:
    assert solve(flat_chain("alexnet", layers=1), "chain-exact").status == "optimal"
    alone = flat_chain("alexnet", layers=4, edges=1, clouds=0)
    assert solve(alone, "chain-exact").objective == pytest.approx(brute_force(alone), abs=1e-12)


def test_many_servers_are_balanced_in_part_and_solved_in_full() -> None:
    """Sixteen edges: no window has room for all of their differences."""
    chain = repeated_chain("wide", ["alexnet"], 3, edges=16, clouds=1)
    found = solve(chain, "chain-exact")
    assert found.status == "optimal"
    assert found.objective == pytest.approx(brute_force(chain), abs=1e-9)


def test_allowed_is_respected() -> None:
    chain = flat_chain("alexnet", layers=5, edges=2, clouds=1)
    layers = tuple(each.model_copy(update={"allowed": ("client", "cloud-1")}) for each in chain.tasks[0].layers)
    task = chain.tasks[0].model_copy(update={"layers": layers})
    chain = chain.model_copy(update={"tasks": (task,)})
    problem = P1(chain)
    every = np.array(list(itertools.product(np.flatnonzero(problem.allowed[0]), repeat=5)))
    found = solve(chain, "chain-exact")
    assert found.objective == pytest.approx(evaluate_many(problem, every).min(), abs=1e-12)


def test_what_is_no_chain_is_refused() -> None:
    with pytest.raises(OffbenchError, match="solves one task; instance 'mixed-4' has 4"):
        solve("mixed-4", "chain-exact")
    with pytest.raises(OffbenchError, match=r"tasks\[0\].layers\[0\] .* is neither in a module nor pinned"):
        solve("googlenet", "chain-exact")
    with pytest.raises(OffbenchError, match=r"tasks\[0\].layers\[7\] .* is one of 7 free layers of a module"):
        solve(spine_on_client(load("googlenet")), "chain-exact")
    with pytest.raises(OffbenchError, match=r"tasks\[0\].layers\[2\] \('res2a_branch1'\) .* might have to wait"):
        solve(spine_on_client(load("resnet")), "chain-exact")


def four_slots(name: str) -> Instance:
    """Return a network where each server has four slots at least, so that nothing waits in modules of four layers."""
    full = load(name)
    servers = tuple(each.model_copy(update={"pool": max(each.pool, 4)}) for each in full.servers)
    return full.model_copy(update={"servers": servers})


def spine_on_client(full: Instance) -> Instance:
    """Return a network with all layers outside modules pinned to the client."""
    nesting = Nesting(full)
    return pin(full, np.zeros(full.subtasks, dtype=np.int64), nesting.depth == 0)


def test_module_in_which_something_might_wait_is_refused() -> None:
    branches = [layer("b", 1, 1, ("a",)), layer("c", 1, 1, ("a",))]
    tied = [{**each, "allowed": ["phone"]} for each in (layer("a", 1, 1), layer("d", 1, 0, ("b", "c")))]
    servers = [server("phone", "client"), server("edge", "edge")]
    made = instance(servers, [link("client", "edge")], [task("t", tied[0], *branches, tied[1])])
    with pytest.raises(OffbenchError, match=r"tasks\[0\].layers\[1\] \('b'\) .* might have to wait"):
        solve(parse(made), "chain-exact")


@pytest.mark.parametrize("weights", [None, weights_with_balance(0.9, score_alone=False)])
@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("seed", range(3))
def test_blocks_between_pinned_layers(seed: int, reading: str, weights: Weights | None) -> None:
    """The first two residual blocks of ResNet101, seven layers free, the others wherever; against brute force."""
    full = spine_on_client(four_slots("resnet"))
    rng = np.random.default_rng(seed)
    servers = ("client", "edge-1", "edge-4", "cloud-2")
    layers = tuple(
        each.model_copy(update={"allowed": (str(rng.choice(servers)),) if each.allowed else servers})
        for each in full.tasks[0].layers[:11]
    )
    few = full.model_copy(
        update={
            "servers": tuple(server for server in full.servers if server.name in servers),
            "tasks": (full.tasks[0].model_copy(update={"layers": layers}),),
            "coordination": READINGS[reading],
            "weights": weights or full.weights,
        }
    )
    problem = P1(few)
    free = np.flatnonzero(problem.allowed.sum(axis=1) > 1)
    assert len(free) == 7
    every = np.repeat(problem.everything_on(0)[None], 4**7, axis=0)
    every[:, free] = np.array(list(itertools.product(range(4), repeat=7)))
    found = solve(few, "chain-exact")
    assert found.status == "optimal"
    assert found.objective == pytest.approx(evaluate_many(problem, every).min(), rel=1e-6, abs=1e-9)


def test_two_steps_are_proven_on_resnet() -> None:
    solution = solve_two_step(four_slots("resnet"), "chain-exact")
    assert [stage.solution.status for stage in solution.stages] == ["optimal", "optimal"]
    assert solution.objective == pytest.approx(-0.672190, abs=1e-5)


def test_time_limit_keeps_bound_and_placement() -> None:
    hard = flat_chain("resnet", weights=weights_with_balance(0.05, score_alone=True))
    found = solve(hard, "chain-exact", time_limit=1.5)
    assert found.stopped == "time-limit"
    assert found.placement is None or found.lower_bound <= found.objective
