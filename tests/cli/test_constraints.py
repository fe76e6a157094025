"""What commands say of placements that break constraints, and of several clients."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench.stand_ins import here
from typer.testing import CliRunner, Result

from offbench import P1, evaluate, load, solve
from offbench.bench import runner
from offbench.cli import app
from offbench.model.instance import Instance, Limits
from offbench.model.placement import Placement, load_placement
from offbench.report.page import gantt_page
from offbench.runs.conformance import instances
from offbench.runs.schedule import CLIENTS_AT_MOST, schedule

Run = Callable[..., Result]

ON_CLIENTS = """from offbench import Solver
class OnClients(Solver):
    'Everything on the clients.'
    def solve(self, problem, search):
        search.propose(problem.everything_on(problem.arrays.client))
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("tight.json").write_text(instances.binding().to_text(), encoding="utf-8")
    Path("in-vain.json").write_text(instances.infeasible().to_text(), encoding="utf-8")
    Path("phones.json").write_text(phones(20).to_text(), encoding="utf-8")
    Path("clients.py").write_text(ON_CLIENTS, encoding="utf-8")
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)))


def phones(count: int) -> Instance:
    """Return so many phones, of two sorts, with a task each."""
    both = instances.phones(deadline_s=1.0)
    first, edge, second, cloud = both.servers
    made = [(first, second)[i % 2].model_copy(update={"name": f"p{i}"}) for i in range(count)]
    tasks = [
        both.tasks[i % 2].model_copy(update={"name": f"t{i}", "client": f"p{i}", "layers": _of(both, i)})
        for i in range(count)
    ]
    kinds = [link for link in both.links if not {"phone-1", "phone-2"} & set(link.ends)]
    return both.model_copy(update={"servers": (*made, edge, cloud), "tasks": tuple(tasks), "links": tuple(kinds)})


def _of(both: Instance, i: int) -> Any:
    return tuple(
        layer.model_copy(update={"seconds": None, "gcycles": layer.gcycles or 1.0})
        for layer in both.tasks[i % 2].layers
    )


def test_client_only_stands_beside_itself(run: Run) -> None:
    found = run("solve", "--solver", "client-only", "tight.json")
    head, table = found.stdout.split("┏", 1)
    assert found.exit_code == 1 and "client-only on " in head and table.split("┡")[0].count("client-only") == 2
    run("solve", "--solver", "greedy", "--output", "client-only.json", "tight.json")
    rows = run("evaluate", "tight.json", "client-only.json").stdout
    for printed_ in (rows, run("solve", "--solver", "client-only", "alexnet").stdout):
        heads = next(line for line in printed_.splitlines() if line.startswith("┃ indicator"))
        assert heads.count("client-only") == 2


def test_nothing_is_called_fine_or_unbounded_where_nothing_is_feasible(run: Run) -> None:
    Path("hopeless.json").write_text(instances.phones(deadline_s=1e-9).to_text(), encoding="utf-8")
    told = run("instance", "check", "hopeless.json").stdout
    assert told.startswith("hopeless.json: an instance, but no placement is feasible: ")
    why = told.removeprefix("hopeless.json: an instance, but no placement is feasible: ").rsplit(" (", 1)[0][:40]
    assert f"no placement is feasible: {why}" in " ".join(run("instance", "show", "hopeless.json").stdout.split())
    assert printed(run("instance", "show", "--json", "hopeless.json"))["infeasible"].startswith(why)
    assert printed(run("instance", "show", "--json", "tight.json"))["infeasible"] is None
    bound = run("bound", "hopeless.json")
    assert bound.exit_code == 1 and f"keeps all constraints: {why}" in bound.stderr and "within" not in bound.stderr


@pytest.mark.parametrize("width", [60, 80, 110])
def test_gantt_fits_the_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    run("solve", "--solver", "greedy", "--output", "p.json", "phones.json")
    lines = run("show", "phones.json", "p.json").stdout.splitlines()
    rows = [line for line in lines if " · " in line or (line.rstrip().endswith(" s") and line.startswith("  "))]
    assert len(rows) > 1 and not any("…" in row for row in rows), rows
    assert max(map(len, lines)) <= width


def test_page_says_by_colour_whether_constraints_are_kept() -> None:
    tight = instances.binding()
    kept, broken = (gantt_page("p", schedule(tight, found)) for found in _both(tight))
    assert '<p class="kept">feasible' in kept and '<p class="broken">not feasible' in broken
    assert 'class="note"' not in kept + broken


def _both(tight: Instance) -> tuple[Placement, Placement]:
    """Return a feasible placement and one that isn't."""
    problem = P1(tight)
    found = solve(tight, "greedy").placement
    assert found is not None
    return found, Placement(problem.everything_on(problem.arrays.client))


def printed(result: Result) -> Any:
    return json.loads(result.stdout)


def test_placement_that_breaks_constraints_is_named_so_and_no_error(run: Run) -> None:
    """Each phone holds its layers' 24 and 35 MB in 20 MB, and takes 0.8 s and more of the 0.7 s."""
    assert run("solve", "tight.json", "--solver", "./clients.py", "--output", "p.json").exit_code == 1
    told = run("evaluate", "tight.json", "p.json")
    assert told.exit_code == 0, told.stderr
    first = told.stdout.splitlines()[0]
    assert first.startswith("not feasible: breaks") and "deadline" in first
    assert "server 'phone-1' holds 24 MB of weights, its memory is 20 MB (120 %)" in " ".join(told.stdout.split())
    facts = printed(run("evaluate", "tight.json", "p.json", "--json"))
    assert facts["feasible"] is False and facts["violation"] > 0
    assert sum(each["excess"] for each in facts["breaches"]) == pytest.approx(facts["violation"])
    assert facts["breaches"] == sorted(facts["breaches"], key=lambda each: -each["share"])
    shown = run("show", "tight.json", "p.json").stdout
    assert "not feasible" in shown and "✗" in shown and "24 of 20 (120 %)" in shown


def test_run_without_a_feasible_placement_tells_what_breaks(run: Run) -> None:
    result = run("solve", "tight.json", "--solver", "./clients.py", "--output", "p.json")
    assert result.exit_code == 1
    assert "no-placement" in result.stdout and "not feasible: breaks" in result.stdout
    assert "not comparable" in result.stdout and "missed improvement" not in result.stdout
    assert "nothing feasible was found" in result.stderr
    data = printed(run("solve", "tight.json", "--solver", "./clients.py", "--json"))
    assert (data["status"], data["feasible"], data["objective"], data["gap"]) == ("no-placement", False, None, None)
    assert data["placement"] is not None and data["violation"] == data["evaluation"]["violation"] > 0
    assert data["trace"][-1][2] is None and data["trace"][-1][4] == data["violation"]
    placement = load_placement("p.json", load("tight.json"))
    assert evaluate(load("tight.json"), placement).violation == data["violation"]
    quiet = run("solve", "tight.json", "--solver", "./clients.py", "--quiet")
    assert quiet.stdout == "" and "least violation" in quiet.stderr and "most: " in quiet.stderr


def test_what_is_proven_infeasible_says_so(run: Run) -> None:
    result = run("solve", "in-vain.json", "--solver", "milp", "--time-limit", 60)
    assert result.exit_code == 1
    assert "infeasible" in result.output and "no placement keeps all constraints" in " ".join(result.output.split())


def test_dispatch_order_can_make_a_placement_feasible(run: Run) -> None:
    data = printed(run("solve", "tight.json", "--solver", "./clients.py", "--p2", "fcfs", "--json"))
    assert data["status"] == "no-placement"
    assert (data["p2"]["objective_before"], data["p2"]["gain"]) == (None, None)


def test_front_is_of_feasible_placements(run: Run) -> None:
    found = run("pareto", "tight.json", "--solver", "./clients.py", "--time-limit", 3, "--output", "front")
    assert found.exit_code == 0, found.stderr
    assert "no feasible placement of 'two phones, tight'" in found.stderr
    for file in Path("front/placements").iterdir():
        assert evaluate(load("tight.json"), load_placement(file, load("tight.json"))).feasible
    none = run("pareto", "in-vain.json", "--time-limit", 1, "--output", "none")
    assert none.exit_code == 1 and "no feasible placement of" in none.stderr


def test_many_clients_alike_are_one_row(run: Run) -> None:
    shown = run("instance", "show", "phones.json").stdout
    assert "p0 ... p18 (10)" in shown and "p1 ... p19 (10)" in shown
    assert "client → edge" in shown and "latency s" in shown and "deadline" in shown
    assert "p7 " not in shown.split("critical path")[0].split("GHz")[0]
    told = run("solve", "phones.json", "--solver", "./clients.py", "--output", "p.json").stdout
    assert "L 20 clients" in told
    assert "8 more clients run layers" in run("show", "phones.json", "p.json").stdout
    assert (
        run("instance", "check", "phones.json").stdout
        == "phones.json: fine: 22 servers (20 clients), 20 tasks, 70 subtasks\n"
    )


def test_limits_and_measured_layers_are_shown(run: Run) -> None:
    told = run("instance", "show", "tight.json", "--layers").stdout
    assert "limits on the totals: energy 2.5 J" in told
    assert "memory MB" in told and "idle W" in told
    data = printed(run("instance", "show", "tight.json", "--json"))
    assert data["limits"] == {"energy_j": 2.5} and data["format"] == "offbench/2"
    assert [task["client"] for task in data["tasks"]] == ["phone-1", "phone-2"]


def test_check_tells_what_can_not_be(run: Run) -> None:
    tight = instances.phones(limits=Limits(energy_j=1e-6)).to_text()
    Path("cold.json").write_text(tight, encoding="utf-8")
    told = run("instance", "check", "cold.json")
    assert told.exit_code == 0 and "no placement is feasible: the limit of 1e-06 J" in told.stdout


def test_gantt_has_a_lane_for_each_client_and_marks_deadlines() -> None:
    """Of 20 phones that run their own layers 12 have a lane; a deadline lies 1 s after each arrival."""
    many = phones(20)
    found = schedule(many, Placement([0] * many.subtasks))
    assert len(found.lanes) == 20 and len(found.rows) == CLIENTS_AT_MOST
    assert found.folded == "8 more clients run layers"
    assert [deadline.at_s for deadline in found.deadlines] == [task.arrival_s + 1 for task in many.tasks]
    assert all(deadline.late == (deadline.share > 1) for deadline in found.deadlines)
    assert gantt_page("p", found).count("8 more clients run layers") == 1
    slots = {(int(s), int(slot)) for s, slot in zip(found.servers, found.slots, strict=True)}
    assert slots == {(s, 0) for s in range(20)}  # they don't queue for one another


def test_bound_and_front_tell_that_none_is_feasible(run: Run) -> None:
    """As often as they are asked: no folder is left that would be in the way."""
    Path("late.json").write_text(instances.phones(deadline_s=1e-6).to_text(), encoding="utf-8")
    for command in (("bound", "late.json"), ("pareto", "late.json", "--output", "front", "--time-limit", 5)) * 2:
        result = run(*command)
        assert result.exit_code == 1
        assert "keeps all constraints: task " in result.stderr and "within" not in result.stderr
        assert not Path("front").exists()
    assert "can't meet its deadline" in json.loads(run("bound", "late.json", "--json").stdout)["infeasible"]


def test_report_has_runs_that_break_constraints(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their gap to what others found is infinite, which JSON can't tell."""
    monkeypatch.setattr(runner, "workers", here)
    Path("mixed.toml").write_text(
        'name = "mixed"\ninstances = ["tight.json", "in-vain.json"]\nsolvers = ["./clients.py", "local-search"]\n'
        "seeds = 1\ntime_limit_s = 60\nmax_evaluations = 5000\n",
        encoding="utf-8",
    )
    assert run("bench", "mixed.toml", "--output", "mixed").exit_code == 0
    told = run("report", "mixed")
    assert told.exit_code == 0, told.output
    page = Path("mixed/report.html").read_text(encoding="utf-8")
    assert '"q":null' in page and '"gap":0.0' in page
