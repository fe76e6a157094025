"""Min-cut: the cheapest split by brute force."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from strategies import instances

from offbench import P1, evaluate, solve
from offbench.model.instance import parse
from offbench.solvers.min_cut import split

SCORE_ALONE = {"delay": 0.5, "energy": 0.3, "cost": 0.2, "score": 1, "coordination": 0, "balance": 0}


def is_chain(made: dict[str, Any]) -> bool:
    layers = made["tasks"][0]["layers"]
    return all(layer["inputs"] == ([layers[j - 1]["name"]] if j else []) for j, layer in enumerate(layers))


@given(instances(max_tasks=1, max_layers=6, settings={"weights": SCORE_ALONE}))
def test_best_split_of_a_chain(made: dict[str, Any]) -> None:
    assume(is_chain(made))
    problem = P1(parse(made))
    client = problem.arrays.client
    best = np.inf
    for remote in range(problem.n_servers):
        for servers in product((client, remote), repeat=problem.n_subtasks):
            if problem.allowed[np.arange(problem.n_subtasks), servers].all():
                best = min(best, evaluate(problem, np.array(servers)).objective)
    assume(best < np.inf)
    assert solve(problem.instance, "min-cut").objective <= best + 1e-6 * max(1, abs(best))


@given(instances(max_tasks=2, max_layers=4, max_edges=1, max_clouds=1))
def test_cut_of_any_graph(made: dict[str, Any]) -> None:
    """No split has a smaller sum of executions and transfers, each in the score's units."""
    problem = P1(parse(made))
    a = problem.arrays
    weights = a.weights[:3] / a.scale[:3]
    sources = np.repeat(np.arange(problem.n_subtasks), np.diff(a.input_start.astype(int)))

    def price(servers: np.ndarray) -> float:
        at = np.append(servers, [a.client] * len(a.arrival_s))
        seconds = a.gcycles / a.ghz[servers]
        link = a.link[at[a.input_of], servers[sources]]
        sent = a.input_mb / link[:, 0]
        parts = (
            seconds.sum() + sent.sum(),
            (a.client_power_w[servers] * seconds).sum() + (link[:, 1] * sent).sum(),
            (a.usd_per_s[servers] * seconds).sum() + (a.input_gb * link[:, 2]).sum(),
        )
        return float(weights @ np.array(parts))

    for remote in range(problem.n_servers):
        if remote == a.client or not problem.allowed[:, [a.client, remote]].any(axis=1).all():
            continue
        found = price(np.where(split(problem, remote), a.client, remote))
        for stays in product((True, False), repeat=problem.n_subtasks):
            servers = np.where(stays, a.client, remote)
            if problem.allowed[np.arange(problem.n_subtasks), servers].all():
                assert found <= price(servers) * (1 + 1e-6) + 1e-12


def test_pinned_layers_stay_where_they_must() -> None:
    assert solve("tiny-graphs", "min-cut").objective == pytest.approx(solve("tiny-graphs", "min-cut", seed=3).objective)
