"""Two-step offloading where nearly all subtasks lie in a module: the initial problem's share is next to nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from handmade import PAPER_WEIGHTS, instance, layer, link, server, task

from offbench import P1, evaluate, solve, solve_two_step
from offbench.model.instance import Instance, parse
from offbench.model.modules import contract

Write = Callable[[str, Any], Path]


def forked(inside: int) -> Instance:
    """Return a layer, a fork into two chains of *inside* layers together, and a join."""
    layers = [layer("first", 1, 1), layer("fork", 1, 1, ("first",))]
    for branch in "ab":
        last = "fork"
        for k in range(inside // 2):
            layers.append(layer(f"{branch}{k}", 1 + k % 3, 0.5, (last,)))
            last = layers[-1]["name"]
    layers.append(layer("join", 1, 0, (f"a{inside // 2 - 1}", f"b{inside // 2 - 1}")))
    servers = [server("phone", "client", power=2), server("edge", "edge", ghz=2, pool=2, price=3600, power=1)]
    return parse(
        instance(
            servers, [link("client", "edge", 1, 1000, 4)], [task("t", *layers, input_mb=1)], weights=PAPER_WEIGHTS
        )
    )  # fmt: skip


SOLVER = """
import time
from offbench import Solver

class Mine(Solver):
    '''Everything on the edge, after a while.'''
    seconds: float = 0.0
    evaluations: int = 0
    never: bool = False
    def solve(self, problem, search):
        time.sleep(self.seconds)
        for _ in range(self.evaluations):
            search.count(1)
        while self.never:
            search.check()
        search.propose(problem.everything_on(1))
"""


def test_share_of_a_tiny_stage_is_a_fifth_of_an_equal_one_at_least() -> None:
    first, second = solve_two_step(forked(400), "greedy", time_limit=100).stages
    assert first.free / (first.free + second.free) < 0.01
    assert first.time_limit == pytest.approx(10, rel=0.01)
    assert second.time_limit is not None and second.time_limit > 98
    first, second = solve_two_step(forked(400), "random", max_evaluations=1004).stages
    assert (first.max_evaluations, second.max_evaluations) == (1 + 100, 1 + 1004 - (101 + 1) - 2)


def test_import_is_not_in_the_share(write: Write) -> None:
    """A second is gone before shares are dealt; the two stages have what is left."""
    file = write("slowly.py", "import time\ntime.sleep(1)\n" + SOLVER)
    first, second = solve_two_step(forked(40), str(file), time_limit=4).stages
    assert first.solution.seconds < 0.3
    assert first.tries == second.tries == 1
    assert second.time_limit is not None and second.time_limit < 3


def test_stage_that_takes_long_to_begin_has_its_time(write: Write) -> None:
    """Half a second is more than a tenth of 3, but not more than a fifth."""
    file = write("mine.py", SOLVER)
    solution = solve_two_step(forked(40), str(file), parameters={"seconds": 0.5}, time_limit=3)
    first, second = solution.stages
    assert (first.tries, first.stand_in, second.tries) == (2, "", 1)
    assert first.solution.placement is not None and second.solution.placement is not None
    assert first.time_limit == pytest.approx(0.3 + 0.6, rel=0.05)
    assert first.solution.seconds > 0.8
    assert solution.warnings == []
    assert solution.seconds < 3


def test_stage_that_counts_much_before_it_proposes_has_its_evaluations(write: Write) -> None:
    file = write("mine.py", SOLVER)
    solution = solve_two_step(forked(40), str(file), parameters={"evaluations": 15}, max_evaluations=104)
    first, second = solution.stages
    # 11 and then 22: the first try ends at its 11th, the second has 15 and its proposal.
    assert (first.tries, first.max_evaluations, first.solution.evaluations) == (2, 33, 11 + 16)
    assert second.solution.evaluations == 16
    assert solution.evaluations == 27 + 1 + 16 + 1
    assert solution.placement is not None


@pytest.mark.parametrize("budget", [{"time_limit": 1.0}, {"max_evaluations": 100}, {"max_evaluations": 4}], ids=str)
def test_greedy_stands_in_where_a_solver_never_proposes(budget: dict[str, Any], write: Write) -> None:
    file = write("mine.py", SOLVER.replace("search.check()", "search.count(1)"))
    full = forked(40)
    solution = solve_two_step(full, str(file), secondary="greedy", parameters={"never": True}, **budget)
    first, second = solution.stages
    coarse = contract(full)
    greedy = solve(coarse, "greedy").placement
    assert greedy is not None
    a, b, module, join = greedy.servers.tolist()
    in_full = [a, b, *[module] * 40, join]
    assert first.solution.placement is None
    assert first.stand_in == "greedy"
    assert first.objective == evaluate(P1(full), in_full).objective
    assert second.solution.placement is not None
    assert solution.objective == min(first.objective, second.objective)
    (warning,) = solution.warnings
    assert warning.startswith("mine found no placement of the initial problem in ")
    assert "that of greedy stands in" in warning
    assert "warning: mine found no placement of the initial problem" in solution.summary().replace("\n", " ")
    assert solution.evaluations <= budget.get("max_evaluations", solution.evaluations)
    if "time_limit" in budget:
        assert second.time_limit is not None and second.time_limit > 0.2


def test_solver_that_says_that_none_is_feasible_is_asked_once(write: Write) -> None:
    """It is no proof for the full graph: what stands in for the coarse problem's placement is one of it."""
    source = (
        "from offbench import Infeasible, Solver\n\nclass Mine(Solver):\n    'x'\n"
        "    def solve(self, problem, search):\n        raise Infeasible('not for me')\n"
    )
    solution = solve_two_step(forked(40), str(write("mine.py", source)), time_limit=2)
    assert (solution.status, solution.reason) == ("feasible", "not for me")
    assert solution.placement is not None and solution.stages[0].stand_in == "greedy"
    assert solution.stages[0].tries == 1


def test_later_stage_without_a_placement_leaves_what_stands(write: Write) -> None:
    file = write(
        "mine.py",
        SOLVER.replace("search.check()", "search.count(1)").replace("never: bool = False", "never: bool = True"),
    )
    solution = solve_two_step(forked(40), "greedy", secondary=str(file), max_evaluations=50)
    first, second = solution.stages
    assert (second.solution.placement, second.stand_in) == (None, "")
    assert solution.objective == first.objective
    assert solution.evaluations <= 50


@pytest.mark.parametrize("name", ["cp-sat", "ddpqn", "genetic", "annealing", "beam", "local-search", "random"])
def test_every_kind_of_solver_places_the_initial_problem_in_its_share(name: str) -> None:
    solution = solve_two_step(forked(800), name, time_limit=10, target=1e9)
    (first,) = solution.stages
    assert solution.stopped == "target"
    assert first.solution.placement is not None
