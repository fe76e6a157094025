"""Hostile names of layers, devices, links and sources through the commands of one's own model: shown, never obeyed."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from cli.test_hostile_names import HARMLESS, HOSTILE, PLACE, Page, run
from files.test_escaping import controls, one_line
from hostile_names import NAMES, quoted
from onnx import helper

from offbench.files.escaping import shortened
from offbench.files.plain import plain


def network(names: list[str]) -> dict[str, Any]:
    """Return a chain of layers of these names, some of which share weights that are called so too."""
    layers: list[dict[str, Any]] = [
        {
            "name": name, "operator": "convolution", "gflop": 1.0, "read_mb": 1.0, "written_mb": 1.0, "output_mb": 0.5,
            "inputs": [names[k - 1]] if k else [], "weights_mb": 1.0,
        } | ({"weights_id": name} if k % 2 else {})
        for k, name in enumerate(names)
    ]  # fmt: skip
    return {
        "format": "offbench-network/1", "name": names[1], "source": names[2], "input_mb": 1.0, "layers": layers,
    }  # fmt: skip


def own_catalogue(names: list[str]) -> str:
    """Return a catalogue with a device, a link, a price and a source for each name."""
    parts = []
    for name in names:
        figure = f"{{value = 100, low = 50, high = 200, source = {quoted(name)}, note = {quoted(name)}}}"
        parts.append(
            f'[devices.{quoted(name)}]\nwhat = {quoted(name)}\nkind = "edge"\nprocessor = "gpu"\nmemory_mb = 10_000\n'
            f"idle_power_w = 1\nbusy_power_w = 2\nbandwidth_mb_per_s = 10_000\npeak_gflop_per_s.float32 = {figure}\n"
            f"[links.{quoted(f'{name} link')}]\nwhat = {quoted(name)}\nup_mb_per_s = 5\ndown_mb_per_s = 10\n"
            "latency_s = 0.001\nup_usd_per_gb = 0\ndown_usd_per_gb = 0\n"
            f"[prices.{quoted(f'{name} price')}]\nwhat = {quoted(name)}\ndevice = {quoted(name)}\nusd_per_hour = 1\n"
            f"[sources.{quoted(name)}]\nwhat = {quoted(name)}\nurl = {quoted('javascript:' + name)}\n"
            f"licence = {quoted(name)}\n"
        )
    return "".join(parts)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return folders of hostile and of harmless names."""
    found = []
    for names in (HOSTILE, HARMLESS):
        folder = tmp_path_factory.mktemp("own")
        (folder / "network.json").write_text(json.dumps(network(names)), encoding="utf-8")
        (folder / "small.json").write_text(json.dumps(network(names[8:13])), encoding="utf-8")
        (folder / "own.toml").write_text(own_catalogue(names), encoding="utf-8")
        found.append(folder)
    return found[0], found[1]


@pytest.mark.parametrize("command", ["network check", "network show", "network import", "catalogue", "catalogue NAME"])
def test_a_terminal_obeys_nothing(command: str, folders: tuple[Path, Path]) -> None:
    shown = []
    for folder, names in zip(folders, (HOSTILE, HARMLESS), strict=True):
        line: tuple[object, ...] = ("network", command.split()[-1], folder / "network.json")
        if command == "network import":
            nodes = [helper.make_node(name, [f"t{k}"], [f"t{k + 1}"], name=name) for k, name in enumerate(names)]
            ends = [helper.make_tensor_value_info(name, 1, [4]) for name in ("t0", f"t{len(names)}")]
            path = folder / f"{PLACE.replace('/', '')}.onnx"
            onnx.save(helper.make_model(helper.make_graph(nodes, names[3], ends[:1], ends[1:])), str(path))
            line = ("network", "import", path, "--output", folder / "imported.json")
        elif command.startswith("catalogue"):
            line = ("catalogue", "--catalogue", folder / "own.toml", *((names[9],) if "NAME" in command else ()))
        found = run(*line)
        assert found.exit_code == 0, found.output
        assert not controls(found.output)
        shown.append(found)
        if "--output" not in line:
            assert command == "network check" or json.loads(run(*line, "--json").stdout)
            assert not controls(run(*line, "--json").output)
    assert shown[0].stdout.count("\n") == shown[1].stdout.count("\n")
    assert shown[0].stderr.count("\n") == shown[1].stderr.count("\n")
    for name in HOSTILE if command in ("network show", "catalogue") else ():
        assert one_line(name) in shown[0].stdout
    if command == "network import":
        layers = json.loads((folders[0] / "imported.json").read_text(encoding="utf-8"))["layers"]
        assert [layer["name"] for layer in layers] == HOSTILE


def test_an_advice_and_its_page_obey_nothing(folders: tuple[Path, Path]) -> None:
    folder, names = folders[0], HOSTILE
    given, written = folder / "instance.json", folder / "advice.html"
    made = run(
        "instance", "make", "--network", folder / "small.json", "--catalogue", folder / "own.toml",
        "--client", names[16], "--edge", names[17], "--cloud", names[18], "--uplink", f"{names[19]} link",
        "--backhaul", f"{names[20]} link", "--output", given, "--ranges", folder / "ranges.json",
    )  # fmt: skip
    assert made.exit_code == 0 and not controls(made.output), made.output
    line = ("advise", given, "--ranges", folder / "ranges.json", "--objective", "latency", "--time-limit", 10)
    advised = run(*line, "--draws", 10, "--output", written)
    assert advised.exit_code == 0 and not controls(advised.output), advised.output
    page = Page(written.read_text(encoding="utf-8"))
    head, body = {"html", "head", "meta", "title", "style", "body", "script"}, {"main", "section", "div", "span", "p"}
    words = {"header", "figure", "figcaption", "h1", "h2", "h3", "b", "i", "ul", "li", "details", "summary"}
    assert {tag for tag, _ in page.elements} <= head | body | words | {"table", "thead", "tbody", "tr", "th", "td"}
    named = {attribute for _, attributes in page.elements for attribute in attributes}
    assert not {each for each in named if each.startswith(("on", "href", "src"))}
    assert len(page.scripts) == 3 and "<" not in page.scripts[0]
    texts = "\n".join(page.texts)
    assert not controls(texts)
    assert all(plain(shortened(name), lines=True) in texts for name in names[8:13])


def test_errors_of_ones_own_files_are_one_line_each(folders: tuple[Path, Path], tmp_path: Path) -> None:
    names = {**network(HOSTILE), "outputs": [NAMES["OSC 8"] + "\nforged"]}
    (tmp_path / "wrong.json").write_text(json.dumps(names), encoding="utf-8")
    (tmp_path / "wrong.toml").write_text(f"[devices.{quoted(PLACE)}]\nwhat = {quoted(PLACE)}\n", encoding="utf-8")
    (tmp_path / "wrong.csv").write_text(f"name,inputs,output_mb\ninput,,1\na,{NAMES['C1'].split()[0]},1\n", "utf-8")
    deployed = ("instance", "make", "--network", folders[0] / "small.json", "--client", PLACE, "--edge", PLACE)
    for line in (
        ("network", "check", tmp_path / "wrong.json"), ("network", "show", tmp_path / "wrong.json"),
        ("network", "import", tmp_path / "wrong.csv"), ("network", "import", PLACE),
        ("network", "import", f"{PLACE}:x"),
        ("network", "import", folders[0] / "small.json", "--importer", PLACE),
        ("network", "import", folders[0] / "small.json", "--shape", f"{PLACE}=0"),
        ("catalogue", "--catalogue", tmp_path / "wrong.toml"), ("catalogue", PLACE), deployed,
        ("advise", PLACE), ("advise", "alexnet", "--spread", f"{PLACE}=2"), ("profile", PLACE),
        ("profile", "x.onnx", "--device", f"{PLACE}="),
    ):  # fmt: skip
        found = run(*line)
        assert found.exit_code == 2, (line, found.output, found.exception)
        assert not controls(found.output) and found.output.count("\n") == 1, (line, found.output)
    wide = run("network", "import", "x" * 100_000)
    assert wide.exit_code == 2 and len(wide.stderr) < 3000


def test_of_very_many_layers_some_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    path.write_text(json.dumps(network([f"layer-{k}" for k in range(2_500)])), encoding="utf-8")
    shown = run("network", "show", path)
    assert shown.exit_code == 0 and "layer-1999" in shown.stdout and "layer-2000 " not in shown.stdout
    assert shown.stdout.endswith("and 500 layers more; --json has all\n")
    assert len(json.loads(run("network", "show", path, "--json").stdout)["layers"]) == 2_500


def test_a_profile_of_hostile_names_obeys_nothing(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    names = [NAMES[key] for key in ("begins a comment", "OSC 8", "C1", "LF", "bidi", "rich's error", "formula")]
    nodes = [helper.make_node("Relu", [f"t{k}"], [f"t{k + 1}"], name=name) for k, name in enumerate(names)]
    ends = [helper.make_tensor_value_info(name, 1, [4]) for name in ("t0", f"t{len(names)}")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    path = tmp_path / "m.onnx"
    onnx.save(model, str(path))
    found = run(
        "profile", path, "--runs", 2, "--warm-up", 0, "--device", NAMES["OSC 8"], "--output", tmp_path / "p.json"
    )
    assert found.exit_code == 0 and not controls(found.output), (found.output, found.exception)
    again = run(
        "network", "import", path, "--profile", f"{NAMES['OSC 8']}={tmp_path / 'p.json'}", "--granularity", "node"
    )
    assert again.exit_code == 0 and not controls(again.output), again.output
