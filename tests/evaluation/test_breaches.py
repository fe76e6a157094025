"""What a placement breaks: shares by hand, and together the evaluator's violation."""

import json
from pathlib import Path
from typing import Any

import pytest
from handmade import DELAY_ALONE, instance, layer, link, server, task

from offbench import P1, Placement, evaluate
from offbench.evaluation.breaches import breaches, is_constrained, uses, verdict
from offbench.model.instance import Instance, parse
from offbench.model.placement import parse_placement

CASES = sorted((Path(__file__).parents[1] / "conformance2").glob("case2-*.json"))
PHONE, EDGE = 0, 1


def two_phones(**more: Any) -> Instance:
    """Return two phones of 60 MB and an edge of 8 MB; each task has layers of 6 and 4 MB, the first the same."""
    servers = [
        {**server("phone-1", "client"), "memory_mb": 60}, {**server("edge", "edge", ghz=4, price=3600), "memory_mb": 8},
        {**server("phone-2", "client"), "memory_mb": 60},
    ]  # fmt: skip
    layers = [
        {**layer("a", 1), "weights_mb": 6, "weights_id": "a"}, {**layer("b", 3, 0, ("a",)), "weights_mb": 4},
    ]  # fmt: skip
    tasks = [
        {**task(f"t{i}", *layers), "client": f"phone-{i}", "deadline_s": 2 * i}
        for i in (1, 2)
    ]  # fmt: skip
    return parse(instance(servers, [link("client", "edge")], tasks, weights=DELAY_ALONE, format="offbench/2", **more))


def test_broken_memories_deadlines_and_limits_are_named_the_worst_first() -> None:
    """On the edge: a once and both b, 14 of 8 MB; t1 takes 1 s in the pool of one and t2 2; 2 $ of 0.5."""
    facts = two_phones(limits={"cost_usd": 0.5})
    placement = Placement([EDGE] * 4)
    evaluation = evaluate(P1(facts), placement)
    found = breaches(facts, placement, evaluation)
    assert [(use.kind, use.name, use.used, use.admitted) for use in found] == [
        ("limit", "cost", 2, 0.5), ("memory", "edge", 14, 8),
    ]  # fmt: skip
    assert str(found[0]) == "the cost of all is 2 $, its limit 0.5 $ (400 %)"
    assert str(found[1]) == "server 'edge' holds 14 MB of weights, its memory is 8 MB (175 %)"
    lines = verdict(facts, placement, evaluation)
    assert lines[0].startswith("not feasible: breaks 1 memory, 1 limit (of 3 memories, 2 deadlines, 1 limit)")
    assert lines[1:] == [f"  {use}" for use in found]


def test_late_task_and_weights_of_each_phone() -> None:
    """All on the phones: 10 of 60 MB each, 4 s each, of which t1 has 2 and t2 has just its 4."""
    facts = two_phones()
    placement = Placement([PHONE] * 4)
    evaluation = evaluate(P1(facts), placement)
    (late,) = breaches(facts, placement, evaluation)
    assert str(late) == "task 't1' takes 4 s, 2 s late, its deadline is 2 s (200 %)"
    used = {use.name: (use.used, use.share) for use in uses(facts, placement, evaluation)}
    assert used["phone-1"] == used["phone-2"] == (10, 1 / 6) and used["edge"] == (0, 0) and used["t2"] == (4, 1)


def test_feasible_placement_says_what_is_tightest() -> None:
    facts = two_phones()
    placement = Placement([PHONE, EDGE, PHONE, EDGE])
    evaluation = evaluate(P1(facts), placement)
    assert breaches(facts, placement, evaluation) == []
    (line,) = verdict(facts, placement, evaluation)
    assert line.startswith("feasible: keeps all 5 constraints; the tightest: server 'edge' holds 8 MB")


def test_without_constraints_nothing_is_said() -> None:
    facts = parse(instance([server("phone", "client")], [], [task("t", layer("a", 1))]))
    placement = Placement([PHONE])
    assert not is_constrained(facts)
    assert verdict(facts, placement, evaluate(P1(facts), placement)) == []


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_all_excesses_together_are_the_violation(path: Path) -> None:
    case = json.loads(path.read_text())
    facts = parse(case["instance"])
    placement = parse_placement(case["placement"], facts)
    evaluation = evaluate(P1(facts), placement)
    excess = {"memory": 0.0, "deadline": 0.0, "limit": 0.0}
    for use in uses(facts, placement, evaluation):
        excess[use.kind] += use.excess
    for kind, total in excess.items():
        assert total == pytest.approx(case["expected"][f"{kind}_violation"], abs=1e-9)
    assert (breaches(facts, placement, evaluation) == []) == evaluation.feasible
