"""What the metaheuristics miss in ten seconds.

Question: Which share of the possible improvement do annealing and the memetic genetic miss, in the median of ten seeds?

Command: `make metaheuristics`

Needs: a core that is free; one run at a time.

Writes: nothing; prints a table of medians, least and largest in brackets.

Time: 14 minutes: 80 runs of 10 s.

Outcome: annealing 0.00, 0.00, 1.08, 0.22 % on alexnet, vgg19, googlenet, resnet; genetic 0.00, 0.00, 0.26, 0.26 %,
counted from the best known afterwards.
"""

from experiments._shared.equal_time import compare


def main() -> None:
    """Run all and print the table."""
    compare(
        __doc__, __file__, solvers=("annealing", "genetic:local_search=true"), seconds=10, seeds=10, jobs=1, missed=True
    )


if __name__ == "__main__":
    main()
