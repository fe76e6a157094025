"""The package's front door."""

import subprocess
import sys

import pytest

import offbench


def test_import_costs_nothing() -> None:
    code = """
import sys
import offbench
heavy = {"numpy", "pydantic", "torch", "numba", "pandas", "networkx", "rich", "typer"} & sys.modules.keys()
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("name", offbench.__all__)
def test_public_name_is_there(name: str) -> None:
    assert getattr(offbench, name).__name__ in (name, name.lower())
    assert name in dir(offbench)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'slove'"):
        offbench.slove  # noqa: B018


def test_problem_and_evaluation_show_themselves_in_short() -> None:
    problem = offbench.P1(offbench.load("alexnet"))
    assert repr(problem) == "<P1 of 'alexnet': 11 subtasks, 11 servers>"
    assert "parts" not in repr(offbench.evaluate(problem, problem.everything_on(0)))
