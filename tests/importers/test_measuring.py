"""`offbench profile`: layers measured here; nothing is said of how long anything takes."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner, Result

from offbench import OffbenchError
from offbench.cli import app
from offbench.cli.profile import lines
from offbench.importers.onnx.model import read_model
from offbench.importers.onnxruntime import profile
from offbench.importers.onnxruntime.measuring import Progress, drawn_inputs, measure
from offbench.importers.registry import import_network, read_profile

HOME = Path(__file__).parents[2]
ZOO = Path(onnx.__file__).parent / "backend/test/data/light"

Input = tuple[str, int, list[int | str]]


def save(path: Path, nodes: list[Any], inputs: list[Input], weights: dict[str, Any] | None = None) -> Path:
    """Write a model; each node is a kind, its tensors, and attributes, and is named after what it makes."""
    made = [helper.make_node(kind, i.split(), [o], name=f"/{o}", **more) for kind, i, o, more in nodes]
    graph = helper.make_graph(
        made, "g", [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info(nodes[-1][2], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values, name) for name, values in (weights or {}).items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    return path


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A table of words with a product and a softmax, of free sizes."""
    draw = np.random.default_rng(0).random
    return save(
        tmp_path / "words.onnx",
        [("Gather", "table ids", "e", {}), ("MatMul", "e w", "m", {}), ("Softmax", "m", "y", {})],
        [("ids", TensorProto.INT64, ["batch", "words"])],
        {"table": draw((50, 64)).astype(np.float32), "w": draw((64, 256)).astype(np.float32)},
    )


def run(*line: object) -> Result:
    return CliRunner().invoke(app, ["profile", *map(str, line)])


def test_a_profile_is_imported_with_all_its_time(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model, file = ZOO / "light_squeezenet.onnx", tmp_path / "pi5.json"
    told = run(
        model, "--device", "pi5", "--runs", 3, "--warm-up", 2, "--threads", 1, "--output", file, "--json", "--quiet"
    )
    assert told.exit_code == 0, told.output
    facts = json.loads(told.stdout)
    assert (facts["device"], facts["runs"], facts["warm_up"], facts["threads"]) == ("pi5", 3, 2, 1)
    assert facts["with_profiling"]["runs"] == facts["without_profiling"]["runs"] == 3
    spread = facts["without_profiling"]
    assert 0 < spread["low_s"] <= spread["median_s"] <= spread["high_s"]

    measured = read_profile(file)
    assert measured.runs == 3 and measured.whole_s is not None
    assert measured.seconds == pytest.approx(facts["sum_of_layers_s"]) and measured.seconds > 0
    assert facts["sum_against_whole"] == pytest.approx(measured.seconds / spread["median_s"] - 1)
    found = import_network(model, profiles={"pi5": file})
    assert "median of 3 runs: 100.0% of it is given to layers" in found.coverage.notes[-1]
    for part in ("ONNX Runtime", facts["version"], "threads: 1", facts["processor"]):
        assert part in str(found.network.source)
    seconds = {layer.name: (layer.seconds or {}).get("pi5") for layer in found.network.layers}
    assert seconds == {layer["name"]: layer["seconds"] for layer in facts["layers"]}
    assert sum(each or 0 for each in seconds.values()) == pytest.approx(measured.seconds)


def test_what_is_told(words: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    file = tmp_path / "my profile.json"
    told = run(words, "--shape", "ids=2,16", "--runs", 2, "--warm-up", 0, "--output", file)
    assert told.exit_code == 0, told.output
    for part in ("sum of the layers:", "without profiling:", "profiling makes it", "median of 2", "/m", "/y"):
        assert part in told.stdout
    # The next command can be typed as it is printed.
    line = told.stdout.splitlines()[-1]
    assert line.startswith("offbench network import") and f"'here={file}'" in line
    assert run(words, "--shape", "ids=2,16", "--runs", 1, "--quiet").stdout == ""


def test_the_file_alone_on_stdout(words: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    told = run(words, "--shape", "ids=2,16", "--runs", 2, "--output", "-")
    file = tmp_path / "p.json"
    file.write_text(told.stdout, encoding="utf-8")
    assert read_profile(file).runs == 2 and "sum of the layers" in told.stderr


def test_runs_end_with_those_that_are_there(words: Path) -> None:
    pytest.importorskip("onnxruntime")
    shapes = {"ids": (2, 16)}
    for ended in (
        measure(words, shapes, device="d", runs=50, progress=Progress(55, stop=True)),
        measure(words, shapes, device="d", runs=50, time_limit=1e-9),
    ):
        assert ended.conditions["runs"] == ended.profile.runs == ended.plain.runs == 1
        assert ended.profile.seconds > 0


def test_a_busy_processor_is_told(words: Path) -> None:
    pytest.importorskip("onnxruntime")
    measured = measure(words, {"ids": (2, 16)}, device="d", runs=2)
    assert 0 < measured.processor_share <= 1
    for share, expected in ((0.6, True), (1.0, False)):
        told = replace(measured, conditions={**measured.conditions, "processor_share": share})
        assert any("for 40% of the time the processor was taken" in line for line in lines(words, "d", told, ())) == (
            expected
        )


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C is sent by a signal")
def test_ctrl_c_keeps_what_is_measured(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    file = tmp_path / "p.json"
    process = subprocess.Popen(
        [sys.executable, "-m", "offbench", "profile", ZOO / "light_squeezenet.onnx", "--runs", "3000", "--warm-up", "0",
         "--output", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if re.search(r"measuring, [1-9]\d* of", line):
            break
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    runs = read_profile(file).runs
    assert 0 < runs < 3000 and f"interrupted after {runs:,} run" in error


def test_inputs_are_drawn_by_type_from_the_seed(tmp_path: Path) -> None:
    kinds = {
        "x": TensorProto.FLOAT, "half": TensorProto.FLOAT16, "pixels": TensorProto.UINT8, "q": TensorProto.INT8,
        "ids": TensorProto.INT64, "mask": TensorProto.BOOL,
    }  # fmt: skip
    path = save(tmp_path / "m.onnx", [("Relu", "x", "y", {})], [(name, kind, [40, 5]) for name, kind in kinds.items()])
    model = read_model(path, {})
    first, same, other = (drawn_inputs(model, seed, "m") for seed in (1, 1, 2))
    for name, dtype in zip(kinds, ("float32", "float16", "uint8", "int8", "int64", "bool"), strict=True):
        assert first[name].shape == (40, 5) and first[name].dtype == dtype
        assert np.array_equal(first[name], same[name]) and not np.array_equal(first[name], other[name])
    assert first["x"].min() >= 0 and first["x"].max() <= 1
    assert set(np.unique(first["ids"])) == {0, 1}  # indices of any table
    assert first["q"].min() < 0 < first["q"].max() and first["pixels"].max() > 1
    text = save(tmp_path / "t.onnx", [("Relu", "x", "y", {})], [("x", 1, [2]), ("names", TensorProto.STRING, [2])])
    with pytest.raises(OffbenchError, match="input 'names': is of a type that no numbers can be drawn of"):
        drawn_inputs(read_model(text, {}), 0, "t")


def test_mistakes_in_one_line(words: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    unknown = tmp_path / "unknown.onnx"
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Foo", ["x"], ["y"], domain="my.own")], "g", [x], [y])
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("my.own", 1)]
    onnx.save(helper.make_model(graph, opset_imports=domains, ir_version=9), str(unknown))
    outside = save(
        tmp_path / "outside.onnx", [("Gather", "x i", "y", {})], [("x", TensorProto.FLOAT, [4])],
        {"i": np.array([99])},
    )  # fmt: skip
    other = tmp_path / "p.json"
    other.write_text("[{}]", encoding="utf-8")
    free = ("--shape", "ids=2,16")
    for line, fragment in (
        ((words,), "input 'ids' has free dimensions (batch,words)"),
        ((words, "--shape", "idx=2,16"), "no such input (did you mean 'ids'?)"),
        ((unknown,), "unknown.onnx: ONNX Runtime can't load it: "),
        ((outside,), "outside.onnx: ONNX Runtime can't run it: "),
        ((tmp_path / "none.onnx",), "none.onnx: can't be read: No such file"),
        ((other,), "is no ONNX model"),
        ((words, *free, "--runs", 0), "--runs: must be at least 1, not 0"),
        ((words, *free, "--warm-up", -1), "--warm-up: must be at least 0, not -1"),
        ((words, *free, "--threads", 0), "--threads: must be at least 1, not 0"),
        ((words, *free, "--runs", 900_000), "--runs: with those for warm-up at most 133,333 fit"),
        ((words, *free, "--time-limit", "nan"), "--time-limit: must be above 0 and finite"),
        ((words, *free, "--device", "a=b"), "--device: must be a name without =, not 'a=b'"),
        ((words, *free, "--json", "--output", "-"), "both are for stdout"),
        ((words, *free, "--output", tmp_path), "can't be written: it is a folder"),
    ):
        refused = run(*line)
        assert refused.exit_code == 2 and fragment in refused.stderr, (line, refused.output)
        assert refused.stderr.count("\n") == 1 and refused.stdout == ""


def test_without_the_runtime_it_is_said_how_to_install_it(words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refused = run(words, "--shape", "ids=2,16")
    assert refused.exit_code == 2 and "pip install 'offbench[profile]'" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_the_guides_script_writes_a_profile_that_is_imported(tmp_path: Path, words: Path) -> None:
    pytest.importorskip("onnxruntime")
    guide = (HOME / "docs/guides/own-model.md").read_text(encoding="utf-8")
    script = next(block for block in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if "# measure.py" in block)
    (tmp_path / "measure.py").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "measure.py", words.name], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    file = tmp_path / done.stdout.strip()
    found = import_network(words, shapes={"ids": (1, 1)}, profiles={"pi5": file})
    assert "100.0% of it is given to layers" in found.coverage.notes[-1]


def test_what_a_file_says_of_itself_is_made_fit_to_be_shown(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [
        {"cat": "Node", "name": "a_kernel_time", "ts": 1, "dur": 2, "args": {"op_name": "Relu"}},
        {"name": "measured by offbench", "args": {"version": "1\x1b[2J", "threads": 4, "processor": "x" * 1000}},
    ]
    file = tmp_path / "p.json"
    file.write_text(json.dumps(events), encoding="utf-8")
    tool = profile(file).tool
    assert tool.startswith(r"ONNX Runtime 1\x1b[2J, threads: 4") and len(tool) < 300
    events[1]["args"] = 3
    file.write_text(json.dumps(events), encoding="utf-8")
    assert profile(file).tool == "ONNX Runtime"
