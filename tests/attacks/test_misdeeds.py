"""Solvers that misbehave, each among good ones: the suite goes on, and a true row is left of each run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from attacks.attack import Attack
from attacks.target import Target, read

SOLVERS = Path(__file__).parent / "solvers"

WRONG = frozenset({"error"})
ENDED = frozenset({"killed"})
FINE = frozenset({"feasible"})
"""it harmed nothing but itself"""
SOON = {
    "answers.py": {
        "half_a_count": WRONG, "count_of_numpy": FINE, "negative_count": WRONG | FINE, "word_for_a_count": WRONG | FINE,
        "bound_of_numpy": FINE, "nan_for_a_bound": WRONG | FINE, "infinite_bound": WRONG, "bound_above": WRONG,
        "forged_objective": WRONG | FINE, "forged_incumbent": WRONG | FINE, "no_incumbent": WRONG | FINE | {"timeout"},
        "cheaper_problem": WRONG | FINE,
        "forged_trace": WRONG | FINE, "nan_in_the_trace": WRONG | FINE, "no_trace": WRONG | FINE,
        "clock_put_back": WRONG | FINE, "nan_in_a_curve": FINE, "infinity_in_a_curve": FINE, "curve_of_numpy": FINE,
        "policy_of_another_shape": WRONG | FINE, "error_of_no_text": WRONG, "error_without_end": WRONG,
        "error_that_commands": WRONG, "error_that_cannot_be_told": WRONG,
    },
    "beginnings.py": {"warms_up_to_death": WRONG | FINE},
    "deaths.py": {
        "leaves_with_success": WRONG, "leaves_with_a_code": WRONG, "is_interrupted": WRONG | FINE,
        "kills_itself": ENDED, "kills_its_group": ENDED, "aborts": WRONG, "reads_nowhere": WRONG,
        "calls_itself": WRONG, "wants_all_memory": WRONG, "takes_much_memory": FINE,
    },
    "leftovers.py": {
        "child": FINE, "child_of_its_own_session": FINE, "child_that_holds_all_pipes": FINE, "daemon": FINE,
        "crowd": FINE, "child_of_a_dying_process": WRONG,
    },
    "streams.py": {
        "prints_without_end": FINE, "closes_output": WRONG | FINE, "closes_everything": WRONG | FINE,
        "lies_to_every_file": WRONG | FINE, "lies_with_the_token": WRONG | FINE, "answers_with_no_json": WRONG | FINE,
        "answers_with_a_list": WRONG | FINE, "answers_too_deep": WRONG | FINE, "stands_in_no_folder": FINE,
        "clears_the_environment": FINE, "seeds_for_others": FINE, "shuts_the_path": WRONG | FINE,
    },
}  # fmt: skip
"""what ends by itself, and what may be said of it"""
LATE = {
    "endless.py": (
        "sleeps", "disarms_the_alarm", "catches_all", "masks_signals", "ignores_signals", "lets_no_thread_run",
        "matches_for_ever", "multiplies_matrices", "stops_itself", "leaves_a_thread",
    ),
    "leftovers.py": ("child_of_an_endless_process",),
}  # fmt: skip
"""what has to be ended"""
ALONE = {"half_a_count", "kills_itself", "child_that_holds_all_pipes", "lies_with_the_token"}
"""those that are tried with one job too where the attack is short"""
GOOD: list[dict[str, Any]] = [
    {"name": str(SOLVERS / "good.py"), "label": "good", "seeds": 2},
    {"name": "greedy", "label": "greedy"},
]


@pytest.mark.parametrize("jobs", [2, 1])
def test_suite_with_misdeeds_goes_on(jobs: int, tmp_path: Path, attack: Attack) -> None:
    if attack.rounds == 1 and jobs == 1:
        pytest.skip("in the long attack")
    allowed = {(file, how): statuses for file, each in SOON.items() for how, statuses in each.items()}
    # Generous, so that what ends by itself may do so on a busy machine.
    _suite(Target(tmp_path, attack), allowed, jobs, 20.0)


@pytest.mark.parametrize("jobs", [2, 1])
def test_suite_with_what_does_not_end_goes_on(jobs: int, tmp_path: Path, attack: Attack) -> None:
    if attack.rounds == 1 and jobs == 1:
        pytest.skip("in the long attack")
    # What comes late to its proposal on a busy machine is a timeout.
    allowed = {(file, how): ENDED | FINE | {"timeout"} for file, each in LATE.items() for how in each}
    _suite(Target(tmp_path, attack), allowed, jobs, 0.5)


def _suite(target: Target, allowed: Mapping[tuple[str, str], frozenset[str]], jobs: int, time_limit_s: float) -> None:
    attack = target.attack
    chosen = {key: statuses for key, statuses in allowed.items() if jobs > 1 or key[1] in ALONE or attack.rounds > 1}
    entrants: list[dict[str, Any]] = [
        {"name": str(SOLVERS / file), "label": how, "parameters": {"how": how}, "seeds": 1} for file, how in chosen
    ]
    # Good ones are given the time that they take on a busy machine only where that doesn't lengthen the attack.
    good = GOOD if time_limit_s > 1 else GOOD[:1]
    suite = target.suite("misdeeds", [*good, *entrants], time_limit_s=time_limit_s)
    command = target.bench(suite, "--jobs", str(jobs))
    code = command.wait(attack, at_most_s=600)
    attack.count("misdeeds", len(chosen))
    orphans = target.orphans()
    if "Traceback" in command.err or not command.out.startswith("{"):
        attack.count("suites ended early")
    assert "Traceback" not in command.err, command.err[-3000:]
    rows = target.rows()
    assert not orphans
    told = {how: rows["tiny-chains", how, 0] for _, how in chosen}
    odd = {
        how: (told[how].status, told[how].message)
        for (_, how), right in chosen.items()
        if told[how].status not in right
    }
    assert not odd
    assert code == int(any(row.failed for row in rows.values())), command.err
    good_rows = [row for (_, solver, _), row in rows.items() if solver not in told]
    if time_limit_s > 1:
        assert not [row.message for row in good_rows if row.status != "feasible"]
    assert len({row.objective for row in good_rows if row.job.solver == "good" and row.status == "feasible"}) <= 1
    assert not target.strays()
    again = target.bench(suite, "--jobs", str(jobs))
    again.wait(attack)
    assert '"done": 0' in again.out, again.out + again.err  # nothing is tried for ever
    said = target.begin("status", "results")
    assert said.wait(attack) == 0, said.err
    assert not {"\x1b", "\x07", "\x00", "\u202e"} & set(said.out + said.err)


@pytest.mark.parametrize("number", ["SIGTERM", "SIGHUP", "SIGINT", "SIGKILL"])
def test_solver_that_ends_its_parent_is_an_interrupt(number: str, tmp_path: Path, attack: Attack) -> None:
    """It has the right to; no row is lost by that, and the suite without it is done by the same folder."""
    if attack.rounds == 1:
        pytest.skip("in the long attack")
    target = Target(tmp_path, attack)
    good = {"name": str(SOLVERS / "good.py"), "label": "good", "seeds": 3}
    bad = {"name": str(SOLVERS / "murders.py"), "label": "murders", "parameters": {"how": number}}
    command = target.bench(target.suite("murders", [good, bad], time_limit_s=5))
    command.wait(attack)
    attack.count("misdeeds")
    assert not target.orphans()
    assert "Traceback" not in command.err
    before = target.written()
    for name, content in before.items():
        read(name, content)
    target.planned.clear()
    then = target.bench(target.suite("without", [good], time_limit_s=5))
    assert then.wait(attack) == 0, then.err
    assert not target.lost(before)
    target.planned |= {row.job.cell for row in (read(name, content) for name, content in target.written().items())}
    assert len([cell for cell in target.rows() if cell[1] == "good"]) == 3
    assert not target.orphans()
