"""What milp and cp-sat share: bounds that hold however short the run, budgets, P2, Ctrl-C's way out."""

import os
import time
from pathlib import Path

import pytest
from pyomo.contrib.solver.common.results import Results, TerminationCondition

from experiments._shared.brute_force import best
from experiments._shared.flat_chains import flat_chain
from experiments._shared.tiny import tiny_instance, tiny_servers
from offbench import solve
from offbench.errors import OffbenchError
from offbench.evaluation.evaluator import evaluate
from offbench.model.instance import load
from offbench.model.problem import P1, P2

both = pytest.mark.parametrize("solver", ["milp", "cp-sat"])


@both
def test_chain_on_three_kinds_of_servers(solver: str) -> None:
    chain = flat_chain("alexnet", layers=4, edges=2, clouds=2)
    found = solve(chain, solver, time_limit=60)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(best(P1(chain))[0], abs=1e-6)


@both
@pytest.mark.parametrize("seed", [3, 11, 29])
def test_dispatch_order_for_given_servers(solver: str, seed: int) -> None:
    instance, given = tiny_instance(seed), tiny_servers(seed)
    found = solve(instance, solver, placement=given, time_limit=60)
    assert found.placement is not None
    assert found.placement.servers.tolist() == given.servers.tolist()
    assert found.objective == pytest.approx(best(P2(instance, given))[0], abs=1e-6)


@both
def test_bounds_of_a_short_run_hold(solver: str) -> None:
    """The trace never crosses: each bound is below the proven optimum, each incumbent above."""
    found = solve("alexnet", solver, time_limit=4)
    assert found.placement is not None
    for point in found.trace:
        assert point.bound <= 0.20308857892995 + 1e-9 <= point.objective + 2e-9


@both
@pytest.mark.parametrize("name", ["mixed-4"])
def test_time_limit_holds_on_what_is_too_large(solver: str, name: str) -> None:
    begun = time.perf_counter()
    found = solve(load(name), solver, time_limit=3)
    assert found.placement is not None
    assert found.lower_bound <= found.objective
    assert time.perf_counter() - begun < 10  # no benchmark: a solver that ignores its limit would run for hours


@both
def test_placement_is_scored_by_the_evaluator(solver: str) -> None:
    found = solve("tiny-graphs", solver, time_limit=60)
    assert found.status == "optimal"
    assert found.placement is not None
    assert evaluate(P1(load("tiny-graphs")), found.placement).objective == found.objective


def test_model_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name, begins in (("model.mps", "*"), ("model.lp", "\\"), ("sub/model.lp", "\\")):
        solve("tiny-chains", "milp", parameters={"write": name}, time_limit=60)
        assert (tmp_path / name).read_text().startswith(begins)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["model.lp", "model.lp", "model.mps", "sub"]


def test_model_is_written_to_no_wrong_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)
    (here / "folder.mps").mkdir()
    (here / "out").symlink_to(tmp_path)
    os.mkfifo(here / "pipe.lp")
    for path, fault in (
        ("model.txt", "parameter write: .*not as 'model.txt'"),
        (str(tmp_path / "model.lp"), "parameter write: must be a file in the current folder"),
        ("../model.lp", "parameter write: must be a file in the current folder"),
        ("folder.mps", "it is a folder"),
        ("pipe.lp", "it is a pipe or a device"),
        ("a/b.lp", "no folder"),
        ("out/model.lp", "leads out of the current folder"),
    ):
        with pytest.raises(OffbenchError, match=fault) as caught:
            solve("tiny-chains", "milp", parameters={"write": path})
        assert len(str(caught.value).splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here"]


def test_link_in_the_model_s_place_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here := tmp_path / "here").mkdir()
    monkeypatch.chdir(here)
    (kept := tmp_path / "kept").write_text("mine", encoding="utf-8")
    (here / "model.lp").symlink_to(kept)
    solve("tiny-chains", "milp", parameters={"write": "model.lp"}, time_limit=60)
    assert kept.read_text(encoding="utf-8") == "mine"
    assert (here / "model.lp").read_text().startswith("\\")
    assert not (here / "model.lp").is_symlink()


def test_milp_keeps_its_incumbent_when_highs_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from offbench.solvers.milp.highs import StreamingHighs

    def gives_up(self: object, *_: object, **__: object) -> Results:
        results = Results()
        results.termination_condition = TerminationCondition.unbounded
        return results

    monkeypatch.setattr(StreamingHighs, "solve", gives_up)
    found = solve("tiny-chains", "milp", time_limit=60)
    assert (found.status, found.reason) == ("feasible", "HiGHS gave up: unbounded")
    assert found.objective == solve("tiny-chains", "greedy").objective
    assert found.reason in found.summary()
