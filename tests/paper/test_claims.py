"""The claims file, and verdicts that turn when the data turn."""

import math
import tomllib
from importlib.resources import files
from typing import Any

import pandas as pd
import pytest

from offbench import OffbenchError
from offbench.bench.statistics.intervals import Interval
from offbench.paper.claims import Claim, claims, parse_claims
from offbench.paper.experiments import DEFAULTS, FIGURES, FULL, QUICK, Experiment, experiments
from offbench.paper.findings import FAILS, HOLDS, NOT_RUN, ONLY_PRINTED, UNDECIDED, Finding, judge, verdict
from offbench.paper.report import observed, of_best, tally

FACTS: dict[str, Any] = {
    "id": "c", "figure": "fig9", "section": "5.6", "text": "B above A.", "value": "coordination",
    "statistic": "contrast", "by": "weights", "of": ["A-B"], "than": ["A"], "direction": "above",
}  # fmt: skip


def claim(**changes: Any) -> Claim:
    return Claim(**FACTS | changes)


def runs(values: dict[tuple[str, str, str], list[float]]) -> pd.DataFrame:
    """Return a table of runs from numbers by network, reading of H and weights."""
    lines = [
        {"network": network, "reading": reading, "weights": weights, "agent": "ddpqn", "status": "feasible",
         "instance": f"{network} {weights} {reading}", "objective": 2.0, "coordination": value}
        for (network, reading, weights), numbers in values.items()
        for value in numbers
    ]  # fmt: skip
    return pd.DataFrame(lines)


LOW, HIGH = [1.0, 1.1, 1.2, 1.3, 1.4], [5.0, 5.1, 5.2, 5.3, 5.4]


def judged(printed: tuple[list[float], list[float]], benefits: tuple[list[float], list[float]]) -> Finding:
    return judge(
        claim(),
        runs(
            {
                ("alexnet", "printed", "A"): printed[0], ("alexnet", "printed", "A-B"): printed[1],
                ("alexnet", "benefits", "A"): benefits[0], ("alexnet", "benefits", "A-B"): benefits[1],
            }
        ),
    )  # fmt: skip


def test_verdict_turns_with_the_data() -> None:
    assert judged((LOW, HIGH), (LOW, HIGH)).verdict == HOLDS
    assert judged((HIGH, LOW), (HIGH, LOW)).verdict == FAILS
    assert judged((LOW, LOW), (LOW, LOW)).verdict == UNDECIDED
    assert judged((LOW, HIGH), (HIGH, LOW)).verdict == ONLY_PRINTED
    assert "does not hold with H as printed" in judged((HIGH, LOW), (LOW, HIGH)).verdict
    assert "undecided with H of benefits" in judged((LOW, HIGH), (LOW, LOW)).verdict


def test_one_network_refutes_what_is_claimed_of_all() -> None:
    both = {
        ("alexnet", "printed", "A"): LOW, ("alexnet", "printed", "A-B"): HIGH,
        ("resnet", "printed", "A"): HIGH, ("resnet", "printed", "A-B"): LOW,
    }  # fmt: skip
    found = judge(claim(), runs(both))
    assert found.verdict == FAILS and found.counts("printed") == "1 of 2"
    assert [each.interval.estimate for each in found.observations] == pytest.approx([4.0, -4.0])
    assert found.observations[0].centres == {"A-B": pytest.approx((5.2,)), "A": pytest.approx((1.2,))}


def test_runs_without_a_placement_are_left_out_and_counted() -> None:
    table = runs({("alexnet", "printed", "A"): [1.0, 1.1, math.nan], ("alexnet", "printed", "A-B"): [2.0, 2.1]})
    (seen,) = judge(claim(), table).observations
    assert (seen.runs, seen.without, seen.verdict) == (4, 1, HOLDS)
    nothing = judge(claim(), runs({("alexnet", "printed", "A"): [1.0]}))
    assert nothing.verdict == NOT_RUN


def test_one_seed_decides_nothing_but_of_what_has_no_chance() -> None:
    alone = runs({("alexnet", "printed", "A"): [1.0], ("alexnet", "printed", "A-B"): [2.0]})
    found = judge(claim(), alone)
    assert found.verdict == UNDECIDED and found.best is not None and found.best.verdict == HOLDS
    by_agent = claim(by="agent", of=["ddpqn"], than=["greedy"])
    greedy = runs({("alexnet", "printed", "A"): [1.0]}).assign(agent="greedy")
    assert judge(by_agent, pd.concat([greedy, alone[1:]], ignore_index=True)).verdict == UNDECIDED
    both = runs({("alexnet", "printed", "A-B"): [2.0, 2.1]})
    assert judge(by_agent, pd.concat([greedy, both], ignore_index=True)).verdict == HOLDS


def test_verdicts_are_counted() -> None:
    held, refuted, open_ = (
        judged((LOW, HIGH), (LOW, HIGH)),
        judged((HIGH, LOW), (HIGH, LOW)),
        judged((LOW, LOW), (LOW, LOW)),
    )
    only = judged((LOW, HIGH), (HIGH, LOW))
    told = tally([held, held, refuted, open_, only])
    assert told.startswith(
        "By the agents' runs: of 5 claims 2 hold, 1 hold only with the printed form of H, 1 do not hold, 1 stay open"
    )
    assert "by the best placements known: of 5 claims" in told


def test_what_was_not_run_is_counted_as_that() -> None:
    nothing = judge(claim(), runs({("alexnet", "printed", "A"): [1.0]}))
    held, open_ = judged((LOW, HIGH), (LOW, HIGH)), judged((LOW, LOW), (LOW, LOW))
    half = judge(
        claim(),
        runs({
            ("alexnet", "printed", "A"): LOW, ("alexnet", "printed", "A-B"): HIGH, ("alexnet", "benefits", "A"): LOW,
        }),
    )  # fmt: skip
    told = tally([nothing, nothing, held, open_, half]).split("; by the best")[0]
    assert told == (
        "By the agents' runs: of 5 claims 1 hold, 1 stay open or differ otherwise by reading of H, 1 run with one "
        "reading of H alone, 2 not run"
    )
    assert tally([nothing]).split("; by the best")[0] == "By the agents' runs: of 1 claims 1 not run"


def test_readings_and_parts_stand_in_order() -> None:
    turned = runs(
        {("vgg19", "benefits", "A"): LOW, ("alexnet", "benefits", "A"): LOW, ("alexnet", "printed", "A"): LOW}
    )
    found = judge(claim(statistic="level", of=["A"], than=[]), turned)
    assert list(found.verdicts) == ["printed", "benefits"]
    assert [each.part for each in found.observations if each.reading == "benefits"] == ["alexnet", "vgg19"]


def test_best_placements_have_a_verdict_of_their_own() -> None:
    agent = runs({("alexnet", "printed", "A"): HIGH, ("alexnet", "printed", "A-B"): LOW})
    others = agent.drop_duplicates("instance").assign(agent=["annealing", "chain-exact"], objective=1.0)
    others = others.assign(coordination=[3.0, 3.5], status=["feasible", "optimal"])
    found = judge(claim(), pd.concat([agent, others], ignore_index=True))
    assert found.verdict == FAILS
    assert found.best is not None and found.best.verdict == HOLDS
    (seen,) = found.best.observations
    assert (seen.interval, seen.runs, seen.proven) == (Interval(0.5, 0.5, 0.5), 2, False)
    assert "contrast alexnet 0.5" in of_best(found) and "0.5 (" not in of_best(found)
    proven = judge(claim(), pd.concat([agent, others.assign(status="optimal")], ignore_index=True)).best
    assert proven is not None and proven.observations[0].proven
    assert "0.5, proven" in observed(proven, best=True) and "proven" not in observed(proven)
    # What only agents have, and what compares agents, has no best placement.
    assert judge(claim(by="agent", of=["ddpqn"], than=["dqn"]), agent).best is None


@pytest.mark.parametrize(
    ("changes", "interval", "wanted"),
    [
        ({}, (1, 0.1, 2), HOLDS),
        ({}, (1, -0.1, 2), UNDECIDED),
        ({}, (-1, -2, -0.1), FAILS),
        ({}, (0, 0, 0), FAILS),  # no difference at all is none in the claimed direction
        ({"direction": "below"}, (-1, -2, -0.1), HOLDS),
        ({"direction": "below"}, (0, 0, 0), FAILS),
        ({"direction": "below", "bound": 1}, (0.9, 0.8, 0.99), HOLDS),
        ({"direction": "within", "between": (0.8, 1.2)}, (1, 0.9, 1.1), HOLDS),
        ({"direction": "within", "between": (0.8, 1.2)}, (1, 0.9, 1.3), UNDECIDED),
        ({"direction": "within", "between": (0.8, 1.2)}, (2, 1.9, 2.3), FAILS),
        ({}, (1, math.nan, 2), UNDECIDED),
    ],
)
def test_verdict_by_where_the_interval_lies(changes: Any, interval: Any, wanted: str) -> None:
    assert verdict(claim(**changes), Interval(*interval)) == wanted


def groups(column: str, experiment: Experiment) -> set[Any]:
    """Return what an experiment has of a column."""
    if column == "agent":
        return {agent.name for agent in experiment.agents}
    if column in DEFAULTS:
        return {agent.parameters.get(column, DEFAULTS[column]) for agent in experiment.agents}
    return {setting.facts()[column] for setting in experiment.settings}


def test_every_figure_has_claims_and_every_claim_its_groups() -> None:
    assert {one.figure for one in claims()} == set(FIGURES)
    for scope in (FULL, QUICK):
        known = experiments(scope)
        assert tuple(known) == FIGURES
        for one in claims():
            experiment = known[one.figure]
            assert one.section == experiment.section, one.id
            assert groups(one.by, experiment) >= set(one.of + one.than), one.id
            assert set(one.paper) <= {"alexnet", "vgg19", "googlenet", "resnet"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"figure": "fig2"}, "figure: must be one of fig3"),
        ({"value": "speed"}, "value: must be one of objective"),
        ({"statistic": "mode"}, "statistic: must be one of margin"),
        ({"by": "colour"}, "by: must be one of network"),
        ({"where": {"colour": 1}}, "where: must be one of"),
        ({"each": ["colour"]}, "each: must be one of"),
        ({"direction": "up"}, "direction"),
        ({"direction": "within"}, "between: comes with"),
        ({"than": []}, "than: the statistic 'contrast' needs it"),
        ({"statistic": "trend"}, "than: the statistic 'trend' takes none"),
        ({"of": []}, "of: must name"),
        ({"quote": "x"}, "quote"),
    ],
)
def test_mistake_in_a_claim_is_told(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(OffbenchError, match=told):
        parse_claims({"claims": [FACTS | changes]}, "mine.toml")


def test_claims_have_ids_of_their_own() -> None:
    with pytest.raises(OffbenchError, match="'c' stands twice"):
        parse_claims({"claims": [FACTS, FACTS]}, "mine.toml")
    text = (files("offbench.paper") / "claims.toml").read_text(encoding="utf-8")
    assert len(tomllib.loads(text)["claims"]) == len(claims())
