"""The four networks as flat and coarse chains, proven by chain-exact.

Question: How fast is a whole network proven as one chain, and under which readings of H and weights does it get hard?

Command: `make chains`; all settings: `make chains ARGS=--settings`

Needs: a core that is free; all runs are one process on one thread.

Writes: nothing; prints a line for each chain, and for each setting that is hard.

Time: two seconds; ResNet101's 48 settings 145 s.

Outcome: flat alexnet 0.203089, vgg19 0.088121, googlenet -0.304461, resnet -0.634940, coarse googlenet -0.105388,
resnet -0.319173, all proven; 46 of resnet's 48 settings in 20 s each, two certified to 0.07 %.

With the paper's weights and reading, then with both readings and weights of balance from 0 to 1, the rest as 3 : 1 on
score and coordination or on the score alone. `Solution.seconds` of each. A throw-away run before them loads the
compiled code.
"""

from experiments._shared.flat_chains import OPTIMA, READINGS, flat_chain, weights_with_balance
from experiments._shared.study import parser
from offbench.evaluation.gaps import certified
from offbench.model.instance import Coordination, Instance, Weights, load
from offbench.model.modules import contract
from offbench.runs.solution import Solution
from offbench.runs.solve import solve

BALANCES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def main() -> None:
    """Print a row for each chain, the settings only where they are hard."""
    command = parser(__doc__, __file__)
    command.add_argument("--time-limit", type=float, default=120, help="for each run, s")
    command.add_argument("--settings", action="store_true", help="also the other reading and other weights")
    command.add_argument("--chain", action="append", help="such as 'resnet flat'; default: all")
    options = command.parse_args()
    solve(flat_chain("alexnet", weights=weights_with_balance(0.1, score_alone=True)), "chain-exact")
    chains = {f"{name} flat": flat_chain(name) for name in OPTIMA}
    chains |= {f"{name} coarse": contract(load(name)) for name in ("googlenet", "resnet")}
    chains = {name: chains[name] for name in options.chain or chains}
    found = [show(name, solve(chain, "chain-exact", time_limit=options.time_limit)) for name, chain in chains.items()]
    print(f"all of them: {sum(each.seconds for each in found):.2f} s")
    if options.settings:
        settings(chains, options.time_limit)


def settings(chains: dict[str, Instance], limit: float) -> None:
    """Solve the chains under every reading and weights."""
    runs = []
    for name, chain in chains.items():
        for reading, coordination in READINGS.items():
            for alone in (False, True):
                for balance in BALANCES:
                    weights = weights_with_balance(balance, score_alone=alone)
                    label = f"{name}, {reading}, balance {balance}, {'score alone' if alone else '3 : 1'}"
                    run = solve(with_setting(chain, weights, coordination), "chain-exact", time_limit=limit)
                    runs.append(run)
                    if run.status != "optimal" or run.seconds > 10:
                        show(label, run)
    proven = [run for run in runs if run.status == "optimal"]
    print(f"{len(proven)} of {len(runs)} settings proven; slowest {max(run.seconds for run in runs):.1f} s")
    print(f"together {sum(run.seconds for run in runs):.0f} s")


def with_setting(chain: Instance, weights: Weights, coordination: Coordination) -> Instance:
    """Return the chain with other weights and another reading."""
    return chain.model_copy(update={"weights": weights, "coordination": coordination})


def show(name: str, run: Solution) -> Solution:
    """Print a row."""
    share = certified(run.objective, run.client_only.objective, run.lower_bound)
    percent = "undefined" if share is None else f"{share:.2%}"
    print(
        f"{name}: {run.status}, Q {run.objective:.6f} >= {run.lower_bound:.6f},",
        f"certified {percent}, {run.seconds:.2f} s",
        flush=True,
    )
    return run


if __name__ == "__main__":
    main()
