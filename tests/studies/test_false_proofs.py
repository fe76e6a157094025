"""A short version of the study of false proofs, which has 2000 instances by itself."""

from pathlib import Path

import pytest

from experiments._shared.exact_arithmetic import ExactArithmetic
from experiments._shared.tiny import tiny_instance
from experiments._shared.wide import HIGH, LOW, wide_instance
from experiments.false_proofs import CONSTRAINED, EVALUATOR, PROBLEMS, RELAXATION, Truth, claims
from offbench.bounds import RELAXATIONS
from offbench.model.placement import Placement
from offbench.runs.solve import solve

# Some drawn in a row, and those where the evaluator, a bound or both were off: late arrivals, benefits of a last digit,
# inputs and slots that only more digits tell apart.
SEEDS = [*range(12), 12, 36, 38, 66, 161, 196, 304, 312, 336, 698, 708]


def test_numbers_are_wide_and_come_again() -> None:
    instances = [wide_instance(seed) for seed in range(100)]
    numbers = [layer.gcycles or 0.0 for each in instances for task in each.tasks for layer in task.layers]
    assert min(number for number in numbers if number > 0) < 10 * LOW and max(numbers) > HIGH / 10 and 0 in numbers
    assert len(set(numbers)) < 0.75 * len(numbers)
    assert {(each.coordination.indicators, each.coordination.root) for each in instances} == {
        (indicators, root) for indicators in ("costs", "benefits") for root in (2, 3)
    }
    assert {len(each.tasks) for each in instances} == {1, 2, 3}


@pytest.mark.parametrize(
    ("seed", "problem"), [(seed, each) for each in PROBLEMS for seed in (SEEDS if each in ("P1", "P2") else range(12))]
)
def test_no_false_proof(seed: int, problem: str) -> None:
    by = EVALUATOR, "cp-sat", "chain-exact", "graph-exact", *(RELAXATION + each.name for each in RELAXATIONS)
    assert [str(each) for each in claims(seed, problem, by, time_limit=1) if each.fault] == []


def test_false_proofs_are_found(tmp_path: Path) -> None:
    solver = tmp_path / "boastful.py"
    solver.write_text(
        "from offbench import Solver\n"
        "class Boastful(Solver):\n"
        "    def solve(self, problem, search):\n"
        "        worst = problem.everything_on(problem.arrays.client)\n"
        "        search.bound(search.propose(worst))\n",
        encoding="utf-8",
    )
    found = [each for seed in range(8) for each in claims(seed, "P1", (str(solver),), time_limit=5)]
    assert any("above" in each.fault and "optimal at" in each.fault for each in found)
    solver.write_text(
        "from offbench import Infeasible, Solver\n"
        "class Timid(Solver):\n"
        "    def solve(self, problem, search):\n"
        "        raise Infeasible('it seems so')\n",
        encoding="utf-8",
    )
    seeds = [seed for seed in range(4) if Truth(seed, CONSTRAINED).best.feasible]
    faults = [each.fault for seed in seeds for each in claims(seed, CONSTRAINED, (str(solver),), time_limit=5)]
    assert seeds and all(fault.startswith("infeasible, but ") for fault in faults)


def test_delay_that_equals_its_scale_after_queueing() -> None:
    # Summed up in doubles the delay falls short of its scale by a last digit, of which the root made 1e-5.
    instance, servers = tiny_instance(20518), Placement([1, 0, 1, 0])
    optimum = float(ExactArithmetic(instance).optimum([1, 0, 1, 0]).objective)
    solution = solve(instance, "cp-sat", time_limit=60, placement=servers)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(optimum, abs=1e-12)
