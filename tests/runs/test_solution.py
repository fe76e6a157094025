"""A solution's shapes: for machines, data frames and people."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import handmade
import pytest

import offbench
from offbench import Placement, Solution, solve
from offbench.evaluation.gaps import is_optimal
from offbench.evaluation.references import Reference, references
from offbench.model.instance import parse
from offbench.model.placement import parse_placement

KEYS = {
    "instance", "problem", "solver", "parameters", "seed", "status", "objective", "lower_bound", "gap", "seconds",
    "evaluations", "evaluation", "placement", "versions",
}  # fmt: skip

BOUNDED = """
from offbench import Solver

class Bounded(Solver):
    '''Proposes, and reports a bound one below.'''
    def solve(self, problem, search):
        search.bound(search.propose(problem.everything_on(0)) - 1)
"""
NOTHING = """
from offbench import Solver

class Nothing(Solver):
    '''Proposes nothing.'''
    def solve(self, problem, search):
        search.bound(-3)
"""


def found() -> Solution:
    """Return a solution with a dispatch order."""
    servers = Placement([0, 1, 3, 2, 2, 0, 3])
    return solve(parse(handmade.phone()), "srpt", placement=servers, seed=5)


def given_up() -> Solution:
    """Return a solution without a placement, for a reason."""
    data = handmade.phone()
    del data["servers"][1:3]
    del data["links"][3]
    data["tasks"][0]["layers"][1]["allowed"] = ["phone"]
    return solve(parse(data), "best-edge")


def strictly(solution: Solution) -> dict[str, Any]:
    """Return what the solution's JSON says, which must hold no NaN and no infinity."""
    read: dict[str, Any] = json.loads(json.dumps(solution.to_dict(), allow_nan=False))
    return read


def test_solution_as_json() -> None:
    solution = found()
    data = strictly(solution)
    assert data.keys() >= KEYS
    assert (data["instance"], data["solver"], data["seed"], data["status"]) == ("made-by-hand", "srpt", 5, "feasible")
    assert data["objective"] == solution.objective == data["evaluation"]["objective"]
    assert (data["lower_bound"], data["gap"]) == (None, None)
    assert data["problem"] == "P2"
    placement = parse_placement(data["placement"], solution.instance)
    assert solution.placement is not None and placement.order is not None and solution.placement.order is not None
    assert placement.servers.tolist() == solution.placement.servers.tolist()
    assert placement.order.tolist() == solution.placement.order.tolist()


def test_versions_are_told() -> None:
    versions = found().to_dict()["versions"]
    assert {"python", "offbench", "numpy", "numba", "pydantic"} <= versions.keys()
    assert "pytest" not in versions


def test_gap_is_relative_to_the_objective(write: Callable[[str, Any], Path]) -> None:
    solution = solve(parse(handmade.phone()), str(write("bounded.py", BOUNDED)))
    data = strictly(solution)
    assert data["status"] == "feasible"
    assert data["lower_bound"] == pytest.approx(solution.objective - 1)
    assert data["gap"] == pytest.approx(1 / abs(solution.objective))


def known(objective: float, bound: float | None) -> Reference:
    """Return a reference, of which only the numbers count."""
    reference = references().instances["alexnet"]
    proven = bound is not None and is_optimal(objective, bound, client_only=reference.client_only)
    return reference.model_copy(update={"best_objective": objective, "best_bound": bound, "proven": proven})


def run(lower_bound: float = -math.inf, **more: Any) -> Solution:
    """Return a solution with Q = 0.2116, where everything on the client has 0.9095."""
    return replace(solve("alexnet", "greedy"), lower_bound=lower_bound, **{"reference": None, **more})


def test_gaps_to_what_is_known() -> None:
    solution = run(reference=known(0.1, 0.05))
    q, client = solution.objective, solution.client_only.objective
    assert solution.best_known == 0.1
    assert solution.missed_improvement == pytest.approx((q - 0.1) / (client - 0.1))
    assert solution.certified == pytest.approx((q - 0.05) / (client - 0.05))
    # The run's own bound counts where it is better.
    bounded = replace(solution, lower_bound=0.08)
    assert bounded.certified == pytest.approx((q - 0.08) / (client - 0.08))
    data = strictly(bounded)
    assert [data[name] for name in ("best_known", "missed_improvement", "certified")] == [
        0.1, solution.missed_improvement, bounded.certified
    ]  # fmt: skip


def test_gaps_where_little_is_known() -> None:
    alone = run()
    assert (alone.best_known, alone.missed_improvement, alone.certified) == (None, None, None)
    assert run(lower_bound=0.1).certified is not None
    no_bound = run(reference=known(0.1, None))
    assert (no_bound.best_known, no_bound.certified) == (0.1, None)
    nothing_to_gain = run(reference=known(5, 5))
    assert (nothing_to_gain.best_known, nothing_to_gain.missed_improvement) == (nothing_to_gain.objective, 0)
    assert (given_up().missed_improvement, given_up().certified) == (None, None)


def test_run_of_p1_knows_its_reference_and_one_of_p2_has_none() -> None:
    assert solve("alexnet", "greedy").reference is references().instances["alexnet"]
    assert solve("alexnet", "fcfs", placement=Placement([0] * 11)).reference is None
    assert replace(found(), lower_bound=-100.0).certified is None


@pytest.mark.parametrize(
    ("reference", "lower_bound", "told"),
    [
        ((0.1, 0.05), -math.inf, "best known Q: 0.1 (not proven optimal), missed improvement 13.79%, certified 18.80%"),
        ((0.1, 0.1), -math.inf, "best known Q: 0.1 (proven optimal), missed improvement 13.79%, certified 13.79%"),
        ((0.1, None), -math.inf, "best known Q: 0.1 (not proven optimal), missed improvement 13.79%"),
        ((0.3, None), -math.inf, "(not proven optimal), this run is better, missed improvement 0.00%"),
        ((0.3, 0.25), -math.inf, "this run is below its bound, 0.25: one of them is wrong"),
        ((0.1, None), 0.2, "this run's bound lies above it: one of them is wrong"),
    ],
)  # fmt: skip
def test_summary_tells_what_is_known(reference: tuple[float, float | None], lower_bound: float, told: str) -> None:
    assert told in run(lower_bound, reference=known(*reference)).summary()


def test_summary_tells_no_more_than_is_known() -> None:
    assert "known" not in run().summary()
    assert "certified" in run(lower_bound=0.1).summary()


def test_solution_of_a_solver_that_gives_up_as_json() -> None:
    data = strictly(given_up())
    assert (data["status"], data["stopped"]) == ("no-placement", "finished")
    assert data["reason"] == "the instance has no edge server"
    assert (data["objective"], data["evaluation"], data["placement"], data["gap"]) == (None, None, None, None)


def test_solution_without_a_placement_as_json(write: Callable[[str, Any], Path]) -> None:
    solution = solve(parse(handmade.phone()), str(write("nothing.py", NOTHING)))
    data = strictly(solution)
    assert (data["status"], data["stopped"], data["objective"]) == ("no-placement", "finished", None)
    assert data["lower_bound"] == -3
    assert data["gap"] is None
    assert "no placement" in solution.summary()


def test_frame_has_a_row_for_each_subtask() -> None:
    solution = found()
    frame = solution.to_frame()
    assert solution.evaluation is not None
    assert frame["task"].tolist() == ["chain"] * 3 + ["graph"] * 4
    assert frame["layer"].tolist() == ["conv", "pool", "fc", "fork", "left", "right", "join"]
    assert frame["server"].tolist() == ["phone", "edge-1", "cloud-1", "edge-2", "edge-2", "phone", "cloud-1"]
    assert frame["energy_j"].sum() == pytest.approx(solution.evaluation.energy_j)
    assert frame["completion_s"].max() == solution.evaluation.makespan_s


def test_frame_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no placement"):
        given_up().to_frame()


def test_summary_shows_as_itself_and_tells_the_numbers() -> None:
    solution = found()
    summary = solution.summary()
    assert repr(summary) == str(summary)
    assert isinstance(summary, str)
    for part in ("srpt", "made-by-hand (P2)", f"{solution.objective:.6g}", "cloud-1", "seed 5"):
        assert part in summary


def test_summary_tells_why_there_is_no_placement() -> None:
    assert "the instance has no edge server" in given_up().summary()


def test_summary_of_many_servers_and_tasks_is_shown() -> None:
    from offbench.model.composition import arrivals, compose

    instance = compose("wide", [offbench.load("alexnet")], arrivals(20), edges=15, clouds=30)
    assert "8 tasks more" in solve(instance, "random", max_evaluations=10).summary()


@pytest.mark.parametrize("solution", [found, given_up])
def test_html_tells_the_same(solution: Callable[[], Solution]) -> None:
    html = solution()._repr_html_()
    assert "<table>" in html or "<p>" in html
    assert "<pre" not in html and "made-by-hand" in html
    for line in solution().summary().splitlines():
        if line.startswith("│"):  # each cell of the tables
            cells = [cell.strip() for cell in line.strip("│").split("│")]
            assert all(cell in html for cell in cells if "█" not in cell), cells


def test_repr_is_short() -> None:
    assert repr(found()).startswith("<Solution of 'made-by-hand' by srpt: feasible, Q = ")


def test_impossible_solutions_are_refused() -> None:
    solution = found()
    with pytest.raises(ValueError, match="evaluation"):
        replace(solution, evaluation=None)
    with pytest.raises(ValueError, match="bound"):
        replace(solution, lower_bound=solution.objective + 1)


def test_objective_of_nothing_is_infinite() -> None:
    assert given_up().objective == math.inf


DIVERGING = """
from offbench import Solver

class Diverging(Solver):
    '''Learns, and diverges.'''
    def solve(self, problem, search):
        search.propose(problem.everything_on(0))
        for step, loss in enumerate([0.5, float("inf"), float("nan"), 0.25]):
            search.diary.tell("loss", loss, step)
            search.diary.tell("lost", float("nan"), step)
"""


def test_who_diverges_keeps_its_placement_and_is_told_so(write: Callable[[str, Any], Path]) -> None:
    solution = solve("alexnet", str(write("diverging.py", DIVERGING)))
    told = json.loads(json.dumps(solution.to_dict(), allow_nan=False))
    assert told["status"] == "feasible" and told["placement"] is not None
    assert told["curves"] == {"loss": [[0, 0.5], [3, 0.25]]}
    assert told["not_finite"] == {"loss": 2, "lost": 4}
    assert "2 of the values of 'loss' are infinite or no number" in solution.summary()


def test_bars_are_as_long_as_shares_where_there_is_little_room() -> None:
    from offbench.runs.summary import as_text

    text = as_text(solve("resnet", "greedy"), width=80)
    rows = [line for line in text.splitlines() if line.startswith(("│ L client", "│ 2 edge-2"))]
    long, short = (row.split("│")[2].strip() for row in rows)
    layers = [int(row.split("│")[3]) for row in rows]
    assert "…" not in long + short
    assert len(short) / len(long) == pytest.approx(layers[1] / layers[0], abs=1 / len(long))
