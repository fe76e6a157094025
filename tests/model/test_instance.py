"""Instance files: every rule of the format is held, and broken in one line that names file, place and rule."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import handmade
import pytest
from hypothesis import given
from pydantic import Field
from strategies import instances

from offbench import OffbenchError, load
from offbench.model.instance import Instance, Layer, Task, parse, shipped

Json = dict[str, Any]
Write = Callable[[str, Any], Path]
Mutation = Callable[[Json], object]


def refusal(path: Path | str) -> str:
    """Load what must be refused and return the message, which must be one line that begins with the file."""
    with pytest.raises(OffbenchError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    return message


def layer(instance: Json, i: int = 0, j: int = 0) -> Json:
    """Return a layer of an instance."""
    found: Json = instance["tasks"][i]["layers"][j]
    return found


# A name, what breaks a good instance, what the message must say. RAW is what the file shall have in that place.
RAW = "@raw@"
BAD: list[tuple[str, Mutation, list[str]]] = [
    ("format", lambda d: d.update(format="offbench/3"), ["format: ", "offbench/1", "offbench/2", "offbench/3"]),
    ("no format", lambda d: d.pop("format"), ["format: ", "missing"]),
    ("unknown field", lambda d: d.update(color="red"), ["color: unknown field"]),
    ("unknown field of a server", lambda d: d["servers"][1].update(gpu=1), ["servers[1].gpu: unknown field"]),
    ("unknown field of a layer", lambda d: layer(d, 1, 2).update(x=1), ["tasks[1].layers[2].x: unknown field"]),
    ("missing field", lambda d: d["servers"][2].pop("pool"), ["servers[2].pool: ", "missing"]),
    ("missing inputs", lambda d: layer(d).pop("inputs"), ["tasks[0].layers[0].inputs: ", "missing"]),
    ("missing weight", lambda d: d["weights"].pop("cost"), ["weights.cost: ", "missing"]),
    ("missing scale", lambda d: d["scales"].pop("balance"), ["scales.balance: ", "missing"]),
    ("several problems", lambda d: [d.pop("name"), d.pop("weights")], ["name: ", "missing", "1 more"]),
    # numbers
    ("negative work", lambda d: layer(d).update(gcycles=-1), ["tasks[0].layers[0].gcycles: ", "-1", "0"]),
    ("negative data", lambda d: layer(d).update(output_mb=-0.5), ["tasks[0].layers[0].output_mb: ", "-0.5"]),
    ("negative input", lambda d: d["tasks"][1].update(input_mb=-1), ["tasks[1].input_mb: ", "-1"]),
    ("negative arrival", lambda d: d["tasks"][0].update(arrival_s=-1), ["tasks[0].arrival_s: ", "-1"]),
    ("negative price", lambda d: d["servers"][1].update(price_per_hour=-1), ["servers[1].price_per_hour: "]),
    ("negative power", lambda d: d["servers"][1].update(client_power_w=-1), ["servers[1].client_power_w: "]),
    ("negative price of a link", lambda d: d["links"][1].update(price_per_gb=-1), ["links[1].price_per_gb: "]),
    ("negative scale", lambda d: d["scales"].update(delay_s=-1), ["scales.delay_s: "]),
    ("no speed", lambda d: d["servers"][3].update(compute_ghz=0), ["servers[3].compute_ghz: ", "greater than 0"]),
    ("no rate", lambda d: d["links"][1].update(rate_mb_per_s=0), ["links[1].rate_mb_per_s: ", "greater than 0"]),
    ("no bandwidth", lambda d: d["links"][0]["shannon"].update(bandwidth_mhz=0), ["links[0].shannon.bandwidth_mhz: "]),
    ("no noise", lambda d: d["links"][0]["shannon"].update(noise_w=0), ["links[0].shannon.noise_w: "]),
    ("no gain", lambda d: d["servers"][1]["radio"].update(gain=0), ["servers[1].radio.gain: "]),
    ("pool of 0", lambda d: d["servers"][1].update(pool=0), ["servers[1].pool: ", "1", "not 0"]),
    ("pool of 1.5", lambda d: d["servers"][1].update(pool=1.5), ["servers[1].pool: ", "whole number", "1.5"]),
    ("text for a number", lambda d: layer(d).update(gcycles="4"), ["tasks[0].layers[0].gcycles: ", "number", '"4"']),
    ("true for a number", lambda d: layer(d).update(gcycles=True), ["tasks[0].layers[0].gcycles: ", "number"]),
    ("true for a pool", lambda d: d["servers"][0].update(pool=True), ["servers[0].pool: ", "whole number"]),
    ("null for a number", lambda d: layer(d).update(output_mb=None), ["tasks[0].layers[0].output_mb: ", "number"]),
    ("null for work", lambda d: layer(d).update(gcycles=None), ["tasks[0].layers[0].gcycles: ", "missing"]),
    ("number for a text", lambda d: d.update(name=3), ["name: ", "text"]),
    ("NaN", lambda d: layer(d).update(gcycles=RAW + "NaN"), ["tasks[0].layers[0].gcycles: ", "finite"]),
    ("Infinity", lambda d: layer(d).update(output_mb=RAW + "Infinity"), ["tasks[0].layers[0].output_mb: ", "finite"]),
    ("-Infinity", lambda d: d["tasks"][0].update(input_mb=RAW + "-Infinity"), ["tasks[0].input_mb: "]),
    ("1e999", lambda d: d["servers"][1].update(compute_ghz=RAW + "1e999"), ["servers[1].compute_ghz: ", "finite"]),
    ("500 digits", lambda d: layer(d).update(gcycles=RAW + 500 * "9"), ["tasks[0].layers[0].gcycles: ", "number"]),
    ("5000 digits", lambda d: layer(d).update(gcycles=RAW + 5000 * "9"), []),
    # servers
    ("no servers", lambda d: d.update(servers=[]), ["servers: ", "at least one server"]),
    ("servers no list", lambda d: d.update(servers={"phone": {}}), ["servers: ", "list"]),
    ("server no object", lambda d: d["servers"].append("edge-9"), ["servers[4]: ", "object"]),
    ("no client", lambda d: d["servers"].pop(0), ["servers: ", "'client'", "none"]),
    ("two clients", lambda d: d["servers"][1].update(kind="client"), ["servers: ", "'client'", "2", "phone, edge-1"]),
    ("unknown kind", lambda d: d["servers"][1].update(kind="fog"), ["servers[1].kind: ", "fog", "edge"]),
    ("server twice", lambda d: d["servers"][2].update(name="edge-1"), ["servers[2].name: ", "'edge-1'", "servers[1]"]),
    ("server without name", lambda d: d["servers"][1].update(name=""), ["servers[1].name: ", "must not be empty"]),
    ("server named as a kind", lambda d: d["servers"][1].update(name="cloud"), ["servers[1].name: ", "'cloud'"]),
    # links
    ("unknown end", lambda d: d["links"][3].update(between=["edge-1", "cloud-2"]), ["links[3].between: 'cloud-2'", "did you mean 'cloud-1'?"]),  # noqa: E501
    ("kind with server", lambda d: d["links"][3].update(between=["edge-1", "cloud"]), ["links[3].between: ", "'edge-1' and 'cloud'", "two kinds or two server names"]),  # noqa: E501
    ("missing link", lambda d: d["links"].pop(2), ["links: ", "'phone' and 'cloud-1'", "'client' and 'cloud'"]),
    ("link twice", lambda d: d["links"].append(handmade.link("edge", "cloud")), ["links[5].between: ", "already", "links[4]"]),  # noqa: E501
    ("pair twice", lambda d: d["links"].append(handmade.link("cloud-1", "edge-1")), ["links[5].between: ", "already", "links[3]"]),  # noqa: E501
    ("server with itself", lambda d: d["links"].append(handmade.link("edge-1", "edge-1")), ["links[5].between: ", "itself"]),  # noqa: E501
    ("client with itself", lambda d: d["links"].append(handmade.link("client", "client")), ["links[5].between: ", "itself"]),  # noqa: E501
    ("one end", lambda d: d["links"][3].update(between=["edge-1"]), ["links[3].between"]),
    ("three ends", lambda d: d["links"][3].update(between=["edge-1", "edge-2", "phone"]), ["links[3].between"]),
    ("two rates", lambda d: d["links"][0].update(rate_mb_per_s=1), ["links[0]: ", "rate_mb_per_s", "shannon"]),
    ("neither rate", lambda d: d["links"][1].pop("rate_mb_per_s"), ["links[1]: ", "rate_mb_per_s", "shannon"]),
    ("no radio", lambda d: d["servers"][2].pop("radio"), ["links[0].shannon: ", "radio", "'edge-2'"]),
    ("wireless without client", lambda d: [d["links"][1].pop("rate_mb_per_s"), d["links"][1].update(shannon=d["links"][0]["shannon"])], ["links[1].shannon: ", "'edge-1' and 'edge-2'", "client"]),  # noqa: E501
    ("transmits without client", lambda d: d["links"][1].update(transmit_power_w=0.2), ["links[1].transmit_power_w: ", "0", "client"]),  # noqa: E501
    # tasks and layers
    ("no tasks", lambda d: d.update(tasks=[]), ["tasks: ", "at least one task"]),
    ("no layers", lambda d: d["tasks"][1].update(layers=[]), ["tasks[1].layers: ", "at least one layer"]),
    ("task twice", lambda d: d["tasks"][1].update(name="chain"), ["tasks[1].name: ", "'chain'", "tasks[0]"]),
    ("layer twice", lambda d: layer(d, 1, 2).update(name="left"), ["tasks[1].layers[2].name: ", "'left'", "layers[1]"]),
    ("later input", lambda d: layer(d, 1, 0).update(inputs=["right"]), ["tasks[1].layers[0].inputs[0]: 'right'", "'fork'"]),  # noqa: E501
    ("later input, no cycle", lambda d: [layer(d, 1, 1).update(inputs=["right"])], ["tasks[1].layers[1].inputs[0]: 'right'", "follow"]),  # noqa: E501
    ("cycle", lambda d: layer(d, 0, 0).update(inputs=["fc"]), ["tasks[0].layers[0].inputs[0]: 'fc'", "cycle", "conv -> pool", "pool -> fc", "fc -> conv"]),  # noqa: E501
    ("own input", lambda d: layer(d, 0, 1).update(inputs=["pool"]), ["tasks[0].layers[1].inputs[0]: 'pool'", "pool -> pool"]),  # noqa: E501
    ("unknown input", lambda d: layer(d, 0, 1).update(inputs=["konv"]), ["tasks[0].layers[1].inputs[0]: 'konv'", "did you mean 'conv'?"]),  # noqa: E501
    ("input of another task", lambda d: layer(d, 0, 1).update(inputs=["fork"]), ["tasks[0].layers[1].inputs[0]: 'fork'", "'chain'"]),  # noqa: E501
    ("input twice", lambda d: layer(d, 1, 3).update(inputs=["left", "left"]), ["tasks[1].layers[3].inputs: ", "twice"]),
    ("inputs no list", lambda d: layer(d, 0, 1).update(inputs="conv"), ["tasks[0].layers[1].inputs: ", "list"]),
    ("allowed nowhere", lambda d: layer(d).update(allowed=[]), ["tasks[0].layers[0].allowed: ", "at least one entry"]),
    ("allowed unknown", lambda d: layer(d).update(allowed=["edge-11"]), ["tasks[0].layers[0].allowed[0]: 'edge-11'", "did you mean 'edge-1'?"]),  # noqa: E501
    ("allowed twice", lambda d: layer(d).update(allowed=["phone", "phone"]), ["tasks[0].layers[0].allowed: ", "twice"]),
    ("newline in a name", lambda d: layer(d, 0, 1).update(inputs=["con\nv"]), ["tasks[0].layers[1].inputs[0]: "]),
    ("newline in a field", lambda d: d.update({"col\nor": 1}), ["unknown field"]),
    # weights, coordination
    ("weight above 1", lambda d: d["weights"].update(delay=1.1), ["weights.delay: ", "1.1"]),
    ("negative weight", lambda d: d["weights"].update(delay=-0.1), ["weights.delay: ", "-0.1"]),
    ("weights short of 1", lambda d: d["weights"].update(delay=0.4), ["weights: ", "delay + energy + cost", "0.9"]),
    ("weights over 1", lambda d: d["weights"].update(score=0.7), ["weights: ", "score + coord", "1.1"]),
    ("root of 4", lambda d: d["coordination"].update(root=4), ["coordination.root: ", "2 or 3", "4"]),
    ("indicators", lambda d: d["coordination"].update(indicators="both"), ["coordination.indicators: ", "both", "benefits"]),  # noqa: E501
    ("two lambdas", lambda d: d["coordination"].update(lambdas=[0.5, 0.5]), ["coordination.lambdas"]),
    ("negative lambda", lambda d: d["coordination"].update(lambdas=[1, 1, -1]), ["coordination.lambdas[2]: "]),
]  # fmt: skip


@pytest.mark.parametrize(("break_it", "fragments"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_broken_rule_is_told_with_its_place(write: Write, break_it: Mutation, fragments: list[str]) -> None:
    instance = json.loads(json.dumps(handmade.phone()))
    break_it(instance)
    text = re.sub(f'"{RAW}([^"]*)"', r"\1", json.dumps(instance))
    message = refusal(write("bad.json", text))
    for fragment in fragments:
        assert fragment in message


def test_the_good_instance_is_good(write: Write) -> None:
    assert load(write("good.json", handmade.phone())).name == "made-by-hand"


@pytest.mark.parametrize("text", ["[]", "null", "3", '"resnet"'])
def test_file_must_hold_an_object(write: Write, text: str) -> None:
    assert "object" in refusal(write("bad.json", text))


def test_wrong_json_is_told_with_line_and_column(write: Write) -> None:
    assert "line 2 column 10: " in refusal(write("bad.json", '{"format": "offbench/1",\n "name": x}'))


def test_empty_file_is_wrong_json(write: Write) -> None:
    assert "line 1 column 1: not valid JSON" in refusal(write("bad.json", ""))


def test_key_that_stands_twice_is_refused(write: Write) -> None:
    text = json.dumps(handmade.phone()).replace('"pool": 4', '"pool": 4, "pool": 5')
    assert "'pool' stands twice" in refusal(write("bad.json", text))


def test_missing_file_is_told(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "none.json")


def test_folder_is_no_instance(tmp_path: Path) -> None:
    folder = tmp_path / "folder.json"
    folder.mkdir()
    assert "directory" in refusal(folder)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(b"\xff\xfe{}")
    assert "UTF-8" in refusal(path)


def test_deep_nesting_is_refused(write: Write) -> None:
    assert "nested too deeply" in refusal(write("bad.json", 100_000 * "["))


def test_unknown_shipped_name_is_told_with_the_nearest() -> None:
    message = refusal("resnett")
    assert "did you mean 'resnet'?" in message
    assert "alexnet" in message


def test_shipped_instance_loads_by_name_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "vgg19" in shipped()
    assert load("vgg19").name == "vgg19"


def test_file_in_the_folder_wins_over_a_shipped_name(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("vgg19", handmade.phone())
    monkeypatch.chdir(tmp_path)
    assert load("vgg19").name == "made-by-hand"


def test_error_of_parsed_json_names_its_source() -> None:
    with pytest.raises(OffbenchError, match=r"^the request: format: "):
        parse({**handmade.phone(), "format": "x"}, "the request")


def test_defaults_are_those_of_the_format() -> None:
    data = handmade.phone()
    for field in ("coordination", "scales", "source"):
        del data[field]
    del data["tasks"][0]["arrival_s"]
    instance = parse(data)
    assert instance.coordination.model_dump() == {"indicators": "costs", "root": 2, "lambdas": (0.33, 0.33, 0.34)}
    assert instance.scales is None
    assert instance.tasks[0].arrival_s == 0
    assert instance.links[1].transmit_power_w == 0


def test_names_win_over_kinds_in_links() -> None:
    instance = parse(handmade.phone())
    table = instance.link_table()
    assert table[1, 3].rate_mb_per_s == 5
    assert table[2, 3].rate_mb_per_s == 0.5
    assert table[0, 1] is table[0, 2] is table[1, 0]


def test_facts_cannot_be_changed() -> None:
    instance = parse(handmade.phone())
    with pytest.raises(ValueError, match="frozen"):
        instance.name = "other"  # type: ignore[misc]


@given(instances())
def test_text_of_an_instance_reads_as_the_same(data: Json) -> None:
    instance = parse(data)
    assert parse(json.loads(instance.to_text())) == instance


def test_text_of_an_instance_has_a_line_for_each_thing() -> None:
    instance = parse(handmade.phone())
    lines = instance.to_text().splitlines()
    for name in ("phone", "edge-2", "conv", "join"):
        assert sum(f'"name": "{name}"' in line for line in lines) == 1


def test_names_beyond_ascii_survive_a_file(write: Write) -> None:
    instance = parse({**handmade.phone(), "name": "Gerät 設備"})
    assert load(write("good.json", instance.to_text())) == instance


# Written down, so that no change of the code voids what is known of the instances unnoticed.
HASHES = {
    "split": "b6a910667e592e014597401435c99db534e4775e9c577d0cc805f063c7eb3f48",
    "phones": "dbc36f36bf16633683090c23ed8d0a99053be5d3c0d0e91eb447d7c95a15e4c2",
    "camera": "c2f7c8b0c3e7f8c5379744e57056f997e5ca70dcfa866b16563a277c7b8c3fec",
    "board": "3bdb04b31e8a1315265317cec59af45430a617b8ea1de22d27e1b84206292916",
    "alexnet": "09581ff55671d9f67bd40ff91d6e11cb26d7f36b16ed4ad602b6f52a2d00e8bd",
    "alexnet-x10": "5d5e7ddb3704fc4080be2a3f565507a31d09899f7d5804da7e97b29cff5aa88e",
    "googlenet": "b5219478887947c1443d1f8f7d974b27bc54bc173a1921f6f1adbe1dd38c92cf",
    "inception-nested": "0e6186f4d0c544e9dd3b1b4b44eb2278b765e3a9ef5fd603d9ac454fccf6f681",
    "mixed-4": "82ab3b523a3e5c6bdfa47c861a50abe13f245dfe01503fdac61e53639fce31ce",
    "resnet": "76ffbbb070787ab8d9b33b7866e7e6079e9d8f5564d5c86b2124ba3cb8c1427b",
    "resnet-x10": "97c54e3a4ca081867b6f86ecb23561ee17e5dc27ea9d49f25edf66dbd1a690ea",
    "tiny-chains": "27b0e0af8c47f7bd115bd11fa664f5a370e215acb51aa704c774e08f5e678c94",
    "tiny-graphs": "3b4dfb9e57de3117dc7157de2874e8de0afaa3687338e74d3dd4d1377ad5407c",
    "tiny-wireless": "c9e7bff03fdeac4b5a771d4bd82fe3bdf47c47d274e3f8b7bc1f56a6fc9f7cfd",
    "vgg19": "127b27bca44340cc722742cc147abc0c6cfc60b69300b7130d65530f40730747",
}


def test_hashes_of_the_shipped_instances_are_what_they_were() -> None:
    assert {name: load(name).hash for name in shipped()} == HASHES


class GrownLayer(Layer):
    """A layer of a format to come."""

    sparsity: float = 0.0


class GrownTask(Task):
    """A task of a format to come."""

    layers: tuple[GrownLayer, ...]
    priority: float | None = None


class Grown(Instance):
    """An instance of a format to come."""

    format: Literal["offbench/1", "offbench/9"]  # type: ignore[assignment]
    tasks: tuple[GrownTask, ...]
    regions: dict[str, float] = Field(default_factory=dict)


@pytest.mark.parametrize("name", ["tiny-graphs", "tiny-wireless", "mixed-4"])
def test_format_that_grows_changes_no_hash(name: str) -> None:
    data = json.loads(load(name).to_text())
    assert Grown.model_validate(data).hash == HASHES[name]
    data["format"] = "offbench/9"
    data["regions"] = {}
    data["tasks"][0]["priority"] = None
    data["tasks"][0]["layers"][0]["sparsity"] = 0
    assert Grown.model_validate(data).hash == HASHES[name]
    layer(data)["sparsity"] = 1
    assert Grown.model_validate(data).hash != HASHES[name]


def test_stated_default_counts_as_absent() -> None:
    data = handmade.phone()
    del data["coordination"], data["scales"]
    before = parse(data).hash
    data["coordination"] = {"indicators": "costs", "root": 2, "lambdas": [0.33, 0.33, 0.34]}
    data["scales"] = None
    data["source"] = ""
    for task in data["tasks"]:
        task.setdefault("arrival_s", 0)
        for each in task["layers"]:
            each.setdefault("allowed", None)
    for server in data["servers"]:
        server.setdefault("radio", None)
    for link in data["links"]:
        link.setdefault("transmit_power_w", -0.0)
    assert parse(data).hash == before
    data["coordination"]["root"] = 3
    assert parse(data).hash != before


def test_writing_of_numbers_and_order_of_keys_change_no_hash() -> None:
    data = handmade.phone()
    layer(data)["output_mb"] = 0
    layer(data)["gcycles"] = 1
    before = parse(data).hash
    layer(data)["output_mb"] = -0.0
    layer(data)["gcycles"] = 1.0
    turned = {name: data[name] for name in reversed(data)}
    turned["tasks"] = [{name: task[name] for name in reversed(task)} for task in data["tasks"]]
    assert parse(turned).hash == before


FACTS: list[tuple[str, Mutation]] = [
    ("work", lambda d: layer(d).update(gcycles=7.25)),
    ("output", lambda d: layer(d).update(output_mb=7.25)),
    ("arrival", lambda d: d["tasks"][0].update(arrival_s=7.25)),
    ("pool", lambda d: d["servers"][0].update(pool=99)),
    ("price", lambda d: d["links"][0].update(price_per_gb=7.25)),
    ("weights", lambda d: d["weights"].update(delay=0, energy=0, cost=1)),
    ("scales", lambda d: d.update(scales={"delay_s": 1, "energy_j": 1, "cost_usd": 1, "balance": 7.25})),
    ("name of a layer", lambda d: d["tasks"][0]["layers"][-1].update(name="another")),
]


@pytest.mark.parametrize("change", [change for _, change in FACTS], ids=[name for name, _ in FACTS])
def test_every_fact_changes_the_hash(change: Mutation) -> None:
    data = handmade.phone()
    before = parse(data).hash
    change(data)
    assert parse(data).hash != before


def test_instance_shows_itself_in_a_short_line() -> None:
    from rich.pretty import pretty_repr

    one = load("alexnet")
    assert repr(one) == str(one) == "<Instance 'alexnet': 1 task, 11 subtasks, 11 servers>"
    assert repr(load("mixed-4")).startswith("<Instance 'mixed-4': 4 tasks, ")
    assert repr(one.tasks) == "(<Task 'alexnet': 11 layers>,)"
    assert str(one.tasks[0]) == "<Task 'alexnet': 11 layers>"
    assert pretty_repr(one) == "Instance(name='alexnet', tasks=1, subtasks=11, servers=11)"
    assert len(repr(one.model_copy(update={"name": "a\nb"})).splitlines()) == 1


def test_changed_copy_works_out_its_clients_anew() -> None:
    whole = load("mixed-4")
    assert (len(whole.client_of), len(whole.places)) == (4, len(whole.servers))  # kept from here on
    part = whole.model_copy(update={"tasks": whole.tasks[:2], "servers": whole.servers[:3]})
    assert (len(part.client_of), part.places, part.clients) == (2, (0, 1, 2), (0,))
