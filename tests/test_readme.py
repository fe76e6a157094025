"""What the README says, done."""

import re
from pathlib import Path

import pytest
from bench.stand_ins import here
from typer.testing import CliRunner

import offbench as ob
from offbench.bench import runner
from offbench.cli import app

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_solver_to_add_is_twenty_lines_and_works(tmp_path: Path) -> None:
    code = next(block for block in blocks("python") if "class Annealing" in block)
    body = code[code.index("class Annealing") :].strip().splitlines()
    assert len([line for line in body if line.strip()]) <= 20
    mine = tmp_path / "annealing.py"
    mine.write_text(code, encoding="utf-8")
    solution = ob.solve("resnet", str(mine), max_evaluations=3000, parameters={"heat": "0.1"})
    assert solution.objective < solution.client_only.objective


def test_three_lines_of_python_work() -> None:
    code = next(block for block in blocks("python") if "summary()" in block)
    assert len([line for line in code.splitlines() if line]) == 3
    scope: dict[str, object] = {}
    exec(compile(code.replace("ob.solve", "shown = ob.solve"), "README.md", "exec"), scope)
    assert "client-only" in repr(scope["shown"])


def test_commands_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "workers", here)  # other processes have tests of their own
    lines = [line.split("#")[0].split() for block in blocks("") for line in block.splitlines()]
    commands = [line[1:] for line in lines if line[:1] == ["offbench"] and "./annealing.py" not in line]
    assert len(commands) >= 8
    for command in commands:
        if "--time-limit" in command:
            command[command.index("--time-limit") + 1] = "20"  # enough for torch on a busy machine
        if command[0] == "bench":
            command += ["--max-evaluations", "50"]
        if command[0] == "reproduce":
            command += ["--dry-run"]  # what it does has tests of its own, and takes hours
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, (command, result.output, result.stderr)


def test_h_trap_has_the_numbers_told() -> None:
    solution = ob.solve("resnet", "greedy")
    found, client = solution.evaluation, solution.client_only
    assert found is not None
    told = README[README.index("The H trap") :].split("\n\n")[0]
    for value in (client.delay_s, found.delay_s, client.objective, found.objective):
        assert f"{value:.3g}" in told or f"{value:.3f}" in told
    assert f"{found.coordination:.2f}" in told


def test_first_result_is_what_is_printed() -> None:
    printed = CliRunner().invoke(app, ["solve", "--solver", "greedy", "alexnet"]).stdout
    told = next(block for block in blocks("") if "$ offbench solve --solver greedy alexnet" in block)
    tables = [line.rstrip() for line in printed.splitlines()[1:]]  # the first line tells seconds
    assert tables == told.splitlines()[2:]


def test_links_lead_somewhere() -> None:
    home = Path(__file__).parent.parent
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) > 15
    assert [link for link in links if not (home / link).exists()] == []


def test_verdicts_told_are_those_of_the_full_set() -> None:
    claims = (Path(__file__).parent.parent / "results/paper/claims.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"By the agents' runs: of \d+ claims [^;]+; by the best placements known: [^.\n]+", README)
    assert " ".join(told.split()) in claims
