"""A full file system and a read-only one: a line, exit 2, nothing lost, and when there is room the command goes on."""

from pathlib import Path

import pytest

from attacks.attack import Attack
from attacks.mounts import grow, read_only, small
from attacks.target import Command, Target

GOOD = Path(__file__).parent / "solvers" / "good.py"
PAGE_KB = 4
SHORT = (10,)
"""pages of a file system where the attack is short: some rows don't fit"""
NO_SPACE, NO_WRITING = "No space left on device", "can't be written"


def test_suite_on_a_full_disk_goes_on_after_room_is_made(tmp_path: Path, attack: Attack) -> None:
    for pages in SHORT if attack.rounds == 1 else range(1, 24):
        target = Target(tmp_path / str(pages), attack)
        good = {"name": str(GOOD), "label": "good", "seeds": 5}
        suite = target.suite("full", [good], time_limit_s=30)
        with small(target.results, pages * PAGE_KB):
            command = target.bench(suite, "--jobs", str(attack.rng.integers(1, 3)))
            code = command.wait(attack)
            assert not target.orphans()
            before = target.written()
            if code:  # the largest may hold it all
                attack.count("full disks")
                _is_told(command, NO_SPACE)
            grow(target.results, 10_000)
            again = target.bench(suite)
            assert again.wait(attack) == 0, again.err
            rows = target.rows()
            assert {row.status for row in rows.values()} == {"feasible"}
            assert not target.lost(before), pages
            assert not target.strays()


@pytest.mark.parametrize(
    "line",
    [
        ("solve", "--solver", "greedy", "tiny-chains", "--output", "full/placement.json"),
        ("instance", "make", "alexnet", "--tasks", "40", "--output", "full/instance.json"),
        ("table", "results", "--format", "csv", "--only", "gaps", "--output", "full/table.csv"),
        ("export", "results", "--output", "full/runs.parquet"),
        ("report", "results", "--output", "full/report.html"),
        ("bench", "suite.toml", "--output", "full/results"),
    ],
    ids=lambda line: line[0],
)
@pytest.mark.parametrize("disk", ["full", "read-only"])
def test_command_on_a_disk_that_takes_nothing_says_so(
    line: tuple[str, ...], disk: str, tmp_path: Path, attack: Attack
) -> None:
    if attack.rounds == 1 and (line[0], disk) not in (("solve", "full"), ("bench", "read-only")):
        pytest.skip("in the long attack")
    target = Target(tmp_path, attack)
    suite = target.suite("suite", [{"name": "greedy", "label": "greedy"}], time_limit_s=30)
    if "results" in line:
        made = target.bench(suite)
        assert made.wait(attack) == 0, made.err
    full = target.folder / "full"
    with small(full, PAGE_KB):
        if disk == "full":
            (full / "filler").write_bytes(b"x" * (PAGE_KB * 1024 - 1))
            command = target.begin(*line)
            assert command.wait(attack) == 2, command.err
        else:
            with read_only(full):
                command = target.begin(*line)
                assert command.wait(attack) == 2, command.err
        attack.count("full disks")
        _is_told(command, NO_SPACE if disk == "full" else NO_WRITING)
        assert [path.name for path in full.rglob("*") if path.is_file()] == (["filler"] if disk == "full" else [])


def test_results_can_be_read_where_nothing_can_be_written(tmp_path: Path, attack: Attack) -> None:
    if attack.rounds == 1:
        pytest.skip("in the long attack")
    target = Target(tmp_path, attack)
    suite = target.suite("read", [{"name": "greedy", "label": "greedy", "seeds": 3}], time_limit_s=30)
    made = target.bench(suite)
    assert made.wait(attack) == 0, made.err
    damaged = sorted((target.results / "runs").iterdir())[0]
    damaged.write_text('{"key"', encoding="utf-8")
    before = {path: path.read_bytes() for path in target.results.rglob("*") if path.is_file()}
    with read_only(target.results):
        for line in (
            ("status", "results"),
            ("table", "results"),
            ("export", "results", "--output", "runs.csv"),
            ("report", "results", "--output", "report.html"),
        ):
            command = target.begin(*line)
            assert command.wait(attack) == 0, (line, command.err)
            assert damaged.name in command.err.replace("\n", ""), (line, command.err)
            assert "Traceback" not in command.err
        attack.count("full disks")
        command = target.bench(suite)
        assert command.wait(attack) == 2, command.err
        _is_told(command, NO_WRITING)
    assert before == {path: path.read_bytes() for path in target.results.rglob("*") if path.is_file()}
    again = target.bench(suite)
    assert again.wait(attack) == 0, again.err
    assert len(target.rows()) == 3


def _is_told(command: Command, why: str) -> None:
    """Check that the reason is told in one line that isn't a traceback."""
    lines = [line for line in command.err.splitlines() if why in line]
    assert len(lines) == 1, command.err
    assert lines[0].startswith("offbench: "), command.err
    assert "Traceback" not in command.err, command.err
