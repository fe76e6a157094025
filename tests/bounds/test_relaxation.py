"""The best bound of several relaxations within a budget."""

import math
import time
from collections.abc import Callable, Iterator

import handmade
import pytest

from offbench import P1, SearchEnded
from offbench.bounds.relaxation import Bounds, Relaxation, RelaxationResult, tightest
from offbench.model.instance import parse
from offbench.model.problem import Problem
from offbench.search.budget import Clock


def yields(name: str, *values: float) -> Relaxation:
    """Return a relaxation with given bounds."""
    return Relaxation(name, "nothing", lambda problem: iter(values))


def endless(name: str, step: Callable[[], object]) -> Relaxation:
    """Return a relaxation that yields 1, 2, 3 and never ends."""

    def bounds(problem: Problem) -> Iterator[float]:
        value = 0.0
        while True:
            value += 1
            yield value
            step()

    return Relaxation(name, "nothing", bounds)


def stuck(problem: Problem) -> Iterator[float]:
    """Yield one bound and then never look at the clock."""
    yield -5.0
    while True:
        time.sleep(0.01)


@pytest.fixture
def problem() -> Problem:
    return P1(parse(handmade.phone()))


def test_best_of_each_and_of_all(problem: Problem) -> None:
    bounds = tightest(problem, [yields("a", 1, 3, 2), yields("b", -1), yields("c"), yields("d", 3)])
    assert [outcome.bound for outcome in bounds.outcomes] == [3, -1, -math.inf, 3]
    assert {outcome.ended for outcome in bounds.outcomes} == {"finished"}
    assert bounds.best is not None
    assert (bounds.best.relaxation.name, bounds.bound, bounds.interrupted) == ("a", 3, False)


def test_nothing_bounds_nothing(problem: Problem) -> None:
    for bounds in (tightest(problem, []), tightest(problem, [yields("a")])):
        assert (bounds.best, bounds.bound) == (None, -math.inf)


def test_relaxation_is_given_the_problem(problem: Problem) -> None:
    seen = []

    def bounds(given: Problem) -> Iterator[float]:
        seen.append(given)
        yield 0.0

    tightest(problem, [Relaxation("a", "nothing", bounds)])
    assert seen == [problem]


@pytest.mark.parametrize("relaxation", [endless("a", lambda: time.sleep(0.01)), Relaxation("a", "nothing", stuck)])
def test_time_is_kept_and_what_was_found_stays(problem: Problem, relaxation: Relaxation) -> None:
    clock = Clock()
    bounds = tightest(problem, [relaxation, yields("b", -9)], time_limit=1)
    assert clock.seconds < 5
    assert [outcome.ended for outcome in bounds.outcomes] == ["time-limit", "finished"]
    assert bounds.best is not None
    assert bounds.best.relaxation is relaxation
    assert bounds.bound > -9


def test_time_that_one_does_not_use_goes_to_the_next(problem: Problem) -> None:
    bounds = tightest(problem, [yields("a", 0), yields("b", 0), endless("c", lambda: time.sleep(0.01))], time_limit=0.6)
    assert bounds.outcomes[2].seconds >= 0.5


def test_those_that_have_little_to_say_leave_their_time_to_the_others(problem: Problem) -> None:
    def hesitant(problem: Problem) -> Iterator[float]:
        yield 0.0
        time.sleep(0.5)  # more than half of what there is
        yield 1.0

    relaxations = [Relaxation("a", "nothing", hesitant), yields("b", 0), yields("c")]
    bounds = tightest(problem, relaxations, time_limit=0.75)
    assert [(outcome.bound, outcome.ended) for outcome in bounds.outcomes] == [
        (1, "finished"), (0, "finished"), (-math.inf, "finished")
    ]  # fmt: skip


def test_all_time_is_used(problem: Problem) -> None:
    bounds = tightest(problem, [endless("a", lambda: time.sleep(0.01)), yields("b", 0, 1)], time_limit=0.6)
    assert bounds.outcomes[0].seconds >= 0.5
    assert [outcome.ended for outcome in bounds.outcomes] == ["time-limit", "finished"]


def test_no_time_left_means_not_run(problem: Problem) -> None:
    slow = endless("slow", lambda: time.sleep(0.01))
    hasty = Relaxation("a", "nothing", lambda given: iter([time.sleep(0.2) or 1.0]))  # type: ignore[func-returns-value]
    bounds = tightest(problem, [hasty, slow], time_limit=0.1)
    assert [(outcome.ended, outcome.bound) for outcome in bounds.outcomes] == [
        ("time-limit", 1),
        ("not-run", -math.inf),
    ]


def test_interrupt_keeps_what_was_found_and_runs_no_more(problem: Problem) -> None:
    presses = iter(range(3))

    def press() -> None:
        if next(presses) == 2:
            raise KeyboardInterrupt

    bounds = tightest(problem, [yields("a", 0), endless("b", press), yields("c", 0)])
    assert [(outcome.bound, outcome.ended) for outcome in bounds.outcomes] == [
        (0, "finished"), (3, "interrupted"), (0, "interrupted")
    ]  # fmt: skip
    assert bounds.interrupted


def test_interrupt_of_the_first_runs_no_other(problem: Problem) -> None:
    def interrupted(problem: Problem) -> Iterator[float]:
        raise KeyboardInterrupt
        yield

    bounds = tightest(problem, [Relaxation("a", "nothing", interrupted), yields("b", 0)])
    assert [outcome.ended for outcome in bounds.outcomes] == ["interrupted", "not-run"]


def test_on_bound_hears_each_improvement_and_may_end_it(problem: Problem) -> None:
    heard = []
    tightest(
        problem, [yields("a", 1, 3, 2), yields("b", 0)], on_bound=lambda one, value: heard.append((one.name, value))
    )
    assert heard == [("a", 1), ("b", 0), ("a", 3)]

    def end(relaxation: Relaxation, bound: float) -> None:
        raise SearchEnded

    with pytest.raises(SearchEnded):
        tightest(problem, [yields("a", 1)], time_limit=60, on_bound=end)


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_what_no_bound_can_be_is_refused(problem: Problem, value: float) -> None:
    with pytest.raises(ValueError, match="relaxation 'a' yields"):
        tightest(problem, [yields("a", value)])


def test_error_of_a_relaxation_passes(problem: Problem) -> None:
    with pytest.raises(ZeroDivisionError):
        tightest(problem, [endless("a", lambda: 1 / 0)], time_limit=60)


def test_best_is_the_first_of_equals() -> None:
    a, b = (RelaxationResult(yields(name), 1.0, 0.0, "finished") for name in "ab")
    assert Bounds((a, b)).best is a


@pytest.mark.parametrize(("cause", "ended"), [(SearchEnded, "time-limit"), (KeyboardInterrupt, "interrupted")])
def test_end_in_the_middle_of_a_c_function_keeps_what_was_found(
    problem: Problem, cause: type[BaseException], ended: str
) -> None:
    """As numba has it, in which what a signal raises comes out as a `SystemError`."""

    def compiles(problem: Problem) -> Iterator[float]:
        yield 2.0
        try:
            raise cause
        except BaseException as error:
            raise SystemError("returned a result with an exception set") from error

    bounds = tightest(problem, [Relaxation("a", "nothing", compiles), yields("b", 1)], time_limit=60)
    assert (bounds.bound, bounds.outcomes[0].ended) == (2, ended)


def test_error_of_a_c_function_passes(problem: Problem) -> None:
    def broken(problem: Problem) -> Iterator[float]:
        raise SystemError("of its own")
        yield

    with pytest.raises(SystemError, match="of its own"):
        tightest(problem, [Relaxation("a", "nothing", broken)])
