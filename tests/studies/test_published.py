"""Cases of papers held against offbench: their rules and ours, on examples worked out by hand."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from experiments import published as study
from experiments._published import dads, fiddle, splits
from experiments._shared.kept_runs import KeptRuns
from offbench.evaluation.evaluator import evaluate
from offbench.model.network import Network
from offbench.model.placement import Placement
from offbench.model.problem import P1

TWO_LAYERS = Network.model_validate({
    "name": "two", "input_mb": 2.0,
    "layers": [
        {"name": "a", "operator": "other", "read_mb": 0, "written_mb": 0, "output_mb": 0.5, "inputs": []},
        {"name": "b", "operator": "other", "read_mb": 0, "written_mb": 0, "output_mb": 0, "inputs": ["a"]},
    ],
})  # fmt: skip


def graph_file(folder: Path, **changes: Any) -> Path:
    """Write 1 -> 2 -> 3 and 1 -> 3; two of three nodes fit on the accelerator. 1 ms moves 1000 bytes."""
    times = {1: (4, 1, 2), 2: (6, 2, 3), 3: (5, 1, 0)}  # processor, accelerator, transfer, ms
    nodes = [
        {"id": key, "name": f"n{key}", "supportedOnFpga": True, "cpuLatency": cpu, "fpgaLatency": fast, "size": 1e7,
         "isBackwardNode": False} | changes.get(f"n{key}", {})
        for key, (cpu, fast, _) in times.items()
    ]  # fmt: skip
    edges = [
        {"sourceId": a, "destId": b, "cost": times[a][2], "size": 1000 * times[a][2]}
        for a, b in ((1, 2), (2, 3), (1, 3))
    ]
    facts = {"maxFPGAs": 1, "maxCPUs": 8, "maxSizePerFPGA": 2e7, "nodes": nodes, "edges": edges}
    path = folder / "LayerGraphs" / "made_inference.json"
    path.parent.mkdir()
    path.write_text(json.dumps(facts), encoding="utf-8")
    return path


BY_HAND = {  # by their rule; by offbench's, with the transfers at once and each as soon as it can be
    (0, 0, 0): (15, 15),
    (1, 1, 0): (1 + 2 + 2 + 3 + 5, 1 + 2 + 3 + 5),
    (0, 1, 1): (4 + 2 + 2 + 1, 4 + 2 + 2 + 1),
    (1, 0, 0): (1 + 2 + 6 + 5, 1 + 2 + 6 + 5),
    (0, 1, 0): (4 + 2 + 2 + 3 + 5, 4 + 2 + 2 + 3 + 5),
    (0, 0, 1): (4 + 6 + 2 + 3 + 1, 4 + 6 + 3 + 1),
}


def test_latency_of_a_split_is_what_is_counted_by_hand(tmp_path: Path) -> None:
    graph = fiddle.read(graph_file(tmp_path))
    assert (graph.name, [node.key for node in graph.nodes]) == ("layers/made", [1, 2, 3])
    problem = P1(fiddle.instance_of(graph))
    for split, (theirs, here) in BY_HAND.items():
        assert fiddle.latency_ms(graph, split) == pytest.approx(theirs)
        assert evaluate(problem, Placement(split)).delay_s * 1e3 == pytest.approx(here)
        assert fiddle.is_one_part_each(graph, split)
    assert not fiddle.is_one_part_each(graph, (1, 0, 1))
    assert fiddle.latency_ms(graph, (1, 0, 1)) == pytest.approx((1 + 2) + 6 + (2 + 3 + 1))  # called twice
    assert fiddle.overfull(graph, (1, 1, 1)) == pytest.approx(0.5)


@pytest.mark.parametrize(("changes", "best"), [({}, 9), ({"n1": {"colorClass": 7}, "n3": {"colorClass": 7}}, 15)])
def test_least_by_their_rule_is_that_of_all_splits(tmp_path: Path, changes: dict[str, Any], best: float) -> None:
    graph = fiddle.read(graph_file(tmp_path, **changes))
    every = [
        fiddle.latency_ms(graph, split)
        for split in product((0, 1), repeat=3)
        if fiddle.is_one_part_each(graph, split) and not fiddle.overfull(graph, split)
    ]
    found = fiddle.least(graph, (0, 0, 0), time_limit_s=20)
    assert min(every) == found.best == pytest.approx(best)
    assert found.bound == pytest.approx(best)


def test_row_of_a_graph_has_both_rules(tmp_path: Path) -> None:
    experts = tmp_path / "split.json"
    experts.write_text(json.dumps({"fpgas": [{"nodes": []}, {"nodes": [1, 2, 3]}], "cpus": []}), encoding="utf-8")
    row = fiddle.compare(fiddle.read(graph_file(tmp_path)), experts, time_limit_s=30)
    assert (row["processors_ms"], row["processors_here_ms"]) == pytest.approx((15, 15))
    assert (row["experts_ms"], row["experts_overfull"]) == pytest.approx((4, 0.5))
    assert (row["least_ms"], row["here_ms"], row["here_by_their_rule_ms"]) == pytest.approx((9, 9, 9))
    assert row["least_bound_ms"] == pytest.approx(9) and row["broken_colours"] == 0


def test_cuts_and_their_rates_are_those_found_by_hand() -> None:
    times = {"a": 1.0, "b": 1.0}, {"a": 0.1, "b": 0.1}
    made = splits.instance_of(TWO_LAYERS, *times, mb_per_s=1.0)
    one = splits.answer(made)
    assert (one.cut, one.best_s, one.device_s, one.remote_s) == ("a", *map(pytest.approx, (1.6, 2.0, 2.2)))
    assert one.min_cut_s == pytest.approx(one.best_s)
    # 2 = 1.1 + 0.5 / rate, and 1.1 + 0.5 / rate = 0.2 + 2 / rate
    found = splits.ranges(made, 0.1, 10.0)
    assert [cut for cut, _, _ in found] == ["all on the device", "a", "input"]
    ends = [end for _, low, high in found for end in (low, high)]
    assert ends == pytest.approx([0.1, 0.5 / 0.9, 0.5 / 0.9, 1.5 / 0.9, 1.5 / 0.9, 10.0])


def test_networks_are_those_of_the_papers() -> None:
    net = splits.tiny_yolo_v2(416)
    assert net.gflop == pytest.approx(6.97, rel=0.01)  # pjreddie.com/darknet/yolov2: 6.97 Bn for VOC
    assert [layer.output_mb for layer in net.layers][-1] == pytest.approx(13 * 13 * 125 * 4e-6)
    residual = dads.resnet18()
    reads = {layer.name: layer.inputs for layer in residual.layers}
    assert reads["sum1"] == ("conv3", "pool1") and reads["sum3"] == ("conv7", "shortcut3")
    assert reads["shortcut3"] == reads["conv6"] == ("block2",)
    assert [name for name in reads if name.startswith("conv")] == [f"conv{k + 1}" for k in range(17)]


def test_times_that_speed_ups_imply_give_these_speed_ups() -> None:
    device, cloud = dads.implied("4G", "WiFi")
    for link in ("4G", "WiFi"):
        remote = dads.resnet18().input_mb / (dads.RATES[link] / 8) + cloud
        assert device / (remote * (1 - dads.BELOW_CLOUD[link])) == pytest.approx(dads.OVER_EDGE[link])


def test_split_is_made_one_that_their_rule_can_have(tmp_path: Path) -> None:
    graph = fiddle.read(graph_file(tmp_path, n1={"colorClass": 7}, n2={"colorClass": 7}))
    assert fiddle.largest_parts(graph, (1, 0, 1)) == [0, 0, 1]  # of a colour that is apart nothing stays
    assert fiddle.filled(graph) == [1, 1, 0]
    (tmp_path / "other").mkdir()
    plain = fiddle.read(graph_file(tmp_path / "other"))
    assert fiddle.largest_parts(plain, (1, 0, 1)) == [0, 0, 1]  # the slower part stays
    assert fiddle.largest_parts(plain, (0, 1, 1)) == [0, 1, 1]


def test_committed_table_is_made_of_the_runs_beside_it() -> None:
    rows = KeptRuns(study.FOLDER).rows()
    assert (study.FOLDER / "table.md").read_text(encoding="utf-8").splitlines() == list(study.table(rows))
    kept = {(row["paper"], row["case"]) for row in rows}
    assert {(paper, case) for paper, cases in study.SMALL.items() for case in cases} <= kept
    assert {("msr-fiddle", name) for name in fiddle.GREEDY_MS} <= kept


def test_rule_is_that_of_their_program() -> None:
    told = {row["case"]: row["experts_ms"] for row in KeptRuns(study.FOLDER).rows() if "experts_ms" in row}
    assert told == {name: pytest.approx(ms, abs=6e-4) for name, ms in fiddle.EXPERTS_MS.items()}


def test_rules_agree_where_nothing_is_transferred() -> None:
    rows = [row for row in KeptRuns(study.FOLDER).rows() if row["paper"] == "msr-fiddle"]
    assert [row["processors_here_ms"] for row in rows] == pytest.approx([row["processors_ms"] for row in rows])
