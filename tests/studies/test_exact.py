"""The measuring of exact solvers, with a solver that enumerates and one that proves nothing."""

import json
from pathlib import Path

import pytest

from experiments._shared.drawn import REMOTES, alexnets, chain, inception, queues
from experiments._shared.enumeration import ENUMERATE
from experiments._shared.one_run import run
from experiments.largest_sizes import Record, climb
from experiments.time_to_proof import groups


def test_drawn_instances_have_the_sizes_asked_for_and_come_again() -> None:
    for servers in REMOTES:
        made = [chain(7, servers, 1), alexnets(2, 3, servers), queues(3, 4, servers, 1), inception(servers)]
        assert [instance.subtasks for instance in made] == [7, 6, 12, 9]
        assert {len(instance.servers) for instance in made} == {servers}
    assert queues(3, 4, 5, 1) == queues(3, 4, 5, 1) != queues(3, 4, 5, 2)


def test_compared_instances_have_names_of_their_own() -> None:
    names = [instance.name for instances in groups().values() for instance in instances]
    assert len(set(names)) == len(names)


def test_run_in_a_process_of_its_own() -> None:
    first, again = run(chain(2, 3, 0), ENUMERATE, 60, again=True)
    assert first.proven and again.proven
    assert first.objective == again.objective == first.bound
    (greedy,) = run(chain(2, 3, 0), "greedy", 60, again=True)
    assert not greedy.proven
    (wrong,) = run(chain(2, 3, 0), "greedy", 60, servers=[0, 0])
    assert "refused" in wrong.status and "P2" in wrong.status


def test_climb_ends_at_the_first_step_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = Record(tmp_path / "runs.json")
    (row,) = climb("chain", "greedy", 60, [5], record)
    assert row == "| chain | `greedy` | 1 | 5 | none | 0.0 |"
    assert capsys.readouterr().out.count("feasible") == 1  # no other seed is tried
    assert len(json.loads((tmp_path / "runs.json").read_text())) == 1
