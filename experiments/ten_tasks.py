"""What solvers reach on ten tasks at once.

Question: What objective do metaheuristics, beam and cp-sat reach in a minute on ten AlexNets and ten ResNet101s?

Command: `make ten-tasks`

Needs: a core that is free; one run at a time.

Writes: nothing; prints a table of medians, least and largest in brackets.

Time: 10 minutes: ten runs of 60 s.

Outcome: alexnet-x10: beam 0.0011, local-search 0.0273, genetic 0.0547, annealing 0.0639, cp-sat 0.1602; resnet-x10:
genetic -8.2191, annealing -8.2043, beam -8.1732, local-search -5.4349, cp-sat 11.8403.
"""

from experiments._shared.equal_time import compare


def main() -> None:
    """Run all and print the table."""
    compare(
        __doc__,
        __file__,
        solvers=("annealing", "beam", "genetic:local_search=true", "local-search", "cp-sat"),
        instances=("alexnet-x10", "resnet-x10"),
        seeds=1,
        jobs=1,
    )


if __name__ == "__main__":
    main()
