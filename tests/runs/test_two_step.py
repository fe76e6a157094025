"""Two-step offloading: what a module amounts to, and what the stages do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import plain
import pytest
from handmade import DELAY_ALONE, PAPER_WEIGHTS, instance, layer, link, server, task

from experiments._shared.brute_force import best
from experiments._shared.enumeration import ENUMERATE
from offbench import P1, OffbenchError, Placement, evaluate, solve, solve_two_step
from offbench.model.instance import Instance, parse
from offbench.model.modules import contract, pin
from offbench.search.budget import BoundError
from offbench.search.search import Search

Json = dict[str, Any]

CLIENT, EDGE = 0, 1


def made(*layers: Json, tasks: int = 1) -> Instance:
    """Return an instance on a phone, 1 GHz at 2 W, and an edge, 2 GHz at 1 W and 1 $/s; a MB takes 1 s, 4 J and 1 $."""
    servers = [server("phone", "client", power=2), server("edge", "edge", ghz=2, pool=2, price=3600, power=1)]
    each = [task(f"t{i}", *layers, input_mb=1) for i in range(tasks)]
    return parse(instance(servers, [link("client", "edge", 1, 1000, 4)], each, weights=PAPER_WEIGHTS))


def type_1() -> Instance:
    """Return a module of two branches: b, and c-d."""
    return made(
        layer("a", 1, 2), layer("b", 4, 1, ("a",)), layer("c", 2, 1, ("a",)), layer("d", 1, 1, ("c",)),
        layer("e", 1, 0, ("b", "d")),
    )  # fmt: skip


def type_2() -> Instance:
    """Return a module of two branches, b and c, of which c forks into d and f."""
    return made(
        layer("a", 1, 2), layer("b", 4, 1, ("a",)), layer("c", 1, 1, ("a",)), layer("d", 6, 1, ("c",)),
        layer("f", 2, 1, ("c",)), layer("g", 1, 0, ("b", "d", "f")),
    )  # fmt: skip


# Eq. 19: of a module the slowest branch's delay counts, and all branches' energy and cost


def test_module_of_type_1_by_hand() -> None:
    """Only b on the edge: 2 s there, 2 s of work, 1 s back. The other branch takes 3 s of the phone."""
    found = evaluate(P1(type_1()), [CLIENT, EDGE, CLIENT, CLIENT, CLIENT])
    a, branch_b, branch_cd, e = 1, 2 + 2 + 1, 2 + 1, 1
    assert found.delay_s == a + max(branch_b, branch_cd) + e
    # Phone 2 J a second; b: 1 W for 2 s and 2 MB; e receives 1 MB.
    assert found.energy_j == 2 * a + (1 * 2 + 4 * 2) + 2 * branch_cd + (2 * e + 4 * 1)
    assert found.cost_usd == (1 * 2 + 2) + 1


def test_module_of_type_2_by_hand() -> None:
    """b and d on the edge: d is 1 + (1 + 3) + 1 s after the fork at the join, b 2 + 2 + 1 s, f 1 + 2 s."""
    found = evaluate(P1(type_2()), [CLIENT, EDGE, CLIENT, EDGE, CLIENT, CLIENT])
    assert found.delay_s == 1 + max(2 + 2 + 1, 1 + max(1 + 3 + 1, 2)) + 1
    # a, c, f, g on the phone; b and d: idle phone, MB there, and 1 MB each back to g.
    assert found.energy_j == 2 * (1 + 1 + 2 + 1) + (1 * 2 + 4 * 2) + (1 * 3 + 4 * 1) + 4 * (1 + 1)
    assert found.cost_usd == (2 + 2) + (3 + 1) + (1 + 1)


@pytest.mark.parametrize("module", [type_1, type_2])
def test_reported_evaluation_is_the_full_graphs(module: Callable[[], Instance]) -> None:
    solution = solve_two_step(module(), "greedy")
    assert solution.placement is not None and solution.evaluation is not None
    file = solution.placement.to_file(module())
    independent = plain.evaluate(plain.prepare(module().model_dump(mode="json", exclude_none=True)), file["servers"])
    assert solution.objective == pytest.approx(independent["objective"], rel=1e-12)
    assert solution.objective == evaluate(P1(module()), solution.placement).objective


# The stages


def test_both_steps_are_optimal_where_both_solvers_are() -> None:
    """Brute force over the chain, then over what is between the ends with these pinned."""
    full = type_1()
    _, coarse = best(P1(contract(full)))
    a, module, e = coarse.servers
    pinned = pin(full, np.array([a, module, module, module, e]), np.array([True, False, False, False, True]))
    least, _ = best(P1(pinned))
    solution = solve_two_step(full, ENUMERATE)
    lifted = evaluate(P1(full), [a, module, module, module, e]).objective
    assert [stage.objective for stage in solution.stages] == pytest.approx([lifted, least])
    assert solution.objective == pytest.approx(min(lifted, least))
    assert solution.objective >= best(P1(full))[0] - 1e-12


def test_nested_modules_repeat_the_second_step() -> None:
    solution = solve_two_step(type_2(), ENUMERATE)
    assert [(stage.name, stage.free) for stage in solution.stages] == [
        ("initial", 3), ("secondary", 3), ("secondary-2", 2),
    ]  # fmt: skip
    a, module, g = _servers(solution.stages[0])
    a_again, b, c, nested, g_again = _servers(solution.stages[1])
    last = _servers(solution.stages[2])
    assert (a_again, g_again) == (a, g)
    assert [last[k] for k in (0, 1, 2, 5)] == [a, b, c, g]
    assert solution.objective == min(stage.objective for stage in solution.stages)
    full = P1(type_2())
    in_full = ({0: [0], 1: [1, 2, 3, 4], 2: [5]}, {0: [0], 1: [1], 2: [2], 3: [3, 4], 4: [5]})
    spread = ([a, *[module] * 4, g], [a, b, c, nested, nested, g])
    for stage, servers, parts in zip(solution.stages, spread, in_full, strict=False):
        assert stage.solution.placement is not None and stage.solution.placement.order is not None
        order = [k for part in stage.solution.placement.order.tolist() for k in parts[part]]
        assert stage.objective == evaluate(full, Placement(servers, order)).objective


def _servers(stage: Any) -> list[int]:
    found: list[int] = stage.solution.placement.servers.tolist()
    return found


def test_stages_have_the_full_problems_scales() -> None:
    full = P1(type_2()).scales
    assert all(P1(stage.solution.instance).scales == full for stage in solve_two_step(type_2(), "greedy").stages)


def test_chain_has_one_stage_and_keeps_its_bound() -> None:
    solution = solve_two_step("alexnet", "chain-exact")
    assert [stage.name for stage in solution.stages] == ["initial"]
    assert solution.status == "optimal"
    assert solution.objective == solve("alexnet", "chain-exact").objective


def test_bound_of_a_stage_is_none_of_the_full_graph() -> None:
    solution = solve_two_step(type_1(), ENUMERATE)
    assert solution.stages[-1].solution.status == "optimal"
    assert (solution.lower_bound, solution.status, solution.stopped) == (-np.inf, "feasible", "finished")


def test_several_tasks_and_their_dispatch_order() -> None:
    """The order that the coarse problem's solver chose is one of the full graph: modules en bloc."""
    full = made(
        layer("a", 1, 1), layer("b", 1, 1, ("a",)), layer("c", 1, 1, ("a",)), layer("d", 1, 0, ("b", "c")), tasks=2
    )
    solution = solve_two_step(
        full, str(Path(__file__).parents[1] / "agreement" / "last_task_first.py"), max_evaluations=10
    )
    assert solution.placement is not None and solution.placement.order is not None
    assert solution.stages[0].solution.instance.subtasks == 6
    placement = Placement([0] * 8, [4, 5, 6, 7, 0, 1, 2, 3])
    assert solution.stages[0].objective == evaluate(P1(full), placement).objective


def test_another_solver_for_the_second_step() -> None:
    solution = solve_two_step("googlenet", "chain-exact", secondary="greedy")
    assert [stage.solution.solver for stage in solution.stages] == ["chain-exact", "greedy"]
    assert solution.stages[0].solution.status == "optimal"
    assert solution.solver == "chain-exact"


def test_parameters_are_those_of_the_solver_alone() -> None:
    solution = solve_two_step("googlenet", "random", secondary="greedy", parameters={"batch": 7}, max_evaluations=50)
    assert [stage.solution.parameters for stage in solution.stages] == [{"batch": 7}, {}]


def test_solver_that_is_not_for_a_stage_is_refused_with_the_stage() -> None:
    with pytest.raises(OffbenchError, match=r"two-step, secondary problem: solver 'chain-exact' .* 7 free layers"):
        solve_two_step("googlenet", "chain-exact")


def test_wrong_bound_of_a_stage_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "overbidding.py"
    file.write_text(
        "from offbench import Solver\n\n\n"
        "class Overbidding(Solver):\n"
        "    def solve(self, problem, search):\n"
        "        search.propose(problem.everything_on(0))\n"
        "        search.bound(search.objective + 1)\n",
        encoding="utf-8",
    )
    with pytest.raises(BoundError, match="two-step, secondary problem: lower bound"):
        solve_two_step(type_1(), "greedy", secondary=str(file))


# The budget


@pytest.mark.parametrize("most", [4, 5, 100])
def test_evaluations_are_split_by_what_is_free_and_never_exceeded(most: int) -> None:
    solution = solve_two_step("googlenet", "random", max_evaluations=most)
    assert solution.evaluations <= most
    first, second = solution.stages
    assert first.solution.evaluations == first.max_evaluations == 1 + (most - 4) * 29 // (29 + 63)
    assert solution.evaluations == first.solution.evaluations + second.solution.evaluations + 2


def test_too_few_evaluations_are_refused() -> None:
    with pytest.raises(OffbenchError, match="max evaluations: 2 stages need 4, not 3"):
        solve_two_step("googlenet", "random", max_evaluations=3)


@pytest.mark.parametrize("limit", [1e-9, 0.05])
def test_no_time_at_all_is_no_mistake(limit: float) -> None:
    solution = solve_two_step("googlenet", "random", time_limit=limit)
    assert solution.stopped == "time-limit"
    assert (solution.placement is None) == all(stage.objective == np.inf for stage in solution.stages)


def test_time_that_a_stage_leaves_is_the_next_ones() -> None:
    first, second = solve_two_step("googlenet", "greedy", time_limit=100).stages
    assert first.time_limit == pytest.approx(100 * 29 / 92, rel=0.01)
    assert second.time_limit is not None and second.time_limit > 100 * 63 / 92


def test_target_of_the_full_graph_ends_the_run() -> None:
    solution = solve_two_step("googlenet", "greedy", target=1e9)
    assert (solution.stopped, len(solution.stages)) == ("target", 1)


def test_trace_improves_on_one_clock() -> None:
    solution = solve_two_step("googlenet", "random", max_evaluations=2000)
    objectives = [point.objective for point in solution.trace]
    assert objectives == sorted(objectives, reverse=True)
    assert objectives[-1] == solution.objective
    assert list(solution.trace) == sorted(solution.trace, key=lambda point: (point.seconds, point.evaluations))


def test_interrupted_run_keeps_what_the_stages_before_found() -> None:
    searches: list[Search] = []

    def interrupt(search: Search) -> None:
        searches.append(search)
        if len(searches) == 2:
            raise KeyboardInterrupt

    solution = solve_two_step("googlenet", "greedy", on_start=interrupt)
    assert solution.stopped == "interrupted"
    assert solution.objective == solution.stages[0].objective < np.inf


def test_solver_without_a_placement_says_why() -> None:
    instance = parse({**type_1().model_dump(mode="json", exclude_none=True)})
    solution = solve_two_step(instance, "best-cloud")
    assert (solution.status, solution.reason) == ("no-placement", "the instance has no cloud server")


def test_same_seed_gives_the_same_placement() -> None:
    one, other = (solve_two_step("googlenet", "random", seed=3, max_evaluations=300) for _ in range(2))
    assert one.placement is not None and other.placement is not None
    assert one.placement.servers.tolist() == other.placement.servers.tolist()


# Format 2


def two_phones(deadline_s: float, memory_mb: float) -> Instance:
    """Return a fork and a join of two phones that share an edge; the branches weigh 3 MB each, all else nothing."""
    servers = [
        server("phone-1", "client"), server("phone-2", "client", ghz=2),
        {**server("edge", "edge", ghz=8, pool=2), "memory_mb": memory_mb},
    ]  # fmt: skip
    layers = [
        layer("fork", 1, 1),
        *({**layer(name, 4, 0.5, ("fork",)), "weights_mb": 3, "weights_id": name} for name in ("b", "c")),
        layer("join", 1, 0, ("b", "c")),
    ]
    tasks = [
        {**task(f"t{i}", *layers, input_mb=1), "client": f"phone-{i}", "deadline_s": deadline_s}
        for i in (1, 2)
    ]  # fmt: skip
    links = [link("client", "edge", 4)]
    return parse(instance(servers, links, tasks, weights=DELAY_ALONE, format="offbench/2"))


def test_two_steps_keep_constraints_of_several_clients() -> None:
    """Both branches of a task in the edge's 6 MB or on its phone, as one layer; all on phone-1 takes 10 s."""
    full = two_phones(deadline_s=9, memory_mb=6)
    found = solve_two_step(full, "annealing", max_evaluations=2000, seed=1)
    assert found.placement is not None and found.status == "feasible"
    evaluation = evaluate(P1(full), found.placement)
    assert evaluation.feasible and evaluation.objective == found.objective
    assert found.client_only.delay_s == 10 + 5
    assert [stage.name for stage in found.stages] == ["initial", "secondary"]


def test_module_that_fits_nowhere_as_one_layer_is_placed_by_the_second_step() -> None:
    """On the phone a task takes 10 s and 5 s; the edge holds one branch alone, which makes 10 s less than 9."""
    full = two_phones(deadline_s=7, memory_mb=3)
    found = solve_two_step(full, "annealing", max_evaluations=2000, seed=1)
    assert found.placement is not None and found.feasible
    assert found.stages[0].solution.status in ("infeasible", "no-placement")
    assert found.trace[-1].objective == found.objective and found.trace[-1].violation == 0


def test_what_is_infeasible_for_the_full_graph_is_told_before_any_stage() -> None:
    found = solve_two_step(two_phones(deadline_s=0.1, memory_mb=6), "greedy")
    assert (found.status, found.stages, found.placement) == ("infeasible", (), None)
    assert "deadline" in found.reason
