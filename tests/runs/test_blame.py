"""What a solver raises: none ends the program, and its author is told where."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from offbench import OffbenchError, solve, solve_two_step
from offbench.cli import app
from offbench.search.budget import SolverError

Write = Callable[[str, Any], Path]

RAISES = """
import sys
from offbench import Solver

class Own(BaseException):
    pass

class Raising(Solver):
    '''Proposes, then raises.'''
    def solve(self, problem, search):
        search.propose(problem.everything_on(0))
        self.deeper()

    def deeper(self):
        {statement}
"""
LINE = 15


def raising(write: Write, statement: str) -> str:
    return str(write("raising.py", RAISES.format(statement=statement)))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("sys.exit(0)", "solver 'raising' called sys.exit(0)"),
        ("sys.exit()", "solver 'raising' called sys.exit()"),
        ("sys.exit('no more')", "solver 'raising' called sys.exit('no more')"),
        ("raise GeneratorExit", "solver 'raising' raised GeneratorExit, which is no Exception"),
        ("raise Own('mine')", "solver 'raising' raised Own: mine, which is no Exception"),
    ],
)
def test_what_would_end_the_program_is_an_error_that_says_so(write: Write, statement: str, told: str) -> None:
    solver = raising(write, statement)
    with pytest.raises(SolverError) as caught:
        solve("alexnet", solver)
    assert str(caught.value) == told
    assert caught.traceback[-1].name == "deeper"  # where, and the exception itself as its cause
    assert isinstance(caught.value.__cause__, BaseException)
    with pytest.raises(SolverError):
        solve_two_step("googlenet", solver)
    result = CliRunner().invoke(app, ["solve", "--solver", solver, "--max-evaluations", "5", "alexnet"])
    assert (result.exit_code, result.stdout) == (1, "")
    *_, last = result.stderr.splitlines()
    assert last == f"offbench: {told}"
    assert f'raising.py", line {LINE}, in deeper' in result.stderr


@pytest.mark.parametrize("place", ["module", "warm_up", "validator"])
def test_exit_before_the_search_is_no_other(write: Write, place: str) -> None:
    source = {
        "module": "import sys\nsys.exit(0)",
        "warm_up": RAISES.format(statement="pass") + "    def warm_up(self):\n        sys.exit(0)\n",
        "validator": RAISES.format(statement="pass") + "    def model_post_init(self, context):\n        sys.exit(0)\n",
    }[place]
    kind = OffbenchError if place == "module" else SolverError
    with pytest.raises(kind, match=r"(called|calls) sys.exit\(0\)"):
        solve("alexnet", str(write("raising.py", source)))


@pytest.mark.parametrize("two_step", [False, True])
def test_solvers_own_exception_is_raised_as_it_is_with_a_note(write: Write, two_step: bool) -> None:
    run = solve_two_step if two_step else solve
    with pytest.raises(ZeroDivisionError) as caught:
        run("alexnet", raising(write, "1 / 0"))
    instance = "alexnet-initial" if two_step else "alexnet"
    assert caught.value.__notes__ == [f"raised by solver 'raising' on instance '{instance}'"]


@pytest.mark.parametrize("command", [["solve"], ["solve", "--two-step"]])
def test_author_sees_the_own_frames_and_one_line(write: Write, command: list[str]) -> None:
    options = ["--solver", raising(write, "1 / 0"), "--max-evaluations", "5", "alexnet"]
    result = CliRunner().invoke(app, [*command, *options])
    assert result.exit_code == 1
    first, *frames, last = result.stderr.splitlines()
    assert first == "Traceback (most recent call last):"
    assert [line.rpartition(", ")[2] for line in frames if line.startswith("  File")] == ["in solve", "in deeper"]
    assert f'raising.py", line {LINE}, in deeper' in frames[-3] + frames[-2] + frames[-1]
    assert last.startswith("offbench: ZeroDivisionError: division by zero; raised by solver 'raising' on instance")


def test_error_of_our_own_is_not_laid_to_a_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("offbench.model.objectives.load", broken)
    result = CliRunner().invoke(app, ["solve", "--solver", "greedy", "alexnet"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_users_own_exit_is_let_through(write: Write) -> None:
    def leave(search: object) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        solve("alexnet", "greedy", on_start=leave)


def test_mistake_that_a_solver_tells_is_one(write: Write) -> None:
    statement = "from offbench import OffbenchError; raise OffbenchError('not for chains')"
    with pytest.raises(OffbenchError, match="not for chains"):
        solve("alexnet", raising(write, statement))


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("search.clock._start += 1e9", "changed the run's clock: it shows -1e+09 s"),
        ("search._objective = -1e9", "changed its problem, or what its search keeps: the incumbent's objective is"),
        ("search.incumbent.servers[:] = 1", "changed its problem, or what its search keeps"),
        ("search.incumbent.servers[:] = 99", "changed its problem, or what its search keeps"),
        (
            "problem.packed[1][:] /= 2; search.propose(problem.everything_on(0))",
            "changed its problem",
        ),
    ],
)
def test_who_changes_what_it_is_measured_by_is_told_so_in_one_line(write: Write, statement: str, told: str) -> None:
    body = RAISES.format(statement="pass").replace("self.deeper()", statement)
    solver = str(write("changing.py", body))
    with pytest.raises(SolverError, match=f"^solver 'changing' {told.replace('+', '.')}"):
        solve("alexnet", solver)
    result = CliRunner().invoke(app, ["solve", "--solver", solver, "alexnet"])
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("offbench: solver 'changing' changed")


UNTELLABLE = "raise type('E', (ValueError,), {'__str__': lambda self: 1 / 0})"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("raise ValueError('\\udcff\\x1b[2J' + 'x' * 10**6)", r"ValueError: \udcff\x1b[2Jxxx"),
        (UNTELLABLE, "E: its text can't be made: ZeroDivisionError"),
    ],
)
def test_texts_of_solvers_are_fit_to_be_shown(write: Write, statement: str, told: str) -> None:
    result = CliRunner().invoke(app, ["solve", "--solver", raising(write, statement), "alexnet"])
    assert result.exit_code == 1
    *_, last = result.stderr.splitlines()
    assert last.startswith(f"offbench: {told}") and len(last) < 3000


def test_reason_is_fit_to_be_shown(write: Write) -> None:
    statement = "from offbench import Infeasible; raise Infeasible('\\udcff\\x1b' + 'x' * 10**6)"
    solver = str(write("raising.py", RAISES.format(statement=statement).replace("search.propose", "str")))
    solution = solve("alexnet", solver)
    assert solution.status == "infeasible" and len(solution.reason) < 3000
    assert solution.reason.startswith(r"\udcff\x1bxxx") and solution.reason.isprintable()
