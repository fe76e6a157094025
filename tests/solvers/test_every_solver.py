"""What holds for every solver that is installed."""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import plain
import pytest

import offbench.instances
from offbench import P1, OffbenchError, Solution, evaluate, load, solve
from offbench.files.json import read_json
from offbench.model.instance import shipped
from offbench.model.placement import parse_placement
from offbench.runs.conformance import Crew, conformance, findings, limits
from offbench.search.registry import catalogue, find

FOLDER = Path(next(iter(offbench.instances.__path__)))
TINY = [name for name in shipped() if name.startswith("tiny")]
INSTALLED = [entry for entry in catalogue().values() if not entry.missing]
SOLVERS = {problem: [entry.name for entry in INSTALLED if problem in entry.solves] for problem in ("P1", "P2")}


@cache
def optimum(name: str) -> tuple[float, list[list[str]]]:
    """Return the best Q of all servers, first come first served, and its servers, in plain Python."""
    return plain.brute_force(read_json(FOLDER / f"{name}.json"))


@cache
def run(solver: str, name: str) -> Solution:
    """Run a solver of P1 with a small budget; skip the test if it is for other instances."""
    find(solver)
    try:
        return solve(name, solver, seed=1, max_evaluations=200, time_limit=30)
    except OffbenchError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("solver", SOLVERS["P1"])
def test_no_solver_beats_the_optimum(solver: str, name: str) -> None:
    solution = run(solver, name)
    best, _ = optimum(name)
    if solution.placement is None:
        assert solution.status == "no-placement"
    elif solution.placement.order is None:
        assert solution.objective >= best - 1e-9
    else:
        servers = solution.placement.to_file(solution.instance)["servers"]
        assert solution.objective >= plain.brute_force_orders(read_json(FOLDER / f"{name}.json"), servers)[0] - 1e-9
    assert solution.lower_bound <= best + 1e-9
    if solution.status == "optimal":
        assert solution.objective <= best + 1e-6 * abs(best)


@pytest.mark.parametrize("name", TINY)
def test_optimum_is_reached_by_its_own_placement(name: str) -> None:
    best, servers = optimum(name)
    instance = load(name)
    assert evaluate(P1(instance), parse_placement({"servers": servers}, instance)).objective == pytest.approx(best)


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("solver", SOLVERS["P2"])
def test_no_rule_beats_the_best_order(solver: str, name: str) -> None:
    _, servers = optimum(name)
    best, _ = plain.brute_force_orders(read_json(FOLDER / f"{name}.json"), servers)
    placement = parse_placement({"servers": servers}, load(name))
    solution = solve(name, solver, placement=placement, max_evaluations=200, time_limit=30)
    assert solution.objective >= best - 1e-9
    assert solution.lower_bound <= best + 1e-9


# The names of one agent share all that is checked here; one of them stands for all.
IDEAS = list({entry.target: entry.name for entry in reversed(INSTALLED)}.values())


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    """Lend two processes that all solvers are tried in, with shorter runs than `offbench check` makes."""
    with pytest.MonkeyPatch.context() as patch, Crew() as both:
        patch.setattr(limits, "REPEATED_S", 0.4)
        patch.setattr(limits, "REPEATED_AT_MOST_S", 3.0)
        patch.setattr(limits, "LARGE_TIME_LIMIT_S", 0.7)
        yield both


@pytest.mark.parametrize("solver", IDEAS)
def test_conforms(solver: str, crew: Crew) -> None:
    assert not [str(finding) for finding in findings(conformance(solver, crew=crew))]


@pytest.mark.parametrize("solver", SOLVERS["P1"])
def test_trace_only_gets_better(solver: str) -> None:
    for before, after in pairwise(run(solver, "tiny-graphs").trace):
        assert (after.objective, -after.bound) <= (before.objective, -before.bound)
