"""Gap tables: what is known, gaps by hand, failures counted, every format."""

import io
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.stand_ins import MACHINE, job, row
from offbench import load
from offbench.bench.best import Contradiction, best, with_gaps
from offbench.bench.formats import cells, csv, latex, markdown, records
from offbench.bench.frame import Results, frame, results
from offbench.bench.row import Row
from offbench.bench.store import Store
from offbench.bench.tables import VIRTUAL, Analysis, TitledTable, analyse
from offbench.evaluation import gaps as model
from offbench.evaluation.references import references

INF = math.inf


def of(*rows: Any) -> Results:
    return Results(frame(rows), tuple(one for one in rows if isinstance(one, Row)), ())


def analysed(*rows: Any) -> Analysis:
    return analyse(of(*rows), {})


def block(found: Analysis, name: str) -> TitledTable:
    return next(block for block in found.blocks if block.name == name)


def at(table: Any, line: Any, *columns: str) -> list[Any]:
    return [table.loc[line, column] for column in columns]


def test_optimum_is_one_only_where_bound_and_objective_meet() -> None:
    known = best(frame([row("x", objective=1.0, bound=1.0, status="optimal"), row("y", objective=1.0, bound=0.5)]), {})
    assert known["proven"].to_dict() == {"x": True, "y": False}
    assert known["best_known"].to_dict() == {"x": 1, "y": 1}
    assert "a, seed 0" in at(known, "x", "best_known_by")[0]


def test_best_is_anybodys_and_says_whose() -> None:
    runs = [row(solver="a", objective=1.5, bound=0.2), row(solver="b", objective=1.2), row(solver="c", objective=None)]
    known = best(frame(runs), {})
    assert at(known, "one", "best_known", "bound", "client_only") == [1.2, 0.2, 2]
    by, bound_by = at(known, "one", "best_known_by", "bound_by")
    assert by.startswith("b, seed 0") and bound_by.startswith("a, seed 0")


def test_references_count_and_are_named() -> None:
    instance = load("alexnet")
    known = {one.hash: one for one in references().instances.values()}
    made = row("alexnet", objective=0.5, client_only=0.9, instance_hash=instance.hash)
    found = best(frame([made]), known).loc["alexnet"]
    assert found["best_known"] == known[instance.hash].best_objective
    assert found["best_known"] < 0.5
    assert found["proven"] and found["best_known_by"].startswith("references.json")
    assert found["client_only"] == known[instance.hash].client_only


@pytest.mark.parametrize("against", ["run", "reference"])
def test_bound_above_an_objective_names_both_and_stops(against: str) -> None:
    instance_hash = load("alexnet").hash
    known = {one.hash: one for one in references().instances.values()}
    wrong = row("alexnet", "liar", 3, objective=None, bound=0.6, instance_hash=instance_hash)
    honest = row("alexnet", "honest", 4, objective=0.5, instance_hash=instance_hash)
    table = frame([wrong, honest] if against == "run" else [wrong])
    with pytest.raises(Contradiction) as caught:
        best(table, {} if against == "run" else known)
    assert f"liar, seed 3 (run {wrong.job.key})" in str(caught.value)
    other = f"honest, seed 4 (run {honest.job.key})" if against == "run" else "references.json"
    assert other in str(caught.value)


def test_gaps_are_the_models() -> None:
    rows = [
        row("x", "a", objective=1.0, bound=1.0, status="optimal"),
        row("x", "b", objective=1.25),
        row("x", "c", objective=None),
        row("x", "d", objective=None, status="refused"),
        row("y", "a", objective=1.5, bound=0.0),
        row("y", "b", objective=1.75),
    ]
    table = frame(rows)
    found = with_gaps(table, best(table, {})).set_index(["instance", "solver"])
    assert at(found, ("x", "b"), "to_optimum", "to_best_known", "to_bound") == [0.25, 0.25, 0.25]
    assert at(found, ("x", "c"), "to_optimum", "to_bound") == [INF, INF]
    assert all(map(math.isnan, at(found, ("x", "d"), "to_optimum", "to_best_known", "to_bound")))
    optimum, best_known, bound = at(found, ("y", "b"), "to_optimum", "to_best_known", "to_bound")
    assert math.isnan(optimum)  # nothing is proven there
    assert best_known == 0.5 == model.missed_improvement(1.75, 2, 1.5)
    assert bound == 0.875 == model.certified(1.75, 2, 0)


def test_gap_is_undefined_where_there_is_nothing_to_gain() -> None:
    table = frame([row(objective=2.0, bound=2.0, status="optimal", client_only=2.0)])
    assert with_gaps(table, best(table, {}))[["to_optimum", "to_bound"]].isna().all(axis=None)


def test_several_threads_and_crowds_are_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(row(solver="one", cpu_s=11.0))
    store.put(row(solver="two", cpu_s=20.0, machine=MACHINE, jobs=3))
    threads, crowd = results(store).notes
    assert threads.endswith(": two") and crowd.startswith("1 runs shared")


STATUSES = ("timeout", "infeasible", "refused", "error", "killed", "not-installed")


def test_proof_that_none_is_feasible_contradicts_a_feasible_placement() -> None:
    with pytest.raises(Contradiction, match="no placement is feasible, but fine, seed 0") as caught:
        analysed(row(solver="wrong", objective=None, status="infeasible"), row(solver="fine"))
    assert len(caught.value.culprits) == 2


def test_constraints_add_the_share_of_feasible_runs_and_what_is_proven_in_vain_is_no_failure() -> None:
    """On "c" one of two runs found a placement; of "v" it is proven that there is none; "x" has no constraints."""
    rows = [row("c", "a", 0), row("c", "a", 1, objective=None, status="timeout", violation=0.5), row("x", "a")]
    rows += [row("v", "a", objective=None, status="timeout"), row("v", "b", objective=None, status="infeasible")]
    found = analyse(replace(of(*rows), constrained=frozenset(("c", "v"))), {})
    assert found.table["feasible"].tolist() == [True, False, False, False, True]
    assert found.table["violation"].tolist()[:2] == [0, 0.5]
    table = block(found, "gaps").frame.set_index(["instance", "solver"])
    assert table.loc[("c", "a"), "feasible_share"] == 0.5
    nothing = [*at(table, ("x", "a"), "feasible_share"), *at(table, ("v", "a"), "to_bound")]
    assert all(map(math.isnan, nothing))
    assert block(found, "runs").frame.set_index("solver").loc["a", "feasible_share"] == 0.5
    assert "feasible_share" not in block(analysed(*rows), "gaps").frame
    by = block(found, "known").frame.set_index("instance")["best_known_by"]
    assert by["v"].startswith("none is feasible: b, seed 0") and by["c"].startswith("a, seed 0")
    assert any("also where that breaks constraints" in note for note in block(found, "gaps").notes)


def test_virtual_best_is_the_best_of_each_instance_and_seed() -> None:
    facts: Any = {"client_only": 4.0, "indicators": {"delay_s": 3.0, "coordination": 2.0}}
    rows = [
        row("v", solver, seed, objective=q, **facts)
        for solver, seed, q in zip("aabb", (0, 1) * 2, (1, 3, 2, 2), strict=True)
    ]
    found = analysed(*rows)
    gaps = found.table.pivot(index="seed", columns="solver", values="to_best_known").min(axis="columns")
    summary = block(found, "summary").frame.set_index("solver")
    assert summary.loc[VIRTUAL, "median"] == pytest.approx(gaps.median())
    assert summary.loc[VIRTUAL, "median"] < summary.loc[["a", "b"], "median"].min()
    totals = block(found, "totals").frame
    assert list(totals["solver"]) == [VIRTUAL, "a", "b"] and list(totals["q"]) == [1.5, 2.0, 2.0]
    assert list(totals["delay_s"]) == [3.0] * 3 and list(totals["h"]) == [2.0] * 3
    effects = block(found, "pairs").frame.iloc[0]
    assert (effects["a12"], effects["cliff"]) == (0.5, 0.0)


def test_virtual_best_has_a_solver_of_one_seed_at_each_seed() -> None:
    rows = [row("x", "proof", 0, objective=1.0)]
    rows += [row("x", "draws", seed, objective=1.2 + seed / 10) for seed in range(3)]
    found = analysed(*rows)
    totals = block(found, "totals").frame.set_index("solver")
    assert totals.loc[VIRTUAL, "q"] == 1.0
    summary = block(found, "summary").frame.set_index("solver")
    assert list(summary.loc[[VIRTUAL, "proof"], "median"]) == [0, 0]


def test_no_status_vanishes() -> None:
    rows = [row(solver=status, objective=None, status=status) for status in STATUSES if status != "infeasible"]
    rows.append(row("in-vain", "infeasible", objective=None, status="infeasible"))
    found = analysed(*rows, row(solver="fine"), job(solver="pending"))
    counted = block(found, "runs").frame.set_index("solver")
    assert counted["runs"].sum() == len(STATUSES) + 2
    for status in (*STATUSES, "pending"):
        assert counted.loc[status, status] == 1
    outcomes = block(found, "gaps").frame.set_index("solver")["outcome"].to_dict()
    assert outcomes == {**{status: status for status in (*STATUSES, "pending")}, "fine": "feasible"}
    summary = block(found, "summary")
    assert set(summary.frame["solver"]) == {"timeout", "error", "killed", "fine", VIRTUAL}
    assert any("left out" in note and "not-installed, pending, refused" in note for note in summary.notes)
    assert any("infinitely large" in note for note in summary.notes)


def test_failures_count_as_infinitely_bad_in_medians_and_ranks() -> None:
    rows = [row("x", "a", seed, objective=q) for seed, q in enumerate((1.0, 1.2, None))]
    rows += [row("x", "b", seed, objective=q) for seed, q in enumerate((1.1, None, None))]
    found = analysed(*rows)
    line = block(found, "summary").frame.set_index("solver")
    assert line.loc["a", "median"] == pytest.approx(0.2)
    assert (line.loc["b", "median"], line.loc["b", "failed"]) == (INF, 2)
    assert found.ranking is not None and found.ranking.ranks == {"a": 1, "b": 2}


def test_folder_where_nothing_is_done_has_its_tables_all_the_same() -> None:
    found = analysed(job("x"), job("y"))
    assert found.ranking is None
    assert block(found, "gaps").frame["outcome"].tolist() == ["pending", "pending"]
    assert len(block(found, "summary").frame) == len(block(found, "times").frame) == 0


def test_primal_integral_is_over_the_time_limit() -> None:
    # Half of the improvement after 5 of 10 s: 1 until then, 0 afterwards for the best itself.
    table = block(analysed(row("x", "a", seconds=10.0), row("x", "b", objective=1.5, seconds=10.0)), "times").frame
    assert table.set_index("solver")["primal_integral"].to_dict() == {"a": 0.5, "b": 0.75}


def test_few_seeds_and_few_instances_are_warned_of() -> None:
    found = analysed(row("x", "a"), row("x", "b", objective=1.5))
    assert any("fewer than 5 seeds" in note for note in block(found, "summary").notes)
    assert any("few for a test of ranks" in note for note in block(found, "ranks").notes)
    assert any("too few" in note for note in block(found, "pairs").notes)


def test_learning_has_a_table_where_something_learns() -> None:
    learner = row("x", "dqn", seconds=60.0, curves={"loss": ((0.0, 1.0), (1.0, 0.5))})
    policy = {"training_seconds": 500.0, "inference_seconds": 0.5, "met_in_training": False}
    zero_shot = row("x", "plus", objective=1.1, policy=policy)
    found = analysed(learner, zero_shot, row("x", "annealing", objective=0.9, seconds=10.5))
    table = block(found, "training").frame.set_index("solver")
    assert at(table, "dqn", "trained", "in_full_s") == ["here", 60]
    assert at(table, "plus", "trained", "in_full_s", "spread_s", "break_even") == ["before, on others", 500.5, 5.5, 50]
    assert not any(one.name == "training" for one in analysed(row("x", "a")).blocks)


def test_formats_say_the_same() -> None:
    found = block(analysed(row("a_b|c", "x%", objective=1.0), row("a_b|c", "y", objective=None)), "gaps")
    heads, rows = cells(found)
    assert rows[0][:2] == ["a_b|c", "x%"] and "∞" in rows[1]
    lines = markdown(found).splitlines()
    assert lines[2].startswith("| instance | solver") and "a_b\\|c" in lines[4]
    assert len({line.replace("\\|", "").count("|") for line in lines[2:6]}) == 1
    text = latex(found)
    assert "\\toprule" in text and "a\\_b\\textbar{}c & x\\% &" in text and "$\\infty$" in text
    assert text.count("&") == (len(heads) - 1) * 3
    back = pd.read_csv(io.StringIO(csv(found)))
    pd.testing.assert_frame_equal(back, found.frame, check_dtype=False)
    assert records(found.frame)[1]["to_best_known"] == "infinity"


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_tidy_table_is_read_in_one_line(ending: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_plan([job(seed=0), job(seed=1)])
    store.put(row(seed=0, bound=0.5))
    table = results(store).table
    file = tmp_path / f"runs.{ending}"
    table.to_parquet(file) if ending == "parquet" else table.to_csv(file, index=False)
    back = pd.read_parquet(file) if ending == "parquet" else pd.read_csv(file, keep_default_na=False, na_values=[""])
    numbers = table.select_dtypes("number").columns
    pd.testing.assert_frame_equal(back[numbers], table[numbers], check_dtype=False)
    assert back["status"].tolist() == ["feasible", "pending"]


def test_latex_has_all_that_the_terminal_has_and_is_well_formed() -> None:
    facts: Any = {
        "client_only": 4.0,
        "indicators": dict.fromkeys(("delay_s", "energy_j", "cost_usd", "score", "coordination", "balance"), 2.0),
    }
    solvers = ("50% a_b & c#", "{d}~^", "$e\\f")
    rows = [
        row("v", solver, seed, objective=1.0 + number, **facts)
        for number, solver in enumerate(solvers)
        for seed in (0, 1)
    ]
    texts = {each.name: latex(each) for each in analysed(*rows).blocks}
    for name, heads in {
        "totals": ["instance", "solver", "Q", "delay s", "energy J", r"cost \$", "score", "H", "Z"],
        "pairs": ["first", "second", "wins", "losses", "p", "p (Holm)", "A12", "Cliff{'}s delta"],
    }.items():
        assert f"    {' & '.join(heads)} \\\\" in texts[name].splitlines()
    assert "(virtual best)" in texts["summary"] and "(virtual best)" in texts["totals"]
    for text in texts.values():
        _well_formed(text)


def _well_formed(text: str) -> None:
    """Hold LaTeX against its rules: comments, cells of a row, braces, environments."""
    lines = [re.sub(r"(?<!\\)%.*", "", line) for line in text.splitlines()]
    whole = "\n".join(lines)
    bare = re.sub(r"\\[&%$#_{}]", "", whole)
    assert not re.search(r"[#_^~]", re.sub(r"\\label\{.*?\}|\\text\w+\{\}", "", bare))
    assert bare.count("{") == bare.count("}") and bare.count("$") % 2 == 0
    depth = 0
    for brace in re.findall("[{}]", bare):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert re.findall(r"\\(begin|end)\{(\w+)\}", whole) == [
        ("begin", "table"), ("begin", "tabular"), ("end", "tabular"), ("end", "table"),
    ]  # fmt: skip
    (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", whole)
    ends = [line for line in bare.splitlines() if line.endswith(r"\\")]
    assert ends and all(line.count("&") == len(columns) - 1 for line in ends)
