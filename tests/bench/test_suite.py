"""What suite files say, and what a plan makes of them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offbench import OffbenchError
from offbench.bench.job import NOT_INSTALLED, code_of
from offbench.bench.plan import plan, together
from offbench.bench.suite import Suite, find_suite, instances_of, read_suite, restricted, shipped_suites
from offbench.model.instance import load

Write = Callable[[str, Any], Path]

SMALL = """
name = "small"
instances = ["tiny-chains", { networks = ["alexnet", "vgg19"], tasks = 3, poisson = 2, seed = 4 }]
solvers = ["random", { name = "greedy", seeds = 1 }, { name = "random", parameters = { batch = 7 } }]
seeds = 3
time_limit_s = 5
"""


def suite_of(write: Write, text: str = SMALL) -> Suite:
    return read_suite(write("small.toml", text))


def test_labels_tell_parameters_and_seeds_are_counted_or_listed(write: Write) -> None:
    suite = suite_of(write)
    assert [entrant.label for entrant in suite.solvers] == ["random", "greedy", "random batch=7"]
    assert [suite.seeds_of(entrant) for entrant in suite.solvers] == [(0, 1, 2), (0,), (0, 1, 2)]
    assert suite_of(write, SMALL.replace("seeds = 3", "seeds = [5, 7]")).seeds == (5, 7)


def test_two_steps_and_policies_are_entrants_of_their_own(write: Write, tmp_path: Path) -> None:
    two = suite_of(write, SMALL.replace('"random", {', '"random", { name = "random", two_step = true }, {'))
    assert [entrant.label for entrant in two.solvers][:2] == ["random", "random two-step"]
    made = plan(two, tmp_path)
    assert {job.two_step for job in made.jobs if job.solver == "random two-step"} == {True}
    assert len({job.key for job in made.jobs}) == len(made.jobs)
    with_policy = suite_of(write, SMALL.replace('"random", {', '{ policy = "trained/plus" }, {'))
    assert with_policy.solvers[0].label == "policy plus"
    with pytest.raises(OffbenchError, match="trained/plus"):
        plan(with_policy, tmp_path)
    with pytest.raises(OffbenchError, match="trained with"):
        suite_of(write, SMALL.replace('"random", {', '{ policy = "trained/plus", parameters = { lr = 1 } }, {'))


def test_composed_instance_is_that_of_instance_make(write: Write) -> None:
    _, made = instances_of(suite_of(write), Path())
    assert (made.name, len(made.tasks)) == ("alexnet-vgg19-x3", 3)
    arrivals = [task.arrival_s for task in made.tasks]
    assert arrivals == sorted(arrivals)
    assert arrivals[0] == 0 < arrivals[1]


def test_composed_instance_has_other_servers_weights_and_reading(write: Write) -> None:
    weights = "{ delay = 0.7, energy = 0.2, cost = 0.1, score = 1.0, coordination = 0.0, balance = 0.0 }"
    text = f"""
name = "two"
solvers = ["greedy"]
[[instances]]
networks = ["alexnet"]
tasks = 1
[[instances]]
networks = ["alexnet"]
tasks = 1
name = "other"
edges = 2
clouds = 0
weights = {weights}
coordination = {{ indicators = "benefits", root = 3 }}
"""
    plain, made = instances_of(suite_of(write, text), Path())
    assert plain.hash == load("alexnet").hash  # so that what is known of it counts
    assert [server.name for server in made.servers] == ["client", "edge-1", "edge-2"]
    assert (made.weights.delay, made.weights.coordination) == (0.7, 0.0)
    assert (made.coordination.indicators, made.coordination.root) == ("benefits", 3)


def test_plans_together_make_a_shared_run_once(write: Write) -> None:
    one = plan(suite_of(write), Path())
    other = plan(suite_of(write, SMALL.replace("seeds = 3", "seeds = 4")), Path())
    both = together("both", [one, other])
    assert {job.cell for job in both.jobs} == {job.cell for job in other.jobs}
    assert len(both.jobs) == len(other.jobs) and both.suite.name == "both"
    assert [job.seed for job in both.jobs] == sorted(job.seed for job in both.jobs)
    with pytest.raises(ValueError, match="differ"):
        together("both", [one, plan(suite_of(write, SMALL.replace("time_limit_s = 5", "time_limit_s = 6")), Path())])


@pytest.mark.parametrize("name", shipped_suites())
def test_shipped_suite_is_read_and_planned(name: str) -> None:
    suite = read_suite(find_suite(name))
    # The folder `results/paper` is the reproduction's.
    assert suite.name == {"paper": "paper-networks"}.get(name, name)
    made = plan(suite, find_suite(name).parent)
    assert {job.solver for job in made.jobs} == {entrant.label for entrant in suite.solvers}
    assert len(made.jobs) == len(made.instances) * sum(len(suite.seeds_of(entrant)) for entrant in suite.solvers)


def test_smoke_is_under_a_minute() -> None:
    from offbench.bench.forecast import seconds_of_all

    suite = read_suite(find_suite("smoke"))
    assert seconds_of_all(plan(suite, Path()).jobs, {}) < 60


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("seeds = 3", "seeds = 0"), "seeds: must be at least 1"),
        (("seeds = 3", "seeds = -1"), "seeds"),
        (("time_limit_s = 5", "time_limit_s = 0"), "time_limit_s"),
        (("time_limit_s", "time_limit"), "time_limit: unknown field"),
        (('name = "small"', 'name = "../up"'), "name"),
        (('name = "small"\n', ""), "name: this field is missing"),
        (('"random", {', '"greedy", {'), "solvers: 'greedy' stands twice"),
        (("tasks = 3", "tasks = 0"), "tasks"),
        (("seeds = 3", "seeds = "), "not valid TOML"),
    ],
)
def test_wrong_suite_is_told_in_one_line(change: tuple[str, str], told: str, write: Write) -> None:
    with pytest.raises(OffbenchError) as caught:
        suite_of(write, SMALL.replace(*change))
    assert told in str(caught.value)
    assert "small.toml" in str(caught.value)


def test_unknown_names_have_hints(write: Write) -> None:
    with pytest.raises(OffbenchError, match="did you mean 'smoke'"):
        find_suite("smokee")
    with pytest.raises(OffbenchError, match="did you mean 'tiny-chains'"):
        instances_of(suite_of(write, SMALL.replace("tiny-chains", "tiny-chain")), Path())


def test_command_line_chooses_and_adds(write: Write) -> None:
    suite = suite_of(write)
    found = restricted(
        suite, ["alexnet"], ["random batch=7", "greedy", "beam"], seeds=5, time_limit_s=1, max_evaluations=9
    )
    assert [(entrant.label, entrant.seeds) for entrant in found.solvers] == [
        ("random batch=7", None), ("greedy", (0,)), ("beam", None),
    ]  # fmt: skip
    assert (found.instances, found.seeds, found.time_limit_s, found.max_evaluations) == (
        ("alexnet",), (0, 1, 2, 3, 4), 1, 9,
    )  # fmt: skip
    assert restricted(suite) == suite
    with pytest.raises(OffbenchError, match="time_limit_s"):
        restricted(suite, time_limit_s=-1)


def test_jobs_come_in_blocks_of_one_seed_shuffled_inside(write: Write) -> None:
    made = plan(suite_of(write), Path())
    seeds = [job.seed for job in made.jobs]
    assert seeds == sorted(seeds)
    first = [job.cell for job in made.jobs if job.seed == 1]
    assert first != sorted(first)
    assert len({job.key for job in made.jobs}) == len(made.jobs) == 2 * (3 + 1 + 3)
    assert plan(suite_of(write), Path()).jobs == made.jobs


def test_solver_that_is_not_there_has_jobs_but_must_not_be_named_on_the_command_line(write: Write) -> None:
    suite = suite_of(write, SMALL.replace('"random", {', '"gredy", {'))
    made = plan(suite, Path())
    assert {job.code for job in made.jobs if job.solver == "gredy"} == {NOT_INSTALLED}
    assert "did you mean 'greedy'" in made.absent["gredy"]
    with pytest.raises(OffbenchError, match="unknown solver 'gredy'"):
        plan(suite, Path(), required=["gredy"])


@pytest.mark.parametrize(
    ("solver", "told"),
    [
        ('{ name = "random", parameters = { bath = 1 } }', "no parameter 'bath'"),
        ('"fcfs"', "solves P2"),
        ('"./no.py"', "no such file"),
    ],
)
def test_solver_that_cannot_run_is_refused_before_anything_runs(solver: str, told: str, write: Write) -> None:
    with pytest.raises(OffbenchError, match=told):
        plan(suite_of(write, SMALL.replace('"random", {', f"{solver}, {{")), Path())


MINE = "from offbench import Solver\nclass Mine(Solver):\n    'x'\n    def solve(self, problem, search):\n        {}\n"


def test_code_is_that_of_the_solver_and_the_core(write: Write) -> None:
    mine = str(write("mine.py", MINE.format("pass")))
    before, others = code_of(mine), (code_of("greedy"), code_of("random"))
    assert len({before, *others}) == 3
    write("mine.py", MINE.format("search.check()"))
    assert code_of(mine) != before
    assert (code_of("greedy"), code_of("random")) == others
    assert code_of("nobody") == NOT_INSTALLED


def test_key_is_of_all_that_decides_a_run_but_of_no_label(write: Write) -> None:
    job = plan(suite_of(write), Path()).jobs[0]
    changes: dict[str, Any] = {
        "instance_hash": "0", "name": "other", "parameters": {"x": 1}, "seed": 9, "time_limit_s": 6.0,
        "max_evaluations": 3, "code": "other",
    }  # fmt: skip
    keys = {job.model_copy(update={name: value}).key for name, value in changes.items()}
    assert len(keys | {job.key}) == 1 + len(changes)
    assert job.model_copy(update={"instance": "renamed", "solver": "label"}).key == job.key
    here, there = (job.model_copy(update={"name": f"/{folder}/mine.py:Mine"}).key for folder in ("here", "there"))
    assert here == there


def test_hard_limit_is_twice_the_limit_or_five_seconds_more() -> None:
    from bench.stand_ins import job

    assert [job(time_limit_s=limit).hard_limit_s for limit in (0.5, 3.0, 60.0)] == [1.0, 6.0, 65.0]


def test_composed_instances_of_the_guide_are_what_it_says(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs/guides/benchmark.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "rush-hour.toml").write_text(text, encoding="utf-8")
    suite = read_suite(tmp_path / "rush-hour.toml")
    resnet, rush, score = instances_of(suite, tmp_path)
    assert (resnet.name, rush.name, score.name) == ("resnet", "rush", "rush-score")
    assert len(rush.tasks) == 20 and rush.tasks[-1].arrival_s > 0
    assert [len(rush.servers_of(kind)) for kind in ("client", "edge", "cloud")] == [1, 3, 2]
    layers = [len(load(name).tasks[0].layers) for name in ("alexnet", "resnet")]
    assert [len(task.layers) for task in rush.tasks] == layers * 10
    assert rush.weights == load("resnet").weights and score.tasks == rush.tasks
    assert (score.weights.score, score.coordination.indicators) == (1, "benefits")
    (alone,) = instances_of(restricted(suite, ["rush"]), tmp_path)
    assert alone == rush
    assert len(plan(suite, tmp_path).jobs) == 3 * 2 * 3
