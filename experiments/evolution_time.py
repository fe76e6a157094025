"""Where the time of plain genetic goes.

Question: Which share of a run is the evaluator's, which DEAP's, which the rest?

Command: `make evolution-time`

Needs: a core that is free, for it measures wall time.

Writes: nothing; prints a table.

Time: 4 seconds.

Outcome: evaluator 3 % on alexnet and 13 % on resnet, DEAP's operators and bookkeeping 83 and 72 %, the rest 15 %.
"""

from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter
from typing import Any
from unittest.mock import patch

from deap import tools

from experiments._shared.study import parser
from offbench import P1, Budget, Search, SearchEnded, load
from offbench.evaluation import evaluator
from offbench.solvers.genetic import Genetic

OPERATORS = ("clone", "select", "mate", "mutate")


def main() -> None:
    """Print a row for each instance."""
    command = parser(__doc__, __file__)
    command.add_argument("--evaluations", type=int, default=100_000)
    command.add_argument("--instance", action="append", help="default: alexnet, resnet")
    chosen = command.parse_args()
    evaluator.warm_up()
    print("| instance | evaluations/s | evaluator | DEAP's operators and bookkeeping | the rest |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in chosen.instance or ("alexnet", "resnet"):
        spent = shares(name, chosen.evaluations)
        rate = chosen.evaluations / spent.pop("all")
        print(f"| {name} | {rate:.0f} | {' | '.join(f'{share:.0%}' for share in spent.values())} |", flush=True)


def shares(name: str, evaluations: int) -> dict[str, float]:
    """Return seconds of a run, and shares of evaluator, DEAP and the rest."""
    spent: defaultdict[str, float] = defaultdict(float)

    def timed(call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def measured(*arguments: Any, **named: Any) -> Any:
            begin = perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                spent[part] += perf_counter() - begin

        return measured

    class Timed(Genetic):
        def toolbox(self, problem: P1, search: Search) -> Any:
            box = super().toolbox(problem, search)
            for operator in OPERATORS:
                setattr(box, operator, timed(getattr(box, operator), "DEAP"))
            return box

    best, logbook = tools.HallOfFame(2), tools.Logbook()
    best.update, logbook.record = timed(best.update, "DEAP"), timed(logbook.record, "DEAP")
    problem = P1(load(name))
    search = Search(problem, Budget(max_evaluations=evaluations))
    with (
        patch.object(tools.Statistics, "compile", timed(tools.Statistics.compile, "DEAP")),
        patch("offbench.search.search.totals_of_many", timed(evaluator.totals_of_many, "evaluator")),
        suppress(SearchEnded),
    ):
        begin = perf_counter()
        Timed().evolve(problem, search, best, logbook)
    took = perf_counter() - begin
    evaluating, operators = spent["evaluator"] / took, spent["DEAP"] / took
    return {"all": took, "evaluator": evaluating, "DEAP": operators, "rest": 1 - evaluating - operators}


if __name__ == "__main__":
    main()
