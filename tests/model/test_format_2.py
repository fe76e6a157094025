"""What format 2 adds: read, written, and every rule of it held in one line that names place and rule."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import handmade
import jsonschema
import numpy as np
import pytest

from offbench import P1, evaluate
from offbench.errors import OffbenchError
from offbench.model.instance import Instance, load, parse
from offbench.model.placement import parse_placement
from offbench.model.schema import instance_schema

Json = dict[str, Any]


def two_phones() -> Json:
    """Return two phones that share an edge; every field of format 2 is used."""
    return handmade.instance(
        [
            {**handmade.server("one", "client", ghz=2, power=4), "idle_power_w": 0.5, "memory_mb": 60},
            {**handmade.server("two", "client", ghz=1, power=3)},
            {**handmade.server("near", "edge", ghz=8, pool=2, power=1), "memory_mb": 50},
            {**handmade.server("far", "cloud", ghz=16, pool=2, power=1)},
        ],
        [
            {"from": "client", "to": "edge", "rate_mb_per_s": 2, "price_per_gb": 0, "latency_s": 0.01},
            {"from": "edge", "to": "client", "rate_mb_per_s": 8, "price_per_gb": 0, "latency_s": 0.02},
            {"from": "two", "to": "near", "rate_mb_per_s": 1, "price_per_gb": 0},
            handmade.link("client", "cloud", rate=0.5),
            handmade.link("edge", "cloud", rate=4),
        ],
        [
            {
                **handmade.task("a", input_mb=1, arrival_s=1),
                "client": "one",
                "deadline_s": 3,
                "layers": [
                    {**handmade.layer("conv", 4, output_mb=2), "weights_mb": 10, "weights_id": "net/conv"},
                    {
                        "name": "head",
                        "output_mb": 1,
                        "inputs": [{"layer": "conv", "mb": 0.5}, {"input_mb": 0.25}],
                        "seconds": {"one": 0.5, "near": 0.25, "cloud": 0.125},
                    },
                ],
            },
            {
                **handmade.task("b", input_mb=1),
                "client": "two",
                "layers": [{**handmade.layer("conv", 4, output_mb=2), "weights_mb": 10, "weights_id": "net/conv"}],
            },
        ],
        format="offbench/2",
        weights=handmade.DELAY_ALONE,
        limits={"cost_usd": 1},
    )


def layer(data: Json, i: int, j: int) -> Json:
    """Return a layer of an instance."""
    found: Json = data["tasks"][i]["layers"][j]
    return found


def renamed(data: Json, name: str, other: str) -> None:
    """Spell a field otherwise."""
    data[other] = data.pop(name)


BAD: list[tuple[str, Callable[[Json], Any], list[str]]] = [
    ("no client", lambda d: [s.update(kind="edge") for s in d["servers"][:2]], ["servers: ", "'client'", "none"]),
    ("whose task", lambda d: d["tasks"][0].pop("client"), ["tasks[0].client: ", "missing", "one, two"]),
    ("no such client", lambda d: d["tasks"][1].update(client="too"), ["tasks[1].client: ", "'too'", "mean 'two'"]),
    ("client is an edge", lambda d: d["tasks"][1].update(client="near"), ["tasks[1].client: ", "'near' is no client"]),
    ("deadline of 0", lambda d: d["tasks"][0].update(deadline_s=0), ["tasks[0].deadline_s: ", "greater than 0"]),
    ("memory of 0", lambda d: d["servers"][2].update(memory_mb=0), ["servers[2].memory_mb: ", "greater than 0"]),
    ("idle edge", lambda d: d["servers"][2].update(idle_power_w=1), ["servers[2].idle_power_w: ", "only a client"]),
    ("negative idle", lambda d: d["servers"][0].update(idle_power_w=-1), ["servers[0].idle_power_w: ", "-1"]),
    ("negative latency", lambda d: d["links"][0].update(latency_s=-1), ["links[0].latency_s: ", "-1"]),
    ("limit of 0", lambda d: d["limits"].update(delay_s=0), ["limits.delay_s: ", "greater than 0"]),
    ("unknown limit", lambda d: d["limits"].update(makespan_s=1), ["limits.makespan_s: unknown field"]),
    ("both ways", lambda d: d["links"][0].update(between=["client", "edge"]), ["links[0]: ", "'between'", "'from'"]),
    ("no start", lambda d: d["links"][0].pop("from"), ["links[0]: ", "'from' is missing"]),
    ("no end", lambda d: d["links"][0].pop("to"), ["links[0]: ", "'to' is missing"]),
    ("nothing", lambda d: d["links"][3].pop("between"), ["links[3]: ", "'between'", "'from' and 'to'"]),
    ("unknown end", lambda d: d["links"][2].update(to="neer"), ["links[2].to: ", "'neer'", "mean 'near'"]),
    ("mixed ends", lambda d: d["links"][2].update(to="edge"), ["links[2]: ", "two kinds or two server names"]),
    ("to itself", lambda d: d["links"][2].update(to="two"), ["links[2]: ", "itself"]),
    ("twice", lambda d: d["links"].append(deepcopy(d["links"][0])), ["links[5]: ", "'client'", "links[0]"]),
    ("one way alone", lambda d: d["links"].pop(1), ["links: none leads from 'near' to 'one'"]),
    ("none", lambda d: d["links"].pop(3), ["links: none joins 'one' and 'far'"]),
    ("input of none", lambda d: layer(d, 0, 1)["inputs"][0].update(layer="x"), ["layers[1].inputs[0].layer: ", "'x'"]),
    ("input of no size", lambda d: layer(d, 0, 1)["inputs"][0].pop("mb"), ["layers[1].inputs[0].mb: ", "missing"]),
    ("negative size", lambda d: layer(d, 0, 1)["inputs"][0].update(mb=-1), ["inputs[0].mb: ", "-1"]),
    ("negative input", lambda d: layer(d, 0, 1)["inputs"][1].update(input_mb=-1), ["inputs[1].input_mb: ", "-1"]),
    ("odd input", lambda d: layer(d, 0, 1)["inputs"][0].update(gb=1), ["inputs[0].gb: unknown field"]),
    ("twins", lambda d: layer(d, 0, 1)["inputs"].append("conv"), ["tasks[0].layers[1].inputs: ", "twice"]),
    ("later", lambda d: layer(d, 0, 0).update(inputs=[{"layer": "head", "mb": 1}]), ["inputs[0].layer: ", "'head'"]),
    ("negative seconds", lambda d: layer(d, 0, 1)["seconds"].update(one=-1), ["layers[1].seconds.one: ", "-1"]),
    ("seconds of none", lambda d: layer(d, 0, 1)["seconds"].update(x=1), ["layers[1].seconds: ", "'x'", "server"]),
    ("no work", lambda d: layer(d, 0, 1)["seconds"].pop("cloud"), ["layers[1].gcycles: ", "missing", "'far'"]),
    ("none for its client", lambda d: layer(d, 0, 1)["seconds"].pop("one"), ["layers[1].gcycles: ", "'one'"]),
    ("no work at all", lambda d: layer(d, 0, 1).pop("seconds"), ["layers[1].gcycles: this field is missing"]),
    ("negative weights", lambda d: layer(d, 0, 0).update(weights_mb=-1), ["layers[0].weights_mb: ", "-1"]),
    ("other weights", lambda d: layer(d, 1, 0).update(weights_mb=9), ["tasks[1].layers[0].weights_mb: 9", "has 10"]),
    ("no weights", lambda d: layer(d, 1, 0).pop("weights_mb"), ["tasks[1].layers[0].weights_mb: 0", "net/conv"]),
    ("no client of his", lambda d: layer(d, 0, 0).update(allowed=["two", "near"]), ["allowed[0]: ", "another client"]),
    ("format 1", lambda d: d.update(format="offbench/1"), ["limits: ", "offbench/2"]),
    ("misspelt", lambda d: d["tasks"][0].update(deadline=1), ["tasks[0].deadline: ", "did you mean 'deadline_s'?", "; fields: name, client, arrival_s, "]),  # noqa: E501
    ("misspelt and needed", lambda d: renamed(layer(d, 0, 1)["inputs"][0], "mb", "MB"), ["inputs[0].MB: unknown field (did you mean 'mb'?); fields: layer, mb, input_mb"]),  # noqa: E501
    ("misspelt end", lambda d: renamed(d["links"][2], "to", "too"), ["links[2].too: unknown field (did you mean 'to'?); fields: between, from, to, "]),  # noqa: E501
    ("two sorts", lambda d: layer(d, 0, 1)["inputs"][0].update(input_mb=1), ["inputs[0].input_mb: doesn't go with", "layer, mb, input_mb"]),  # noqa: E501
    ("no object", lambda d: layer(d, 0, 1).update(seconds=3), ["layers[1].seconds: must be an object, not 3"]),
    ("allowed kind", lambda d: layer(d, 0, 0).update(allowed=["edge"]), ["allowed[0]: 'edge'", "servers: one, near, far"]),  # noqa: E501
]  # fmt: skip


@pytest.mark.parametrize(("breaks", "told"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_broken_rule_is_told_with_its_place(breaks: Callable[[Json], Any], told: list[str]) -> None:
    data = two_phones()
    parse(data)
    breaks(data)
    with pytest.raises(OffbenchError) as error:
        parse(data, "bad.json")
    message = str(error.value)
    assert message.startswith("bad.json: ")
    assert "\n" not in message
    for part in told:
        assert part in message


def directed(link: Json) -> None:
    """Say a link by from and to."""
    link["from"], link["to"] = link.pop("between")


NEW: list[tuple[str, Callable[[Json], Any]]] = [
    ("limits", lambda d: d.update(limits={"delay_s": 1})),
    ("servers[0].memory_mb", lambda d: d["servers"][0].update(memory_mb=1)),
    ("servers[0].idle_power_w", lambda d: d["servers"][0].update(idle_power_w=1)),
    ("servers[0].idle_power_w", lambda d: d["servers"][0].update(idle_power_w=0)),  # not what it is by default
    ("links[1].latency_s", lambda d: d["links"][1].update(latency_s=1)),
    ("links[1].from", lambda d: directed(d["links"][1])),
    ("tasks[0].client", lambda d: d["tasks"][0].update(client="phone")),
    ("tasks[0].deadline_s", lambda d: d["tasks"][0].update(deadline_s=1)),
    ("tasks[0].layers[0].seconds", lambda d: layer(d, 0, 0).update(seconds={"client": 1})),
    ("tasks[0].layers[0].weights_mb", lambda d: layer(d, 0, 0).update(weights_mb=1)),
    ("tasks[0].layers[0].weights_id", lambda d: layer(d, 0, 0).update(weights_id="w")),
    ("tasks[0].layers[0].inputs[0]", lambda d: layer(d, 0, 0).update(inputs=[{"input_mb": 1}])),
]  # fmt: skip


@pytest.mark.parametrize(("place", "uses"), NEW, ids=[place for place, _ in NEW])
def test_format_1_refuses_what_format_2_adds(place: str, uses: Callable[[Json], Any]) -> None:
    data = handmade.phone()
    uses(data)
    with pytest.raises(OffbenchError) as error:
        parse(data)
    assert str(error.value) == f'instance: {place}: is of format 2; say "format": "offbench/2" to use it'
    data["format"] = "offbench/2"
    parse(data)
    # The schema refuses it too.
    jsonschema.validate(data, instance_schema())
    data["format"] = "offbench/1"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, instance_schema())


def test_several_clients_are_of_format_2() -> None:
    data = handmade.phone()
    data["servers"].append(handmade.server("tablet", "client"))
    with pytest.raises(OffbenchError, match=r"servers: exactly one .* found 2 \(phone, tablet\); format offbench/2"):
        parse(data)


def test_text_reads_as_the_same_with_a_line_for_each_thing() -> None:
    instance = parse(two_phones())
    text = instance.to_text()
    assert parse(json.loads(text)) == instance
    for name in ("one", "far", "conv", "head"):
        assert any(f'"name": "{name}"' in line and line.endswith(("}", "},")) for line in text.splitlines())


def test_hash_is_one_of_facts() -> None:
    """Said the long way, or in format 2 without need, it is the same instance."""
    plain = parse(handmade.phone())
    data = handmade.phone()
    data["format"] = "offbench/2"
    data["tasks"][0]["client"] = "phone"
    for link in data["links"]:
        link["latency_s"] = 0
    first = layer(data, 0, 0)
    second = layer(data, 0, 1)
    first |= {"inputs": [{"input_mb": data["tasks"][0]["input_mb"]}], "weights_mb": 0}
    second["inputs"] = [{"layer": first["name"], "mb": first["output_mb"]}]
    assert parse(data).hash == plain.hash
    second["inputs"][0]["mb"] += 1
    assert parse(data).hash != plain.hash


def test_one_direction_wins_over_both_and_names_over_kinds() -> None:
    data = two_phones()
    data["links"] += [handmade.link("edge", "client", rate=99), handmade.link("one", "near", rate=3)]
    table = parse(data).link_table()
    rates = {(a, b): table[a, b].rate_mb_per_s for a, b in [(0, 2), (2, 0), (1, 2), (2, 1)]}
    # between the two names; between the two names; from and to the names; from and to their kinds
    assert rates == {(0, 2): 3, (2, 0): 3, (1, 2): 1, (2, 1): 8}
    assert (0, 1) not in table


def test_subtasks_choose_among_their_own_client_and_the_remote_servers() -> None:
    instance = parse(two_phones())
    assert instance.place_names == ["client", "near", "far"]
    assert instance.names_of(0) == ["one", "near", "far"]
    assert instance.names_of(1) == ["two", "near", "far"]
    problem = P1(instance)
    assert problem.n_servers == 3
    assert problem.n_stations == 4
    assert problem.stations(np.array([0, 0, 0])).tolist() == [0, 0, 3]
    assert problem.station_names == ["one", "near", "far", "two"]
    placement = parse_placement({"servers": [["one", "near"], ["two"]]}, instance)
    assert placement.servers.tolist() == [0, 1, 0]
    assert placement.to_file(instance)["servers"] == [["one", "near"], ["two"]]
    with pytest.raises(OffbenchError, match=r"servers\[1\]\[0\]: 'one' is another client than 'two'"):
        parse_placement({"servers": [["one", "near"], ["one"]]}, instance)


def test_numbers_by_hand() -> None:
    """a: conv on one, head near; b: conv near."""
    instance = parse(two_phones())
    found = evaluate(instance, [["one", "near"], ["near"]])
    conv, head, other = found.subtasks
    assert conv["completion_s"] == 1 + 4 / 2
    # of conv 0.5 MB, and of the task's input 0.25 MB from the client; the first is the later
    assert head["transmission_s"] == pytest.approx(0.5 / 2 + 0.01)
    assert head["execution_s"] == 0.25
    # 'two' sends 1 MB at its own 1 MB/s, without latency; 8 GHz
    assert other["completion_s"] == pytest.approx(1 + 0.5)
    # on 'near' the client 'one' idles at 0.5 W, the client 'two' draws what 'near' says
    assert head["energy_j"] == pytest.approx(0.5 * 0.25)
    assert other["energy_j"] == pytest.approx(1 * 0.5)
    took = 2 + 0.26 + 0.25
    assert found.delay_s == pytest.approx(took + 1.5)
    assert found.feasible
    assert found.violation == 0


def test_violation_by_hand() -> None:
    data = two_phones()
    data["servers"][2]["memory_mb"] = 8
    data["tasks"][0]["deadline_s"] = 0.5
    data["limits"] = {"delay_s": 2}
    instance = parse(data)
    found = evaluate(instance, [["near", "near"], ["near"]])
    # the same 10 MB for both tasks, once
    assert found.memory_violation == pytest.approx(10 / 8 - 1)
    took = 1 / 2 + 0.01 + 4 / 8 + 0.25
    assert found.deadline_violation == pytest.approx(took / 0.5 - 1)
    assert found.limit_violation == pytest.approx((took + 1.5) / 2 - 1)
    assert found.violation == pytest.approx(found.memory_violation + found.deadline_violation + found.limit_violation)
    assert not found.feasible


def test_clients_do_not_queue_for_one_another() -> None:
    data = two_phones()
    data["tasks"] = [
        {**handmade.task(name, handmade.layer("l", 2)), "client": client}
        for name, client in (("a", "one"), ("b", "one"), ("c", "two"))
    ]
    found = evaluate(parse(data), [["one"], ["one"], ["two"]])
    assert [row["queueing_s"] for row in found.subtasks] == [0, 1, 0]


def test_shipped_instances_keep_their_format() -> None:
    assert {load(name).format for name in ("alexnet", "resnet")} == {"offbench/1"}


def test_many_clients_share_their_tables() -> None:
    data = two_phones()
    data["servers"] += [handmade.server(f"more-{c}", "client") for c in range(50)]
    data["tasks"] += [
        {**handmade.task(f"more-{c}", handmade.layer("l", 1), input_mb=1), "client": f"more-{c}"} for c in range(50)
    ]
    problem = P1(Instance.model_validate(data))
    assert problem.arrays.link.shape == (2, 3, 3, 4)  # 'two' has links of its own
    assert problem.arrays.execution_s.shape == (53, 3)
