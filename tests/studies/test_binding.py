"""Instances whose constraints bind: what is said of them holds, and the optimum that enumeration finds is one."""

import numpy as np
import pytest

from experiments._shared.binding import MOST_FEASIBLE, SEEDS, binding_data, binding_optimum, feasible_share
from experiments._shared.exact_arithmetic import FEASIBLE
from experiments._shared.exhaustive import Exhaustive
from offbench.evaluation.evaluator import totals_of_many
from offbench.evaluation.kernel import TOTAL
from offbench.model.instance import parse
from offbench.model.placement import parse_placement
from offbench.model.problem import P1

SAMPLE = SEEDS[1::20]


def test_all_kinds_of_constraints_and_several_clients() -> None:
    every = [binding_data(seed) for seed in SEEDS[::4]]
    kinds = {
        (
            any("memory_mb" in server for server in data["servers"]),
            any("deadline_s" in task for task in data["tasks"]),
            "limits" in data,
        )
        for data in every
    }
    assert len(kinds) == 7  # any, but none at all
    clients = [sum(server["kind"] == "client" for server in data["servers"]) for data in every]
    assert clients.count(1) < 0.8 * len(clients) and max(clients) >= 3
    assert {len(data["tasks"]) for data in every} >= {1, 2, 3}


@pytest.mark.parametrize("seed", SAMPLE)
def test_few_placements_are_feasible_and_the_best_is_known(seed: int) -> None:
    data = binding_data(seed)
    every, found = Exhaustive(data), binding_optimum(seed)
    assert feasible_share(data, np.random.default_rng(seed)) <= 1.3 * MOST_FEASIBLE  # of a sample
    assert found.complete and found.servers is not None
    again = every.exact.evaluate(found.servers, found.order)
    assert again.violation <= FEASIBLE
    assert float(again.objective) == pytest.approx(found.objective, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", SAMPLE)
def test_the_core_finds_no_better_one_at_random(seed: int) -> None:
    data, found = binding_data(seed), binding_optimum(seed)
    instance, every = parse(data), Exhaustive(data)
    names, sizes = every.exact.facts.names, np.cumsum([len(task["layers"]) for task in data["tasks"]])[:-1]
    rows = []
    for servers in every.random_servers(2_000, np.random.default_rng(seed)):
        named = [[names[s] for s in part] for part in np.split(servers, sizes)]
        rows.append(parse_placement({"servers": named, "order": None}, instance))
    totals = totals_of_many(P1(instance), [row.servers for row in rows])
    feasible = totals[:, TOTAL.violation] <= 1e-9
    assert feasible.mean() <= 1.3 * MOST_FEASIBLE
    assert (totals[feasible, TOTAL.objective] >= found.objective - 1e-9).all()
