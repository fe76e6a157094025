"""How the defaults of `annealing` and `genetic` were chosen: ``make defaults``.

On instances as ``offbench instance make NETWORK --edges E --clouds C --weights ...`` writes them, none of them a
shipped one. Budgets are evaluations, so that the machine doesn't matter.
"""

import argparse

from offbench.compose import PAPER_WEIGHTS, compose
from offbench.instance import Instance, load
from offbench.run import solve

CANDIDATES: dict[str, list[dict[str, object]]] = {
    "annealing": [
        {"hot": 1, "cold": 3e-3},
        {"hot": 0.5, "cold": 2e-3},
        {"hot": 0.3, "cold": 2e-3},
        {"hot": 0.3, "cold": 1e-3},
    ],
    "genetic": [
        {"local_search": True, "population": 30},
        {"local_search": True, "population": 60},
        {"local_search": True, "population": 100},
    ],
}


def instances() -> list[Instance]:
    """Return GoogLeNet and ResNet101 in two other environments each."""
    dear = PAPER_WEIGHTS.model_copy(update={"delay": 0.4, "energy": 0.2, "cost": 0.4})
    return [
        compose(f"{name}-e{edges}-c{clouds}", [load(name)], [0.0], edges, clouds, weights)
        for name in ("googlenet", "resnet")
        for edges, clouds, weights in ((3, 4, PAPER_WEIGHTS), (6, 2, dear))
    ]


def main() -> None:
    """Run all; a row for each candidate, as it is done."""
    parser = argparse.ArgumentParser(prog="defaults", description=__doc__)
    parser.add_argument("--evaluations", type=int, default=4_000_000)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    for solver, candidates in CANDIDATES.items():
        for instance in instances():
            for parameters in candidates:
                found = [
                    solve(
                        instance, solver, parameters=parameters, seed=seed, max_evaluations=options.evaluations
                    ).objective
                    for seed in range(options.seeds)
                ]
                values = ", ".join(f"{value:.4f}" for value in found)
                print(f"| {solver} | {instance.name} | {parameters} | {values} |", flush=True)


if __name__ == "__main__":
    main()
