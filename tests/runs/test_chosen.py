"""Which solver runs: by name, file, class, or made."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

import offbench as ob
from offbench.search.solver import Solves
from offbench.solvers.greedy import Greedy
from offbench.solvers.order_search import OrderSearch


class AllOn(ob.Solver):
    """Everything on one server."""

    server: int = 0

    def solve(self, problem: ob.P1, search: ob.Search) -> None:
        search.propose(problem.everything_on(self.server))


class Called(AllOn):
    """The same under a name of its own."""

    name: ClassVar[str] = "my-own"


class Reversed(ob.Solver):
    """Serves the last task first."""

    solves: ClassVar[Solves] = "P2"

    def solve(self, problem: ob.P2, search: ob.Search) -> None:
        tasks = [range(3, 6), range(3)]
        search.propose(ob.Placement(problem.servers, [k for task in tasks for k in task]))


class Unfinished(ob.Solver):
    """Has no solve method."""


def test_class_is_made_with_the_parameters() -> None:
    solution = ob.solve("alexnet", AllOn, parameters={"server": "3"})
    assert (solution.solver, solution.parameters) == ("AllOn", {"server": 3})
    assert solution.placement is not None
    assert set(solution.placement.servers.tolist()) == {3}
    assert "AllOn on alexnet" in solution.summary()


def test_made_solver_runs_as_it_is() -> None:
    solution = ob.solve("alexnet", Called(server=4))
    assert (solution.solver, solution.parameters) == ("my-own", {"server": 4})
    assert solution.placement is not None
    assert set(solution.placement.servers.tolist()) == {4}


def test_shipped_class_has_the_name_that_it_is_found_by() -> None:
    assert ob.solve("alexnet", Greedy).solver == ob.solve("alexnet", Greedy()).solver == "greedy"
    assert ob.solve("alexnet", Greedy).objective == ob.solve("alexnet", "greedy").objective


def test_file_may_be_a_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("from offbench.solvers.greedy import Greedy\n\nclass Mine(Greedy):\n    'x'\n", encoding="utf-8")
    assert ob.solve("alexnet", path).solver == "mine"


def test_two_steps_take_classes_and_made_ones() -> None:
    solution = ob.solve_two_step("googlenet", AllOn(server=2), secondary=Greedy)
    assert [stage.solution.solver for stage in solution.stages] == ["AllOn", "greedy"]
    assert solution.solver == "AllOn"
    assert solution.stages[0].solution.parameters == {"server": 2}


@pytest.mark.parametrize("p2", [Reversed, Reversed(), OrderSearch])
def test_p2_takes_classes_and_made_ones(p2: Any) -> None:
    solution = ob.solve("tiny-graphs", AllOn, p2=p2, max_evaluations=20)
    assert solution.p2 is not None
    assert solution.p2.solver == ("search" if p2 is OrderSearch else "Reversed")


def test_p2_solver_made_for_p1_is_refused() -> None:
    with pytest.raises(ob.OffbenchError, match="p2: solver 'AllOn' solves P1"):
        ob.solve("tiny-graphs", "greedy", p2=AllOn())


@pytest.mark.parametrize(
    ("solver", "parameters", "told"),
    [
        (AllOn(), {"server": 1}, "parameters: solver 'AllOn' is made and has its own"),
        (AllOn, {"sever": 1}, "solver 'AllOn' has no parameter 'sever' (did you mean 'server'?)"),
        (AllOn, {"server": "x"}, "solver 'AllOn': parameter server"),
        (Unfinished, {}, "solver: class Unfinished is abstract; it needs a solve method"),
        (int, {}, "solver: must be a name, a file, a subclass of offbench.Solver or a made one, not class int"),
        (3, {}, "not int"),
    ],
    ids=str,
)
@pytest.mark.parametrize("run", [ob.solve, ob.solve_two_step])
def test_what_is_no_solver_is_told_in_one_line(run: Any, solver: Any, parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(ob.OffbenchError) as caught:
        run("alexnet", solver, parameters=parameters)
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
