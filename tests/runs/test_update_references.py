"""References get better and never worse."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import handmade
import pytest

from offbench import P1, OffbenchError, Placement, evaluate, solve
from offbench.bounds.relaxation import Relaxation
from offbench.evaluation.client_only import client_only
from offbench.evaluation.references import Origin, Reference, References, faults_of
from offbench.model.instance import Instance, Limits, parse
from offbench.model.placement import PlacementFile
from offbench.model.problem import Problem
from offbench.runs.conformance import instances
from offbench.runs.update_references import (
    Effort,
    begin,
    changes,
    improve,
    merge,
    merge_all,
    origin,
    with_bound,
    with_placement,
    with_proof,
)
from offbench.search.budget import BoundError
from offbench.search.search import Search

Write = Callable[[str, Any], Path]
BY = origin("a test", "elsewhere")


def q(reference: Reference) -> float:
    """Return the best objective, which there is."""
    assert reference.best_objective is not None
    return reference.best_objective


def whose(reference: Reference) -> Origin:
    """Return where that is from."""
    assert reference.objective_from is not None
    return reference.objective_from


@pytest.fixture
def instance() -> Instance:
    return parse(handmade.phone())


@pytest.fixture
def reference(instance: Instance) -> Reference:
    return begin(instance)


def by_objective(instance: Instance) -> tuple[Placement, Placement, Placement]:
    """Return three placements, the best first: all better than everything on the client."""
    problem = P1(instance)
    placements = [Placement([a, 1, b, 2, c, c, 3]) for a in range(4) for b in range(4) for c in range(4)]
    found = sorted(placements, key=lambda placement: evaluate(problem, placement).objective)
    assert evaluate(problem, found[2]).objective < evaluate(problem, problem.everything_on(0)).objective
    return found[0], found[1], found[2]


def test_begins_with_everything_on_the_client(instance: Instance, reference: Reference) -> None:
    assert reference.best_objective == reference.client_only == evaluate(P1(instance), [0] * 7).objective
    assert (reference.best_bound, reference.proven) == (None, False)
    assert list(faults_of(reference, instance)) == []


def test_begins_with_what_is_there(instance: Instance, reference: Reference) -> None:
    better = with_placement(reference, instance, by_objective(instance)[0], BY)
    assert begin(instance, better) is better


def test_begins_anew_where_the_instance_has_changed(instance: Instance, reference: Reference) -> None:
    changed = parse({**handmade.phone(), "scales": None})
    old = with_placement(reference, instance, by_objective(instance)[0], BY)
    assert begin(changed, old) == begin(changed)
    assert merge(old, begin(changed)) == begin(changed)
    assert changes(old, begin(changed))[0].startswith("begun anew")


def test_reference_that_lies_is_no_beginning(instance: Instance, reference: Reference) -> None:
    with pytest.raises(OffbenchError, match=r"made-by-hand: best_objective: is -9\.0, but the placement's is"):
        begin(instance, reference.model_copy(update={"best_objective": -9.0}))


def test_only_a_lower_objective_is_taken(instance: Instance, reference: Reference) -> None:
    best, second, third = by_objective(instance)
    reference = with_placement(reference, instance, second, BY)
    assert reference.best_objective == evaluate(P1(instance), second).objective
    assert reference.objective_from == BY
    assert with_placement(reference, instance, third, origin("worse", "elsewhere")) is reference
    assert with_placement(reference, instance, second, origin("the same", "elsewhere")) is reference
    assert q(with_placement(reference, instance, best, BY)) < q(reference)


def test_only_a_higher_bound_is_taken(reference: Reference) -> None:
    reference = with_bound(reference, -5.0, BY)
    assert (reference.best_bound, reference.bound_from) == (-5, BY)
    assert with_bound(reference, -6.0, origin("lower", "elsewhere")) is reference
    assert with_bound(reference, -5.0, origin("the same", "elsewhere")) is reference
    assert with_bound(reference, -4.0, BY).best_bound == -4


def test_meeting_proves(instance: Instance, reference: Reference) -> None:
    proven = with_bound(reference, q(reference) - 1e-7 * abs(q(reference)), BY)
    assert proven.proven
    assert not with_bound(reference, q(reference) - 1e-3, BY).proven
    assert list(faults_of(proven, instance)) == []


def test_bound_above_by_rounding_is_taken_as_the_objective(reference: Reference) -> None:
    assert with_bound(reference, q(reference) + 1e-12, BY).best_bound == q(reference)


def test_contradiction_names_both(instance: Instance, reference: Reference) -> None:
    above = q(reference) + 0.1
    with pytest.raises(BoundError) as caught:
        with_bound(reference, above, origin("relaxed", "relaxation"))
    for part in (repr(above), "relaxed", repr(reference.best_objective), "everything on the client"):
        assert part in str(caught.value)
    bounded = with_bound(reference, q(reference), BY)
    with pytest.raises(BoundError, match="lies above the objective"):
        with_placement(bounded, instance, by_objective(instance)[0], BY)


def test_merge_takes_the_better_of_each(instance: Instance, reference: Reference) -> None:
    best, second, _ = by_objective(instance)
    one = with_bound(with_placement(reference, instance, second, BY), -4.0, BY)
    two = with_bound(with_placement(reference, instance, best, BY), -5.0, BY)
    for merged in (merge(one, two), merge(two, one)):
        assert (merged.best_objective, merged.best_bound) == (two.best_objective, -4)
        assert list(faults_of(merged, instance)) == []
    assert merge(None, one) is one
    assert merge_all(References(instances={"a": one, "b": one}), {"b": two}).instances["a"] is one


def test_merge_of_what_contradicts_is_refused(instance: Instance, reference: Reference) -> None:
    one = with_bound(reference, q(reference), BY)
    two = with_placement(reference, instance, by_objective(instance)[0], BY)
    with pytest.raises(BoundError):
        merge(one, two)


def test_changes_are_told(instance: Instance, reference: Reference) -> None:
    better = with_bound(with_placement(reference, instance, by_objective(instance)[0], BY), -5.0, BY)
    objective, bound = changes(reference, better)
    assert f"{reference.best_objective:.9g} -> {better.best_objective:.9g} by a test" in objective
    assert bound == "best bound -5 by a test"
    assert changes(better, better) == []
    assert changes(reference, with_bound(reference, q(reference), BY))[-1] == "proven"


# Runs


def relaxation(value: float) -> Relaxation:
    return Relaxation("relaxed", "everything", lambda problem: iter([value]))


def test_solvers_and_relaxations_improve(instance: Instance, reference: Reference) -> None:
    runs: list[str] = []
    searches: list[Search] = []
    effort = Effort(["client-only", "greedy", "srpt"], [relaxation(-7)], time_limit=20)
    improved = improve(instance, reference, effort, runs.append, searches.append)
    assert runs == [f"made-by-hand: {run}" for run in ("client-only (P1)", "greedy (P1)", "srpt (P2)", "bounds")]
    assert len(searches) == 3
    found = improved.reference
    assert found.best_objective == min(search.objective for search in searches)
    assert found.bound_from is not None
    assert (found.best_bound, found.bound_from.by, found.bound_from.kind) == (-7, "relaxed", "relaxation")
    assert (improved.refusals, improved.failures, improved.interrupted) == ((), (), False)
    assert list(faults_of(found, instance)) == []


SOLVER = """
from typing import ClassVar
from offbench import P2, Placement, Solver

class Mine(Solver):
    'For a test.'
    solves: ClassVar[str] = "P1 and P2"
    rounds: int = 1
    def solve(self, problem, search):
        {body}
"""


def test_origin_tells_how_it_was_found(instance: Instance, reference: Reference, write: Write) -> None:
    body = f"search.propose({by_objective(instance)[0].servers.tolist()})"
    solver = str(write("mine.py", SOLVER.format(body=body)))
    effort = Effort([solver], parameters={"rounds": "3"}, seed=7, time_limit=20)
    told = whose(improve(instance, reference, effort).reference)
    assert (told.by, told.kind, told.parameters, told.seed) == ("mine", "solver", {"rounds": 3}, 7)


def test_bound_for_given_servers_bounds_nothing_else(instance: Instance, reference: Reference, write: Write) -> None:
    body = "search.bound(100.0 if isinstance(problem, P2) else -8.0)"
    solver = str(write("mine.py", SOLVER.format(body=body)))
    assert improve(instance, reference, Effort([solver], time_limit=20)).reference.best_bound == -8


def test_proof_ends_the_effort(instance: Instance, reference: Reference, write: Write) -> None:
    solver = str(write("mine.py", SOLVER.format(body="search.bound(search.propose([0] * 7))")))
    runs: list[str] = []
    effort = Effort([solver, "greedy"], [relaxation(-7)], time_limit=20)
    found = improve(instance, reference, effort, runs.append).reference
    assert found.proven
    assert runs == ["made-by-hand: " + solver + " (P1)"]


def test_failing_solver_is_told_and_others_go_on(instance: Instance, reference: Reference, write: Write) -> None:
    solver = str(write("mine.py", SOLVER.format(body="1 / 0")))
    improved = improve(instance, reference, Effort([solver, "greedy"], time_limit=20))
    assert whose(improved.reference).by == "greedy"
    assert len(improved.failures) == 2  # of P1 and of P2
    assert all("ZeroDivisionError: division by zero" in failure for failure in improved.failures)


def test_solver_that_is_not_for_an_instance_is_no_failure(
    instance: Instance, reference: Reference, write: Write
) -> None:
    body = "import offbench; raise offbench.OffbenchError('one chain only')"
    solver = str(write("mine.py", SOLVER.format(body=body)))
    improved = improve(instance, reference, Effort([solver, "greedy"], time_limit=20))
    assert whose(improved.reference).by == "greedy"
    assert (len(improved.refusals), improved.failures) == (2, ())
    assert improved.refusals[0].endswith("(P1): one chain only")


def test_solver_that_contradicts_itself_stops_all(instance: Instance, reference: Reference, write: Write) -> None:
    body = "search.bound(search.propose([0] * 7) + 1)"
    solver = str(write("mine.py", SOLVER.format(body=body)))
    with pytest.raises(BoundError, match=r"made-by-hand: .*mine.py: lower bound"):
        improve(instance, reference, Effort([solver], time_limit=20))


def test_relaxation_above_an_objective_stops_all(instance: Instance, reference: Reference) -> None:
    with pytest.raises(BoundError, match=r"made-by-hand: the bound 8\.0 by relaxed"):
        improve(instance, reference, Effort(["greedy"], [relaxation(8)], time_limit=20))


def test_interrupt_keeps_what_was_found(instance: Instance, reference: Reference, write: Write) -> None:
    body = f"search.propose({by_objective(instance)[0].servers.tolist()}); raise KeyboardInterrupt"
    solver = str(write("mine.py", SOLVER.format(body=body)))
    improved = improve(instance, reference, Effort([solver, "greedy"], [relaxation(-7)], time_limit=20))
    assert improved.interrupted
    assert whose(improved.reference).by == "mine"
    assert improved.reference.best_bound is None


def test_interrupt_of_a_relaxation_keeps_its_bound(instance: Instance, reference: Reference) -> None:
    def bounds(problem: Problem) -> Iterator[float]:
        yield -7.0
        raise KeyboardInterrupt

    improved = improve(instance, reference, Effort([], [Relaxation("relaxed", "everything", bounds)], time_limit=20))
    assert (improved.interrupted, improved.reference.best_bound) == (True, -7)


def test_wrong_parameter_is_a_users_mistake(instance: Instance, reference: Reference) -> None:
    with pytest.raises(OffbenchError, match="no parameter 'lrr'"):
        improve(instance, reference, Effort(["greedy"], parameters={"lrr": "1"}))


# Format 2


def test_only_what_is_feasible_becomes_a_reference() -> None:
    tight = instances.binding()
    begun = begin(tight)
    assert (begun.best_objective, begun.placement, begun.objective_from) == (None, None, None)
    problem = P1(tight)
    by = origin("somebody", "elsewhere")
    assert with_placement(begun, tight, Placement(problem.everything_on(0)), by) is begun
    found = solve(tight, "annealing", max_evaluations=3000)
    assert found.feasible and found.placement is not None
    better = with_placement(begun, tight, found.placement, by)
    assert better.best_objective == found.objective and list(faults_of(better, tight)) == []
    with pytest.raises(BoundError, match="no placement is feasible"):
        with_proof(better, by)
    wrong = better.model_copy(
        update={"placement": begun_with(tight, problem), "best_objective": client_only(problem).objective}
    )
    assert any("breaks constraints" in fault for fault in faults_of(wrong, tight))


def begun_with(instance: Instance, problem: P1) -> PlacementFile:
    return PlacementFile.model_validate(Placement(problem.everything_on(0)).to_file(instance))


def test_proof_that_none_is_feasible_is_kept() -> None:
    cold = instances.phones(limits=Limits(energy_j=1e-6))
    improved = improve(cold, begin(cold), Effort(["greedy", "fcfs"], time_limit=5))
    assert improved.reference.infeasible_from is not None and improved.reference.placement is None
    assert list(faults_of(improved.reference, cold)) == [] and improved.failures == ()
    assert "no placement is feasible" in ", ".join(changes(None, improved.reference))
    text = References(instances={"cold": improved.reference}).to_text()
    assert References.model_validate_json(text).instances["cold"] == improved.reference
