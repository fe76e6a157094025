"""Solvers at equal time on the paper's four networks.

Question: What objective does each solver reach in a minute on one core, in the median of five seeds?

Command: `make compare`; other solvers: `python -m experiments.solvers_at_equal_time --solver ddpqn-plus --missed --jobs
1 --instance mixed-4`

Needs: a core for each of --jobs runs at once (default: all).

Writes: nothing; prints a table of medians, least and largest in brackets.

Time: 20 minutes on two cores.

Outcome: ddpqn 0.2054, 0.1068, 0.2348, 0.0885 on alexnet, vgg19, googlenet, resnet; random 0.2142, 0.3279, 0.9998,
3.4218; greedy 0.2116, 0.2457, 0.0616, 0.0263.
"""

from experiments._shared.equal_time import compare


def main() -> None:
    """Run all and print the table."""
    compare(__doc__, __file__, solvers=("client-only", "greedy", "random", "ddpqn"))


if __name__ == "__main__":
    main()
