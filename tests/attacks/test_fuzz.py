"""Random tiny instances whose numbers span 1e-6 to 1e6: what solvers and relaxations claim, held against enumeration.

`experiments.false_proofs` is the same over the same instances in greater number.
"""

from attacks.attack import Attack
from experiments.false_proofs import EVALUATOR, PROBLEMS, RELAXATION, ROUNDING, SOLVERS, claims
from offbench.bounds import RELAXATIONS

SHORT = 1
TIME_LIMIT_S = 10.0


def test_no_proof_is_false_and_no_bound_above_the_optimum(attack: Attack) -> None:
    everybody = (EVALUATOR, *(RELAXATION + each.name for each in RELAXATIONS), *SOLVERS)
    first = int(attack.rng.integers(10_000, 1_000_000))
    faults = []
    # Of the long attack 512 instances.
    for seed in range(first, first + (SHORT if attack.rounds == 1 else 64 * attack.rounds)):
        for problem in PROBLEMS:
            for claim in claims(seed, problem, everybody, TIME_LIMIT_S):
                if claim.fault:
                    faults.append(str(claim))
                    above = claim.by != EVALUATOR and claim.above > ROUNDING
                    attack.count("bounds above", int(above))
                    attack.count("false proofs", int("optimal at" in claim.fault))
        attack.count("instances")
    assert not faults, "\n".join(faults)
