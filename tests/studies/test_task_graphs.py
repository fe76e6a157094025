"""Graphs drawn as the Standard Task Graph Set's are described, and the table of what is certified of them."""

from typing import Any

import numpy as np
import pytest

from experiments._shared.task_graphs import METHODS, TIMES, task_graph
from experiments.task_graphs import GRAPHS, table
from offbench.evaluation.evaluator import evaluate
from offbench.model.problem import P1


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("method", METHODS)
def test_graph_is_as_described(method: str, times: str) -> None:
    graphs = [task_graph(method, times, 50, 4, seed) for seed in range(20)]
    layers = [layer for made in graphs for layer in made.tasks[0].layers]
    assert all(made.subtasks == 50 and len(made.servers) == 4 for made in graphs)
    seconds = np.array([layer.gcycles for layer in layers])
    assert (seconds >= 1).all()
    assert (seconds == seconds.round()).all()
    assert seconds.mean() == pytest.approx(5.5, rel=0.1)
    predecessors = [np.mean([len(layer.inputs) for layer in made.tasks[0].layers]) for made in graphs]
    if method.endswith("pred"):  # 1, 3 or 5 in the mean, but for the first ones, which have fewer before them
        assert 0.5 < min(predecessors) < 1.5
        assert 3 < max(predecessors) < 5.5


def test_processors_change_nothing_of_the_graph() -> None:
    few, many = (task_graph("layrprob", "normal", 50, p, 7) for p in (2, 16))
    assert few.tasks == many.tasks
    assert task_graph("layrprob", "normal", 50, 2, 8).tasks != few.tasks


def test_one_after_another_takes_all_the_work() -> None:
    """On one processor the delay is the sum of the times, whatever the edges are."""
    problem = P1(task_graph("samepred", "exponential", 50, 2, 0))
    assert evaluate(problem, problem.everything_on(1)).objective == problem.arrays.execution_s[:, 1].sum()


def run(graph: int, solver: str, objective: float, bound: float | None, status: str) -> dict[str, Any]:
    return GRAPHS[graph]._asdict() | {
        "solver": solver, "objective": objective, "bound": bound, "status": status, "path": 60.0
    }  # fmt: skip


def test_table_takes_the_best_of_both() -> None:
    """8 s of 80 and of 100 are open: the better placement by one solver, the bound by the other."""
    rows = [
        run(0, "cp-sat", 84, 72, "feasible"), run(0, "local-search", 80, None, "feasible"),
        run(1, "cp-sat", 60, 60, "optimal"),
        run(2, "cp-sat", 101, 92, "feasible"), run(2, "local-search", 100, None, "feasible"),
    ]  # fmt: skip
    lines = list(table(rows))
    assert "| 50 | 2 | 1 of 3 | 8.00% (10.00%) | 25.00% (40.00%) |" in lines
    assert any("the median of the certified gap is 8.00%, the largest 10.00%; 2 are above 5%" in line for line in lines)
