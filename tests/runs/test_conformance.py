"""The conformance checks find what solvers do wrong, end those that don't stop, and let honest answers pass."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import plain
import psutil
import pytest
from typer.testing import CliRunner

from offbench import P1, P2, load
from offbench.cli import app
from offbench.evaluation.evaluator import totals_of_many
from offbench.evaluation.kernel import TOTAL
from offbench.model.instance import Instance
from offbench.model.problem import FEASIBLE
from offbench.runs.conformance import Crew, Fault, Verdict, checks, conformance, findings, instances, limits
from offbench.runs.conformance.optimum import optimum
from offbench.runs.conformance.verdict import Refused

HEAD = """import os, random, signal, subprocess, sys, time
import numpy as np
from offbench import GaveUp, Infeasible, Solver

class Mine(Solver):
    "A solver of a test."

    def solve(self, problem, search):
"""
FIRST_LINE = HEAD.count("\n") + 1
GOOD = "search.propose(problem.everything_on(problem.arrays.client))"
# As often as it may, servers drawn by something with a method `choice`.
DRAWN = """while search.running:
    search.propose([int(drawn.choice(list(np.flatnonzero(row)))) for row in problem.allowed])"""

# Writes an answer of its own.
SPOOF = f"""import json
def spoof(answer):
    for fd in range(3, 12):
        try: os.write(fd, f'\\n{{os.environ["OFFBENCH_PROCESS"]}} {{json.dumps(answer)}}\\n'.encode())
        except OSError: pass
{GOOD}"""

Write = Callable[[str], str]


@pytest.fixture
def mine(tmp_path: Path) -> Write:
    """Return a function that writes a solver with a body, and returns its path."""

    def write(body: str) -> str:
        file = tmp_path / "mine.py"
        file.write_text(HEAD + "".join(f"        {line}\n" for line in body.splitlines()), encoding="utf-8")
        return str(file)

    return write


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with Crew() as both:
        yield both


def outcome(crew: Crew, solver: str, title: str) -> Fault | Refused | None:
    """Return what one check comes to; None if it passes."""
    check = {check.title: check for check in checks()}[title]
    try:
        check.run(crew, solver, "P1")
    except (Fault, Refused) as found:
        return found
    return None


def test_an_honest_solver_passes(mine: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGE_TIME_LIMIT_S", 60.0)  # for machines that are busy
    verdicts = list(conformance(mine(GOOD)))
    refused = {verdict.check for verdict in verdicts if verdict.outcome == "refused"}
    assert {verdict.outcome for verdict in verdicts} == {"passed", "refused"}
    assert refused == {"constraints that bind", "constraints that no placement keeps", "weights of 0"}
    assert verdicts[0].check == "import" and verdicts[-1].check == "nothing left behind"
    assert len(verdicts) == len(checks()) + 2


TINY = "several tasks, pinned layers"
SEED = "same seed, same run"


@pytest.mark.parametrize(
    ("body", "title", "what", "line"),
    [
        ("search.propose(np.full(problem.n_subtasks, problem.n_servers - 1))", TINY, "may not run on", 1),
        ("search.propose([s for s in problem.allowed.argmax(axis=1)][:-1])", "one subtask", "placement: ", 1),
        ("search.propose(problem.everything_on(1))", "one server", "IndexError", 1),
        ("if not problem.instance.servers_of('edge'): raise KeyError('edge')\n" + GOOD, "no edges", "KeyError", 1),
        ("np.empty((problem.n_subtasks,) * 8); " + GOOD, f"{instances.LARGE} subtasks in 1 s", "", 1),
        ("pass", "one chain", "without a reason", 0),
        (f"{GOOD}\nsearch.objective -= 1", "one chain", "AttributeError: property 'objective'", 2),
        (f"{GOOD}\nsearch.evaluations = 'many'", "one chain", "AttributeError: property 'evaluations'", 2),
        (f"{GOOD}\nsearch.count(2.5)", "one chain", "TypeError: search.count", 2),
        (f"{GOOD}\nsearch.bound(float('nan'))", "one chain", "BoundError: a lower bound must be a number", 2),
        (f"{GOOD}\nsearch.policy = np.array([99])", "one chain", "search.policy: placement: shape (1,)", 2),
        # Behind its back, and the evaluator's.
        (f"{GOOD}\nsearch._objective -= 1", "one chain", "changed its problem, or what its search keeps", 0),
        (f"{GOOD}\nsearch.incumbent.servers[0] = 1", "one chain", "changed its problem, or what its search keeps", 0),
        (f"problem.packed[1][:] *= 2; {GOOD}", "one chain", "changed its problem, or what its search keeps", 0),
        (f"{GOOD}\nsearch.count(10**6)", "one chain", "more evaluations", 0),
        # Above the optimum and below what it has found itself, which no search can see.
        (f"{GOOD}\nsearch.bound(1.0)", TINY, "lower bound above", 0),
        (f"search.bound(1.0)\n{GOOD}", TINY, "lower bound above", 0),
        (f"{GOOD}\nsearch.lower_bound = search.objective", TINY, "AttributeError: property 'lower_bound'", 2),
        (f"{GOOD}\nsearch.bound(search.objective)", "one graph", "optimal that isn't", 0),
        (f"{GOOD}\nsearch.trace.append((0.0, 1, -9.0, 0.0))", "one chain", "AttributeError: 'tuple'", 2),
        # One that says what the run's process says.
        (f"{SPOOF}\nspoof({{}})", "one chain", "answered what it wasn't asked", 0),
        (f"{SPOOF}\nfor n in range(99): spoof({{'number': n, 'objective': 'low'}})", "one chain", "answered what", 0),
        (f"{SPOOF}\nspoof([])", "one chain", "no JSON object", 0),
        (f"{GOOD}\nsys.exit(0)", "one chain", "called sys.exit(0)", 2),
        (f"{GOOD}\nos._exit(0)", "one chain", "ended with exit code 0", 0),
        (f"{GOOD}\nos.kill(os.getpid(), signal.SIGKILL)", "one chain", "ended with signal SIGKILL", 0),
        (f"{GOOD}\nimport ctypes; ctypes.string_at(0)", "one chain", "ended with signal SIGSEGV", 2),
        (f"{GOOD}\nraise KeyboardInterrupt", "one chain", "nobody pressed Ctrl-C", 0),
        (f"{GOOD}\nraise ValueError('x' * 10**6)", "one chain", "ValueError: xxx", 2),
        (f"{GOOD}\nraise ValueError('\\udcff')", "one chain", r"ValueError: \udcff", 2),
        (f"{GOOD}\nos.chdir('/')", "one chain", "changes the working directory", 0),
        (f"{GOOD}\nos.close(1)", "one chain", "closes sys.stdout", 0),
        (f"{GOOD}\nsearch.clock._start += 1e9", "one chain", "clock", 0),
        (f"drawn = np.random.default_rng()\n{DRAWN}", SEED, "two different runs", 0),
        (f"drawn = np.random\n{DRAWN}", SEED, "two different runs", 0),
        (f"drawn = random\n{DRAWN}", SEED, "two different runs", 0),
        (f"drawn = random.Random(time.time())\n{DRAWN}", SEED, "two different runs", 0),
        (f"drawn = random.Random(hash('its process'))\n{DRAWN}", SEED, "two different runs", 0),
    ],
)  # fmt: skip
def test_a_fault_is_found(body: str, title: str, what: str, line: int, mine: Write, crew: Crew) -> None:
    solver = mine(body)
    fault = outcome(crew, solver, title.replace("1 s", f"{limits.LARGE_TIME_LIMIT_S:g} s"))
    assert isinstance(fault, Fault)
    assert what in fault.what and len(fault.what) < 500
    assert fault.where.endswith(f"mine.py:{FIRST_LINE + line - 1}" if line else "")
    assert bool(fault.where) == bool(line)


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (f"drawn = search.rng\n{DRAWN}", SEED),
        (f"drawn = random.Random(int(search.rng.integers(2**32)))\n{DRAWN}", SEED),
        (f"{GOOD}\nprint('{{}}' * 10**5); os.write(1, b'{{}}\\n'); os.write(2, b'\\xff')", "one chain"),
        # Whatever is written into the pipe of answers is none.
        (f"{GOOD}\nfor fd in range(3, 9):\n    try: os.write(fd, b'{{}}\\n{{')\n    except OSError: pass", "one chain"),
        (f"{GOOD}\nsearch.count(np.int64(3)); search.bound(np.float32(-100))", "one chain"),
        (f"{GOOD}\nsearch.diary.tell('loss', np.float32('nan'), np.int64(1))", "one chain"),
        # In time, though no search tells it the time.
        ("while search.remaining_s > 4.8: time.sleep(0.01)\n" + GOOD, "one chain"),
    ],
)  # fmt: skip
def test_what_is_no_fault(body: str, title: str, mine: Write, crew: Crew, capfd: pytest.CaptureFixture[str]) -> None:
    assert outcome(crew, mine(body), title) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("time.sleep(600)", 2),
        ("while True: pass", 2),
        ("while True:\n    try: time.sleep(0.01); search.check()\n    except BaseException: pass", 0),
        ("signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass", 3),
        ("import itertools; any(itertools.repeat(False))", 2),
    ],
)  # fmt: skip
def test_who_does_not_stop_is_ended(
    body: str, line: int, mine: Write, crew: Crew, monkeypatch: pytest.MonkeyPatch
) -> None:
    solver = mine(f"{GOOD}\n{body}")
    crew.first.imported(solver)
    monkeypatch.setattr(limits, "FIRST_RUN_S", 2.5)
    monkeypatch.setattr(limits, "TIME_LIMIT_S", 0.5)
    monkeypatch.setattr(limits, "GRACE_S", 1.0)
    begun = time.monotonic()
    fault = outcome(crew, solver, "one chain")
    assert time.monotonic() - begun < 30
    assert isinstance(fault, Fault) and "didn't stop at its limit (0.5 s" in fault.what
    assert "mine.py:" in fault.where
    if line:
        assert fault.where.endswith(f":{FIRST_LINE + line - 1}")


def test_who_takes_too_much_memory_is_ended(mine: Write) -> None:
    solver = mine(f"{GOOD}\nkept = []\nfor _ in range(40): kept.append(np.ones(10**7)); time.sleep(0.1)")
    with Crew() as crew:
        crew.first.imported(solver)
        crew.first._at_most_mb = 700
        fault = outcome(crew, solver, "one chain")
    assert isinstance(fault, Fault) and "more than 0.7 GB" in fault.what


def test_a_fault_in_several_checks_is_told_once_and_who_never_stops_is_given_up(
    mine: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TIME_LIMIT_S", 0.5)
    monkeypatch.setattr(limits, "GRACE_S", 1.0)
    verdicts = list(conformance(mine(f"{GOOD}\ntime.sleep(600)")))
    by_outcome = [verdict.outcome for verdict in verdicts]
    assert by_outcome[:3] == ["passed", "failed", "failed"] and set(by_outcome[3:]) == {"skipped"}
    (finding,) = findings(verdicts)
    assert finding.checks == (verdicts[1].check, verdicts[2].check)
    assert str(finding).startswith(f"{finding.where}: didn't stop")


def test_numbers_make_no_new_fault() -> None:
    verdicts = [
        Verdict("a", "failed", "ValueError: 3 of 7", where="mine.py:3"),
        Verdict("b", "failed", "ValueError: 4 of 9", where="mine.py:3"),
        Verdict("c", "failed", "ValueError: 4 of 9", where="mine.py:4"),
        Verdict("d", "failed", "placement: shape (1,)"),
        Verdict("e", "failed", "placement: shape (-2.5e+3,)"),
        Verdict("f", "failed", "placement: no shape"),
        Verdict("g", "passed"),
    ]
    assert [finding.checks for finding in findings(verdicts)] == [("a", "b"), ("c",), ("d", "e"), ("f",)]


def test_what_is_left_behind_is_found_and_ended(mine: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "END_S", 1.0)
    monkeypatch.setattr(limits, "LARGE_TIME_LIMIT_S", 60.0)
    solver = mine(f"{GOOD}\nsubprocess.Popen(['sleep', '31415'], start_new_session=True)")
    failed = [verdict for verdict in conformance(solver) if verdict.outcome == "failed"]
    assert [(verdict.check, verdict.detail) for verdict in failed] == [
        ("nothing left behind", "leaves a process behind: sleep 31415")
    ]
    assert not [process for process in psutil.process_iter(["cmdline"]) if "31415" in (process.info["cmdline"] or [])]


def test_an_import_that_ends_its_process(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import os\nos._exit(3)\n", encoding="utf-8")
    (verdict,) = conformance(str(file))
    assert (verdict.check, verdict.outcome) == ("import", "failed")
    assert "exit code 3" in verdict.detail


def test_a_warm_up_that_fails_is_no_riddle(tmp_path: Path, crew: Crew) -> None:
    file = tmp_path / "mine.py"
    head = HEAD.replace("    def solve(self, problem, search):\n", "    def warm_up(self): raise ValueError(1)\n")
    file.write_text(f"{head}    def solve(self, problem, search): pass\n", encoding="utf-8")
    for _ in range(2):
        (verdict,) = conformance(str(file), crew=crew)
        assert (verdict.check, verdict.outcome, verdict.detail) == ("import", "failed", "ValueError: 1")
        assert verdict.where.endswith(f"mine.py:{FIRST_LINE - 1}")


def test_a_solver_that_outlives_ctrl_c(mine: Write, crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CTRL_C_TIME_LIMIT_S", 1.0)
    body = f"{GOOD}\nwhile search.running:\n    try:\n        {GOOD}\n    except KeyboardInterrupt: pass"
    fault = outcome(crew, mine(body), "Ctrl-C")
    assert isinstance(fault, Fault) and "went on after Ctrl-C" in fault.what
    assert outcome(crew, "random", "Ctrl-C") is None


def test_a_reason_and_too_little_time_are_honest_answers(mine: Write, crew: Crew) -> None:
    solver = mine("if problem.n_subtasks != 4: raise GaveUp('four, please')\n" + GOOD)
    refusal = outcome(crew, solver, "one subtask")
    assert isinstance(refusal, Refused) and str(refusal) == "four, please"
    assert outcome(crew, solver, "one chain") is None
    solver = mine("while problem.n_subtasks > 1000: pass\n" + GOOD)
    refusal = outcome(crew, solver, f"{instances.LARGE} subtasks in {limits.LARGE_TIME_LIMIT_S:g} s")
    assert isinstance(refusal, Refused) and "time-limit" in str(refusal)


def test_who_says_that_none_is_feasible_must_be_right(mine: Write, crew: Crew) -> None:
    liar = mine("raise Infeasible('none keeps all')")
    for check in ("one chain", "constraints that bind"):
        fault = outcome(crew, liar, check)
        assert isinstance(fault, Fault) and fault.what == "said that no placement is feasible, but one is"
    assert outcome(crew, liar, "constraints that no placement keeps") is None


def test_who_finds_none_that_is_feasible_has_none(mine: Write, crew: Crew) -> None:
    on_clients = mine("search.propose(problem.everything_on(problem.arrays.client))")
    assert outcome(crew, on_clients, "two phones, measured layers") is None
    for check in ("constraints that bind", "constraints that no placement keeps"):
        refusal = outcome(crew, on_clients, check)
        assert isinstance(refusal, Refused) and "no placement that keeps all constraints" in str(refusal)


def test_constraints_of_the_instances_bind() -> None:
    for make, least, most in ((instances.binding, 0.01, 0.1), (instances.infeasible, 0, 0)):
        problem = P1(make())
        rows = np.array(list(product(range(problem.n_servers), repeat=problem.n_subtasks)))
        share = (totals_of_many(problem, rows)[:, TOTAL.violation] <= FEASIBLE).mean()
        assert least <= share <= most
        assert math.isfinite(optimum(problem) or 0) == (most > 0)


@pytest.mark.parametrize("make", [instances.one_chain, instances.one_graph, lambda: load("tiny-chains")])
def test_optimum_is_that_of_plain_python(make: Callable[[], Instance]) -> None:
    instance = make()
    facts = instance.model_dump(mode="json", exclude_none=True)
    least = plain.brute_force(facts)[0]
    for servers in all_servers(facts):
        least = min(least, plain.brute_force_orders(facts, servers)[0])
    assert optimum(P1(instance)) == pytest.approx(least, abs=1e-12)


def all_servers(facts: dict[str, object]) -> Iterator[list[list[str]]]:
    """Yield the servers of each placement."""
    from itertools import product

    prepared = plain.prepare(facts)
    for placed_on in product(*(subtask.allowed for subtask in prepared.subtasks)):
        names = iter(placed_on)
        yield [[next(names) for _ in task["layers"]] for task in facts["tasks"]]  # type: ignore[attr-defined]


def test_optimum_of_an_order() -> None:
    instance = load("tiny-graphs")
    given = [1, 2, 2, 1, 2, 2]
    names = [instance.servers[s].name for s in given]
    best, _ = plain.brute_force_orders(instance.model_dump(mode="json", exclude_none=True), [names[:3], names[3:]])
    assert optimum(P2(instance, given)) == pytest.approx(best, abs=1e-12)
    assert optimum(P1(load("resnet"))) is None


def test_the_instance_for_seeds_is_too_large_for_chance() -> None:
    problem = P1(instances.queues())
    assert math.prod(int(row.sum()) for row in problem.allowed) > limits.REPEATED_EVALUATIONS**2


@pytest.mark.parametrize("solver", ["greedy", "annealing", "spt", "chain-exact"])
def test_shipped_solvers_conform(solver: str, crew: Crew) -> None:
    assert not findings(conformance(solver, crew=crew))


def test_command(mine: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGE_TIME_LIMIT_S", 60.0)
    result = CliRunner().invoke(app, ["check", mine(GOOD)])
    assert result.exit_code == 0
    assert "mine.py conforms" in result.stdout and "minutes at most" in result.stdout
    result = CliRunner().invoke(app, ["check", mine("raise ValueError('no')")])
    assert result.exit_code == 1
    assert result.stdout.count("ValueError: no") == 1 and f"mine.py:{FIRST_LINE}: ValueError: no" in result.stdout
    assert "Traceback" not in result.output
    result = CliRunner().invoke(app, ["check", "--json", mine(f"{GOOD}\nsys.exit(0)")])
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert not told["conforms"]
    assert {check["detail"] for check in told["checks"] if check["outcome"] == "failed"} == {
        "solver 'mine' called sys.exit(0)"
    }


def test_mistakes(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["check", "gredy"]).exit_code == 2
    assert CliRunner().invoke(app, ["check", str(tmp_path / "none.py")]).exit_code == 2
    file = tmp_path / "mine.py"
    file.write_text("import no_such_library\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 2 and "no_such_library" in result.output


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_ctrl_c_ends_it_and_all_that_it_began(number: signal.Signals, code: int, mine: Write) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "offbench", "check", mine(f"{GOOD}\ntime.sleep(600)")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )  # fmt: skip
    assert process.stdout is not None
    while "import" not in process.stdout.readline():
        assert process.poll() is None
    time.sleep(1)  # so that the next check has begun
    began = psutil.Process(process.pid).children(recursive=True)
    assert began
    process.send_signal(number)
    told, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "interrupted during 'several tasks, pinned layers'" in told and "Traceback" not in errors
    assert not [each for each in began if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_who_refuses_everything_solves_nothing(mine: Write) -> None:
    verdicts = list(conformance(mine("raise GaveUp('not today')")))
    assert {verdict.outcome for verdict in verdicts} >= {"refused", "failed"}
    assert [str(found) for found in findings(verdicts)] == ["refused every problem that it was given"]
