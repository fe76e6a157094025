"""A suite that names models has its placements run when its runs are done, once each."""

import json
from pathlib import Path

import pytest
from emulate.emulated_networks import branches, deployed
from typer.testing import CliRunner

from offbench.bench.store import Store
from offbench.bench.validation import measured
from offbench.cli import app

SUITE = """
name = "validated"
instances = ["mine.json"]
solvers = [{ name = "greedy", seeds = 1 }, { name = "constant", seeds = 1 }, { name = "client-only", seeds = 1 }]
time_limit_s = 20
[validation]
models = { MODELS }
runs = 2
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    instance = deployed(branches(tmp_path))
    (tmp_path / "mine.json").write_text(instance.to_text(), encoding="utf-8")
    path = tmp_path / "suite.toml"
    path.write_text(SUITE.replace("MODELS", f'"{instance.name}" = "branches.onnx"'), encoding="utf-8")
    return path


def test_placements_are_measured_once_and_compared(suite: Path, tmp_path: Path) -> None:
    line = ["bench", str(suite), "--output", str(tmp_path / "out"), "--jobs", "1"]
    run = CliRunner().invoke(app, line)
    assert run.exit_code == 0, run.output
    found = measured(tmp_path / "out")
    rows = Store(tmp_path / "out").rows()
    placements = {row.placement.model_dump_json() for row in rows if row.placement is not None}
    assert len(found) == len(placements) >= 2
    for one in found.values():
        assert one.message == "" and len(one.measured_delay_s) == 2
        # Paced parts and shaped links are never faster than was predicted.
        assert min(one.measured_delay_s) >= one.predicted_delay_s * (1 - 1e-9)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "measured").iterdir()}
    run = CliRunner().invoke(app, line)
    assert run.exit_code == 0 and "0 placements measured" in run.stderr
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "measured").iterdir()} == before
    run = CliRunner().invoke(app, ["table", str(tmp_path / "out"), "--only", "measured", "--json"])
    table = json.loads(run.stdout)["measured"]
    assert [row["solver"] for row in table].count("greedy") == 1 and all(row["measured_s"] > 0 for row in table)
    run = CliRunner().invoke(app, ["table", str(tmp_path / "out"), "--only", "measured"])
    assert "in the median" in " ".join(run.stdout.split())


def test_what_cant_be_measured_says_why(suite: Path, tmp_path: Path) -> None:
    (tmp_path / "branches.onnx").write_bytes(b"no model")
    line = ["bench", str(suite), "--output", str(tmp_path / "out"), "--solver", "client-only", "--jobs", "1"]
    run = CliRunner().invoke(app, line)
    assert run.exit_code == 0 and "couldn't be measured: " in run.stderr and "no ONNX model" in run.stderr
    assert measured(tmp_path / "out") == {}  # so that it is tried again
    suite.write_text(suite.read_text().replace("branches.onnx", "missing.onnx"), encoding="utf-8")
    run = CliRunner().invoke(app, [*line[:2], "--output", str(tmp_path / "other"), *line[4:]])
    assert run.exit_code == 2 and "missing.onnx: model of" in run.stderr
