"""Whatever a run's process answers, it leaves one row that can be written and read again."""

import json
import math
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.stand_ins import MACHINE, job
from offbench import load, solve
from offbench.bench.job import Job
from offbench.bench.process import SolverProcess, request_of, run_job
from offbench.bench.row import Row, row_of
from offbench.bench.store import Store

Write = Callable[[str, Any], Path]
Answer = dict[str, Any]
INSTANCE = load("tiny-chains").model_dump(mode="json")


@pytest.fixture(scope="module")
def good() -> Answer:
    """Return an honest answer, with a trace of several points."""
    facts = json.loads(json.dumps(solve("vgg19", "random", parameters={"batch": 1}, max_evaluations=300).to_dict()))
    assert len(facts["trace"]) > 2
    return {"solution": facts | {"curves": {"loss": [[1.0, 0.5]]}}, "cpu_s": 0.5, "memory_mb": 90.0, "machine": MACHINE}


def kept(row: Row, tmp_path: Path) -> Row:
    """Return a row as a store has it, which sets aside what it can't read."""
    store = Store(tmp_path)
    store.put(row)
    found = store.get(row.job)
    assert found is not None and store.damaged == []
    return found


def test_honest_answer_becomes_its_row(good: Answer, tmp_path: Path) -> None:
    row = row_of(job(), good, jobs=1, waited_s=60)
    facts = good["solution"]
    assert (row.status, row.objective, row.evaluations) == ("feasible", facts["objective"], 300)
    assert [list(point) for point in row.trace] == facts["trace"]
    assert row.curves == {"loss": ((1.0, 0.5),)} and row.not_finite == {}
    assert row.client_only == facts["client_only"]["objective"]
    assert row.indicators["delay_s"] == facts["evaluation"]["delay_s"]
    assert kept(row, tmp_path) == row


LIES: list[tuple[str, Any, str]] = [
    ("solution", [], "solution"),
    ("solution", None, "either a solution or a reason"),
    ("status", "error", "either a solution or a reason"),
    ("status", "won", "status"),
    ("cpu_s", math.nan, "cpu_s"),
    ("machine", {"host": 1}, "machine"),
    ("solution.status", "optimal", "the lower bound says otherwise"),
    ("solution.status", "timeout", "solution.status"),
    ("solution.status", "no-placement", "the placement is there"),
    ("solution.objective", None, "the placement is missing"),
    ("solution.objective", "low", "objective"),
    ("solution.objective", -1e9, "another than the evaluator's"),
    ("solution.objective", math.nan, "finite"),
    ("solution.lower_bound", math.inf, "finite"),
    ("solution.lower_bound", 1e9, "the lower bound says otherwise"),
    ("solution.evaluation", None, "comes with its evaluation"),
    ("solution.evaluation.violation", 0.5, "another than the evaluator's"),
    ("solution.violation", 0.5, "another than the evaluator's"),
    ("solution.feasible", False, "status"),
    ("solution.placement", None, "comes with its evaluation"),
    ("solution.evaluation.delay_s", math.nan, "delay_s"),
    ("solution.client_only", {}, "client_only"),
    ("solution.placement", {"servers": "all"}, "placement"),
    ("solution.seconds", -999999998.995, "seconds"),
    ("solution.seconds", 1e9, "its clock was changed"),
    ("solution.evaluations", 3.5, "evaluations"),
    ("solution.evaluations", "many", "evaluations"),
    ("solution.evaluations", True, "evaluations"),
    ("solution.evaluations", -1, "evaluations"),
    ("solution.evaluations", 10**30, "evaluations"),
    ("solution.trace", [[math.nan, 1, 1.0, None]], "trace"),
    ("solution.trace", [[0.0, 1, -1e9, None]], "trace: has an objective of -1000000000.0"),
    ("solution.trace", [[0.0, 1, None, 1e9]], "trace: has a bound of 1000000000.0"),
    ("solution.trace", [[0.0, 1]], "trace"),
    ("solution.trace", None, "trace"),
    ("solution.curves", {"loss": [[1, math.nan]]}, "curves"),
    ("solution.curves", {"\udcff": [[1, 1.0]]}, "no result"),
    ("solution.policy", {"objective": math.nan}, "can't be written down"),
]


@pytest.mark.parametrize(("place", "value", "told"), LIES, ids=[f"{place}={value!r}" for place, value, _ in LIES])
def test_answer_that_is_none_becomes_an_error_that_says_where(
    place: str, value: Any, told: str, good: Answer, tmp_path: Path
) -> None:
    answer = deepcopy(good)
    *path, last = place.split(".")
    inner = answer
    for name in path:
        inner = inner[name]
    inner[last] = value
    row = row_of(job(), answer, jobs=2, waited_s=60)
    assert (row.status, row.objective, row.jobs) == ("error", None, 2)
    assert row.message.startswith("what its process answered is no result: ") and told in row.message
    assert kept(row, tmp_path) == row


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_no_answer_breaks_a_row(data: st.DataObject, good: Answer) -> None:
    answer = deepcopy(good)
    for inner in (answer["solution"], answer):
        names = data.draw(st.lists(st.sampled_from(sorted(inner)), max_size=2))
        inner |= {name: data.draw(JSON_VALUES) for name in names}
    row = row_of(job(), answer, jobs=1, waited_s=60)
    assert Row.model_validate_json(row.model_dump_json()) == row
    assert row.status == "error" or row.objective == good["solution"]["objective"]


def test_texts_are_capped_and_fit_to_be_shown(tmp_path: Path) -> None:
    text = "\x1b]0;title\x07 bad name \udcff\n" + "x" * 5_000_000
    answer = {"status": "error", "message": text, "traceback": text, "machine": MACHINE}
    row = row_of(job(), answer, jobs=1)
    assert row.status == "error" and row.message.startswith(r"\x1b]0;title\x07 bad name \udcff x")
    assert len(row.message) < 3000 and len(row.traceback) < 30_000 and row.traceback.count("\n") == 1
    assert "characters left out" in row.message
    assert kept(row, tmp_path) == row


HEAD = """
import json, os, sys, time
import numpy as np
from offbench import Solver

def say(text):
    for fd in range(3, 12):
        try:
            os.write(fd, f"\\n{os.environ['OFFBENCH_PROCESS']} {text}\\n".encode())
        except OSError:
            pass
"""
BODIES: dict[str, tuple[str, str, str]] = {
    "HalfCount": ("search.count(2.5)", "error", "TypeError: search.count: must be a whole number, not 2.5"),
    "Evaluations": ("search.evaluations = 'many'", "error", "AttributeError"),
    "Objective": ("search.objective = -1e9", "error", "AttributeError"),
    "Trace": ("search.trace.append((0.0, 1, -1e9, None))", "error", "AttributeError"),
    "Bound": ("search.lower_bound = search.objective", "error", "AttributeError"),
    "Nan": ("search.bound(float('nan'))", "error", "BoundError"),
    "Policy": ("search.policy = np.array([99])", "error", "InvalidPlacement: search.policy: "),
    "Clock": ("search.clock._start += 1e9", "error", "changed the run's clock: it shows -1e+09 s"),
    "Record": ("search._objective = -1e9", "error", "changed its problem, or what its search keeps"),
    "Problem": (
        "problem.packed[1][:] *= 2.0; search.propose([1] * problem.n_subtasks)",
        "error",
        "changed its problem",
    ),
    "Surrogate": ("raise ValueError(os.fsdecode(b'bad name \\xff'))", "error", r"ValueError: bad name \udcff"),
    "Huge": ("raise ValueError('x' * 5_000_000)", "error", "ValueError: xxx"),
    "Untellable": ("raise type('E', (ValueError,), {'__str__': lambda self: 1 / 0})", "error", "can't be made"),
    "Numpy": ("search.count(np.int64(5)); search.bound(np.float32(-100.0))", "feasible", ""),
    "Diverging": (
        "for k in range(9): search.diary.tell('loss', np.float32('nan' if k % 2 else 'inf'), k)",
        "feasible",
        "",
    ),
    "Noise": ("os.write(3, b'noise' * 100); print('{}')", "feasible", ""),
}


@pytest.fixture
def solver(write: Write) -> Callable[[str], str]:
    text = HEAD
    for name, (body, _, _) in BODIES.items() | LIARS.items():
        lines = '    "x"\n    def solve(self, problem, search):\n        search.propose(problem.everything_on(0))\n'
        text += f"class {name}(Solver):\n{lines}        {body}\n"
    path = write("mine.py", text)
    return lambda name: f"{path}:{name}"


# What a solver says in place of its run's process, which knows no other voice.
LIARS = {
    "Claim": ("say(json.dumps({'solution': None, 'status': 'optimal'}))", "error", "no result: status"),
    "Deep": ("say('[' * 10**5)", "error", "no JSON object"),
}


def test_misbehaving_solvers_leave_honest_rows(solver: Callable[[str], str], tmp_path: Path) -> None:
    rows: dict[str, Row] = {}
    with SolverProcess() as process:
        for name in BODIES:
            one = job(solver=solver(name))
            rows[name] = row_of(one, process.facts | process.ask(request_of(one, INSTANCE), 60), jobs=1)
    for name, (_, status, told) in BODIES.items():
        row = rows[name]
        assert row.status == status and told in row.message, (name, row.message)
        assert len(row.message) < 3000 and len(row.traceback) < 30_000
        assert kept(row, tmp_path) == row
    assert rows["Numpy"].evaluations == 6 and rows["Numpy"].lower_bound == -100.0
    assert rows["Diverging"].not_finite == {"loss": 9} and rows["Diverging"].curves == {}


@pytest.mark.parametrize("name", LIARS)
def test_who_speaks_for_its_process_is_not_believed(name: str, solver: Callable[[str], str], tmp_path: Path) -> None:
    one: Job = job(solver=solver(name))
    row = run_job(one, INSTANCE)
    assert row.status == LIARS[name][1] and LIARS[name][2] in row.message
    assert kept(row, tmp_path) == row
