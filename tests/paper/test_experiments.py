"""What is run for each figure, and what is measured of a run."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbench.evaluation.evaluator import evaluate
from offbench.model.instance import load
from offbench.model.problem import P1
from offbench.paper.experiments import DEFAULTS, FULL, PARAMETERS, QUICK, Scope, chosen, experiments
from offbench.paper.settings import WEIGHTS, Setting
from offbench.paper.table import at_end, balances
from offbench.search.parameters import configure
from offbench.search.registry import find


def test_what_is_left_out_weighs_nothing_and_the_rest_keeps_its_proportion() -> None:
    triples = {name: (w.score, w.coordination, w.balance) for name, w in WEIGHTS.items()}
    assert triples["A"] == (1, 0, 0)
    assert triples["A-B"] == (0.75, 0.25, 0) and triples["A-X"] == (0.75, 0, 0.25)  # 6 : 2
    assert triples["A-B-X"] == (0.6, 0.2, 0.2) and triples["2:3:5"] == (0.2, 0.3, 0.5)
    assert (WEIGHTS["2:1:7"].delay, WEIGHTS["2:1:7"].energy, WEIGHTS["2:1:7"].cost) == (0.2, 0.1, 0.7)
    for weights in WEIGHTS.values():
        assert weights.delay + weights.energy + weights.cost == pytest.approx(1)
        assert weights.score + weights.coordination + weights.balance == pytest.approx(1)


def test_the_paper_s_setup_is_the_shipped_instance() -> None:
    for network in ("alexnet", "resnet"):
        assert Setting(network).entry.instance(Path()).hash == load(network).hash
    other = Setting("alexnet", "A", "benefits", 9, 5, 2)
    made = other.entry.instance(Path())
    assert other.name == made.name == "alexnet A benefits e9-c5 x2"
    assert (len(made.servers), len(made.tasks), made.coordination.root) == (15, 2, 3)
    assert Setting("alexnet", edges=9).facts()["ratio"] == 1.8
    assert Setting("alexnet", clouds=0).facts()["environment"] == "L-E"


@pytest.mark.parametrize("scope", [FULL, QUICK])
def test_settings_have_names_of_their_own_and_figures_share_runs(scope: Scope) -> None:
    known = experiments(scope)
    settings = {setting for one in known.values() for setting in one.settings}
    assert len({setting.name for setting in settings}) == len(settings)
    assert set(known["fig12"].settings) < set(known["fig13"].settings)
    assert set(known["fig8"].settings) < set(known["fig9"].settings) == set(known["fig11"].settings)


def test_graphs_are_placed_in_two_steps_where_no_curves_are_shown() -> None:
    known = experiments(QUICK)
    found = {
        (figure, job.instance): job.two_step
        for figure in ("fig5", "fig9")
        for job in known[figure].plan(QUICK).jobs
        if job.name == "ddpqn"
    }
    assert found["fig9", "resnet A"] and found["fig9", "resnet"]
    assert not found["fig9", "alexnet A"] and not found["fig5", "resnet"]


def test_figures_by_name() -> None:
    assert chosen("fig9") == ["fig9"]
    assert len(chosen("all")) == 11


def test_defaults_are_those_of_the_agent_and_among_the_values() -> None:
    agent = configure(find("ddpqn"), "ddpqn", {})
    for name, default in DEFAULTS.items():
        assert getattr(agent, name) == default
        assert default in PARAMETERS[name]


@given(st.integers(0, 2**32 - 1))
def test_balances_of_edges_and_clouds_are_the_evaluator_s_together(seed: int) -> None:
    instance = load("tiny-graphs")
    problem = P1(instance)
    servers = np.random.default_rng(seed).integers(problem.n_servers, size=problem.n_subtasks)
    servers = np.where(problem.allowed[np.arange(len(servers)), servers], servers, problem.allowed.argmax(axis=1))
    found = evaluate(problem, servers)
    assert sum(balances(instance, servers, found.scales.balance)) == pytest.approx(found.balance)


def test_end_of_a_curve_is_its_last_tenth() -> None:
    assert at_end([(step, float(step >= 96)) for step in range(1, 101)]) == 0.5  # of 91 to 100
    assert at_end([(1, 5.0)]) == 5.0
