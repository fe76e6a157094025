"""What an advice says first: which layers run where, in sentences; units that people read; the most robust cut."""

from dataclasses import replace

import numpy as np
import pytest

from offbench import Placement, evaluate, load, solve, with_objective
from offbench.model.instance import Instance
from offbench.runs.advice.advice import Advice
from offbench.runs.advice.robust import Regret, Robustness, Spread
from offbench.runs.advice.words import choice_rows, joules, regret_lines, seconds, what_to_do
from offbench.runs.in_words import dollars


def with_result(instance: Instance) -> Instance:
    """Return a chain with a last layer that brings the result home."""
    (task,) = instance.tasks
    last = {"name": "result", "seconds": {"client": 0, "edge": 0, "cloud": 0}, "inputs": [task.layers[-1].name],
            "output_mb": 0, "allowed": ["client"]}  # fmt: skip
    facts = instance.model_dump(mode="json", by_alias=True, exclude_none=True) | {"format": "offbench/2"}
    facts["tasks"][0]["layers"].append(last)
    return Instance.model_validate(facts)


def advice(instance: Instance, servers: list[int], regret: Regret | None = None) -> Advice:
    """Return an advice that recommends some servers."""
    found, placement = solve(instance, "greedy"), Placement(np.array(servers))
    solution = replace(found, placement=placement, evaluation=evaluate(instance, placement), lower_bound=-np.inf)
    return Advice(instance, solution, (), {}, regret, Spread(), None, (), 0.0)


@pytest.mark.parametrize(
    ("servers", "told"),
    [
        ([0] * 12, "Run all of alexnet on client, the device: no cut that was found is better."),
        ([5] * 11 + [0], "Run all of alexnet on edge-5, and bring the result back."),
        (
            [0, 0] + [5] * 9 + [0],
            "Cut alexnet into 2 parts: conv1, pool1 on client, then conv2 … fc8 (9 layers) on edge-5.",
        ),
        ([5] * 9 + [0] * 3, "Cut alexnet into 2 parts: conv1 … fc6 (9 layers) on edge-5, then fc7, fc8 on client."),
        (
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0],
            "Cut alexnet into 11 parts: conv1 on client, then pool1 on edge-1, then conv2 on edge-2, then pool2 on "
            "edge-3; then 7 parts more.",
        ),
    ],
)  # fmt: skip
def test_the_first_sentence_says_what_runs_where(servers: list[int], told: str) -> None:
    instance = with_result(with_objective(load("alexnet"), "score"))
    assert list(what_to_do(advice(instance, servers))) == [told]


def test_each_network_has_a_sentence_and_many_are_counted() -> None:
    instance = with_objective(load("alexnet-x10"), "score")
    told = list(what_to_do(advice(instance, [5] * instance.subtasks)))
    assert len(told) == 7 and told[0].startswith("Run all of ") and told[0].endswith(" on edge-5.")
    assert told[-1] == "So for 4 more; --json has all."


def test_a_device_that_breaks_constraints_is_told_so() -> None:
    instance = with_objective(load("phones"), "score")
    found = solve(instance, "greedy")
    assert found.placement is not None and not found.client_only.feasible
    last = list(choice_rows(advice(instance, found.placement.servers.tolist())))[-1]
    assert (last.name, last.note) == ("everything on the devices", "breaks constraints")


def test_units_are_those_that_people_read() -> None:
    told = [seconds(value) for value in (0, 2.38e-6, 0.0315, 1, 12345.6)]
    assert told == ["0 ms", "2.38 µs", "31.5 ms", "1 s", "12,300 s"]
    assert [joules(value) for value in (0, 2.3e-5, 0.047, 3.14159)] == ["0 J", "23 µJ", "47 mJ", "3.142 J"]
    assert [dollars(value) for value in (0, 2.97e-8, 0.0309)] == ["$0", "$0.0297 per million runs", "$0.0309"]


def test_the_most_robust_cut_is_shown_of_all_clients() -> None:
    instance = with_objective(load("phones"), "score")
    mine, other = Placement(np.ones(33, dtype=int)), Placement(np.array(11 * [0] + 22 * [1]))
    known = [Robustness(mine, (0.0, *5 * [0.2])), Robustness(other, 6 * (0.03,))]
    lines = list(regret_lines(advice(instance, mine.servers.tolist(), Regret(6, known[0], known[1], proven=True))))
    assert lines[-4] == "The most robust cut is another one, within 5 % in 100%, at worst 3.00% above the best:"
    assert lines[-3].startswith("photo-1: phone-1: conv1") and "edge: conv1" in lines[-2] and "edge: conv1" in lines[-1]
    # One draw more, or two, may be chance.
    close = Robustness(other, (0.0, 0.03, 0.03, *3 * [0.2]))
    alone = Regret(6, known[0], close, proven=True)
    assert list(regret_lines(advice(instance, mine.servers.tolist(), alone)))[-1].startswith("No other cut")
