"""What README and the guides say, done."""

import re
from pathlib import Path

import onnx
import pytest
from bench.stand_ins import here
from pages import HOME, PAGES, blocks, commands, name
from typer.testing import CliRunner

import offbench as ob
from offbench.bench import runner
from offbench.cli import app

README = (HOME / "README.md").read_text(encoding="utf-8")
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
ADD_A_SOLVER = (HOME / "docs/guides/add-a-solver.md").read_text(encoding="utf-8")

# What a command of a page is given besides, so that it takes a moment. The last one that is given counts.
SHORT = {
    "solve": ["--max-evaluations", "300", "--time-limit", "20"],  # enough for torch on a busy machine
    "train": ["--steps", "300"],
    "bound": ["--time-limit", "1"],
    "bench": ["--max-evaluations", "50"],
    "pareto": ["--time-limit", "1", "--time-limit-each", "1", "--solver", "greedy"],
    "advise": ["--time-limit", "6", "--draws", "2"],
    "profile": ["--runs", "1", "--warm-up", "0"],
    "emulate": ["--runs", "1", "--warm-up", "0"],
    "reproduce": ["--dry-run"],  # what it does has tests of its own, and takes hours
}
OWN_TESTS = ("check", "network")
"""verbs that can't be made short, or that need files of the reader (tests/importers)"""


def test_readme_is_a_page() -> None:
    lines = README.splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 160] == []


def test_solver_to_add_is_twenty_lines_and_works(tmp_path: Path) -> None:
    code = next(block for block in blocks(ADD_A_SOLVER, "python") if "class Annealing" in block)
    body = code[code.index("class Annealing") :].strip().splitlines()
    assert len([line for line in body if line.strip()]) <= 20
    mine = tmp_path / "annealing.py"
    mine.write_text(code, encoding="utf-8")
    solution = ob.solve("resnet", str(mine), max_evaluations=3000, parameters={"heat": "0.1"})
    assert solution.objective < solution.client_only.objective


@pytest.mark.parametrize("page", ["README.md", "docs/guides/first-result.md"])
def test_three_lines_of_python_work(page: str) -> None:
    text = (HOME / page).read_text(encoding="utf-8")
    code = next(block for block in blocks(text, "python") if "summary()" in block)
    assert len([line for line in code.splitlines() if line]) == 3
    scope: dict[str, object] = {}
    exec(compile(code.replace("ob.solve", "shown = ob.solve"), page, "exec"), scope)
    assert "client-only" in repr(scope["shown"])


WITH_COMMANDS = [name(page) for page in PAGES if commands(page.read_text(encoding="utf-8"))]


def test_pages_with_commands_are_found() -> None:
    assert {"README.md", "docs/guides/first-result.md", "docs/reproduction.md"} <= set(WITH_COMMANDS)


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_commands_work_one_after_the_other(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (HOME / page).read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "workers", here)  # other processes have tests of their own
    (tmp_path / "instances").symlink_to(HOME / "instances")  # they are typed in the repository's folder
    (tmp_path / "detector.onnx").symlink_to(LIGHT / "light_squeezenet.onnx")  # whatever model a reader has
    for code in blocks(text, "python"):
        if "class Annealing" in code:
            Path("annealing.py").write_text(code, encoding="utf-8")
    for command in commands(text):
        if command[0] in OWN_TESTS or "--shape" in command:  # the detector here has no free dimension
            continue
        result = CliRunner().invoke(app, [*command, *SHORT.get(command[0], [])])
        assert result.exit_code == 0, (command, result.output, result.stderr)


@pytest.mark.parametrize("page", ["README.md", "docs/differences.md"])
def test_h_trap_has_the_numbers_told(page: str) -> None:
    solution = ob.solve("resnet", "greedy")
    found, client = solution.evaluation, solution.client_only
    assert found is not None
    told = (HOME / page).read_text(encoding="utf-8")
    for value in (client.delay_s, found.delay_s, client.objective, found.objective):
        assert f"{value:.3g}" in told or f"{value:.3f}" in told
    assert f"{found.coordination:.2f}" in told
    assert re.findall(r"(\d+) times as", told) in ([], [f"{found.delay_s / client.delay_s:.0f}"])


def test_h_of_benefits_has_the_numbers_told(tmp_path: Path) -> None:
    mine = str(tmp_path / "benefits.json")
    made = ["instance", "make", "resnet", "--indicators", "benefits", "--root", "3", "--output", mine]
    assert CliRunner().invoke(app, made).exit_code == 0
    solution = ob.solve(mine, "greedy")
    found, client = solution.evaluation, solution.client_only
    assert found is not None
    told = (HOME / "docs/differences.md").read_text(encoding="utf-8")
    assert f"down to {found.delay_s:.3f} s, and energy from {client.energy_j:.1f} J to {found.energy_j:.2f} J" in told
    assert f"has Q = {client.objective:.1f} there, and this placement {found.objective:.1f}" in told


def test_score_alone_has_the_numbers_told() -> None:
    solution = ob.solve("resnet", "greedy", objective="score")
    assert solution.evaluation is not None and solution.reference is not None
    assert f"takes {solution.evaluation.delay_s:.3f} s, which is proven optimal" in README
    assert solution.reference.proven and solution.missed_improvement == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("page", "instance"), [("README.md", "resnet"), ("docs/guides/first-result.md", "alexnet")])
def test_first_result_is_what_is_printed(page: str, instance: str) -> None:
    command = ["solve", "--solver", "greedy", instance]
    printed = CliRunner().invoke(app, command).stdout
    text = (HOME / page).read_text(encoding="utf-8")
    told = next(block for block in blocks(text, "") if block.startswith(f"$ offbench {' '.join(command)}\n"))

    def without_seconds(lines: list[str]) -> list[str]:
        return [line.rstrip() for line in lines if not line.startswith(f"greedy on {instance}")]

    assert without_seconds(printed.splitlines()) == without_seconds(told.splitlines()[1:])


def test_verdicts_told_are_those_of_the_full_set() -> None:
    claims = (HOME / "results/paper/claims.md").read_text(encoding="utf-8")
    text = (HOME / "docs/reproduction.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"By the agents' runs: of \d+ claims [^;]+; by the best placements known: [^.\n]+", text)
    assert " ".join(told.split()) in claims
