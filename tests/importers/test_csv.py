"""Networks from a table of one's own."""

from pathlib import Path

import pytest
from pages import HOME, blocks
from typer.testing import CliRunner

from offbench import OffbenchError
from offbench.cli import app
from offbench.importers.registry import import_network
from offbench.model.facts import TaskInput


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_guides_table_is_read(tmp_path: Path) -> None:
    page = (HOME / "docs/guides/own-model.md").read_text(encoding="utf-8")
    text = next(block for block in blocks(page, "text") if block.startswith("name,"))
    found = import_network(table(tmp_path, text))
    network = found.network
    assert found.coverage.complete and not found.coverage.told()
    assert [layer.name for layer in network.layers] == ["conv1", "left", "right", "head"]
    conv1, left, right, head = network.layers
    assert network.input_mb == 0.602 and conv1.inputs == () and left.inputs == right.inputs == ("conv1",)
    assert head.inputs == ("left", "right") and head.seconds == {"pi5": 0.0094}
    assert conv1.read_mb == pytest.approx(0.602 + 0.14) and conv1.written_mb == 0.775
    assert network.gflop == pytest.approx(0.425) and network.weights_mb == pytest.approx(38.14)
    assert right.gflop is None and right.operator == "pooling"
    # Its layers stay as they are unless something else is asked for.
    (block, *_) = import_network(table(tmp_path, text), granularity="block").network.layers
    assert block.name == "conv1"


def test_several_inputs_and_shared_weights(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "name,inputs,output_mb,weights_mb,weights_id,launches,read_mb",
        "input:a,,1,,,,", "input:b,,2,,,,",
        "x,input:a,4,7,w,2,1.5", "y,input:b,4,7,w,,", "z,x input:a input:b,1,,,,", "all,,1,,,,", "end,z all,1,,,,",
    )  # fmt: skip
    x, y, z, whole, _ = import_network(path).network.layers
    assert x.inputs == (TaskInput(input_mb=1),) and y.inputs == (TaskInput(input_mb=2),)
    assert z.inputs == (TaskInput(input_mb=3), "x") and whole.inputs == ()
    assert (x.launches, x.read_mb, y.read_mb) == (2, 1.5, 9) and import_network(path).network.weights_mb == 7


@pytest.mark.parametrize(
    ("lines", "fragment"),
    [
        (["name,inputs,output_mb", "a,,1"], "no row tells the network's input: name it 'input'"),
        (["name,inputs,output_mb", "input,,1", "a,,-1"], "line 3: output_mb: must be a number from 0 up, not '-1'"),
        (["name,inputs,output_mb", "input,,1", "a,,nan"], "not 'nan'"),
        (["name,inputs,output_mb,gflops", "input,,1,"], "column 4: must be one of name, inputs,"),
        (["name,inputs,output_mb,gflop", "input,,1,", "a,,1,much"], "line 3: gflop"),
        (["name,inputs,output_mb,gflop", "input,,1,", "a,,1,1,1"], "line 3: has 5 cells, but there are 4 columns"),
        (["name,inputs,output_mb,gflop,gflop", "input,,1,,"], "'gflop' is there twice"),
        (["name,inputs,output_mb", "input,,1", "a,,1", "a,,1"], "layers"),
        (["name,inputs,output_mb", "input,,1", "a,b,1", "b,,1"], "'b' is no earlier layer"),
        (["name,inputs,output_mb", "input,,1", "conv,,1", "b,conf,1"], "no row has the name 'conf' (did you mean"),
        (["name,inputs,output_mb,operator", "input,,1,", "a,,1,conv"], "line 3: operator: must be one of convolution"),
        (["name,inputs,output_mb,launches", "input,,1,", "a,,1,1.5"], "launches: must be a whole number"),
        (["name,inputs,output_mb", "input,,1"], "layers"),
        (["name,inputs,output_mb", "input,,1", ",,1"], "line 3: has no name"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(tmp_path: Path, lines: list[str], fragment: str) -> None:
    with pytest.raises(OffbenchError) as caught:
        import_network(table(tmp_path, *lines))
    assert fragment in str(caught.value) and str(caught.value).startswith(str(tmp_path / "t.csv"))


def test_command(tmp_path: Path) -> None:
    path = table(tmp_path, "name,inputs,output_mb", "input,,1", "a,,1")
    run = CliRunner().invoke(app, ["network", "import", str(path)])
    assert run.exit_code == 0 and "1 layer with neither gflop nor seconds" in run.stdout
    refused = CliRunner().invoke(app, ["network", "import", str(path), "--shape", "x=1"])
    assert refused.exit_code == 2 and "--shape" in refused.stderr
