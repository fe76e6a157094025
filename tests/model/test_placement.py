"""Placement files: checked against their instance."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import handmade
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import placed

from offbench import OffbenchError, Placement, load_placement
from offbench.model.instance import parse
from offbench.model.placement import parse_placement

Json = dict[str, Any]

GOOD = [["phone", "edge-1", "cloud-1"], ["edge-2", "edge-2", "phone", "cloud-1"]]
ORDER = [[1, 0], [0, 0], [1, 2], [1, 1], [0, 1], [1, 3], [0, 2]]


def edited(row: int, at: int, name: str) -> list[list[str]]:
    """Return good servers with one of them replaced."""
    return [[name if (i, j) == (row, at) else old for j, old in enumerate(names)] for i, names in enumerate(GOOD)]


BAD: list[tuple[str, Any, list[str]]] = [
    ("no object", [], ["object"]),
    ("no servers", {}, ["servers: ", "missing"]),
    ("unknown field", {"servers": GOOD, "sequence": None}, ["sequence: unknown field"]),
    ("one row", {"servers": GOOD[:1]}, ["servers: 1 row,", "2 tasks"]),
    ("three rows", {"servers": [*GOOD, []]}, ["servers: 3 rows", "2 tasks"]),
    ("flat", {"servers": GOOD[0]}, ["servers[0]: ", "list"]),
    ("short row", {"servers": [GOOD[0], GOOD[1][:3]]}, ["servers[1]: 3 servers", "'graph'", "4 layers"]),
    ("long row", {"servers": [[*GOOD[0], "phone"], GOOD[1]]}, ["servers[0]: 4 servers", "'chain'", "3 layers"]),
    ("unknown server", {"servers": edited(1, 2, "edge-3")}, ["servers[1][2]: 'edge-3'", "did you mean 'edge-"]),
    ("kind for a server", {"servers": edited(0, 0, "client")}, ["servers[0][0]: 'client'"]),
    ("index for a server", {"servers": [[0, 0, 0], [0, 0, 0, 0]]}, ["servers[0][0]: ", "text"]),
    ("forbidden server", {"servers": edited(0, 1, "edge-2")}, ["servers[0][1]: ", "'pool'", "phone, edge-1"]),
    ("order twice", {"servers": GOOD, "order": [[0, 0], [0, 0]]}, ["order[1]: [0, 0]", "twice"]),
    ("order short", {"servers": GOOD, "order": ORDER[:6]}, ["order: 6 of 7"]),
    ("order empty", {"servers": GOOD, "order": []}, ["order: 0 of 7"]),
    ("order long", {"servers": GOOD, "order": [*ORDER, [0, 0]]}, ["order[7]: [0, 0]", "twice"]),
    ("no such task", {"servers": GOOD, "order": [[2, 0]]}, ["order[0]: [2, 0]", "no such"]),
    ("no such layer", {"servers": GOOD, "order": [[0, 0], [0, 3]]}, ["order[1]: [0, 3]", "no such"]),
    ("negative index", {"servers": GOOD, "order": [[0, -1]]}, ["order[0][1]: ", "-1"]),
    ("order of indices", {"servers": GOOD, "order": [0, 1, 2]}, ["order[0]: ", "list"]),
    ("reader first", {"servers": GOOD, "order": [[0, 1]]}, ["order[0]: [0, 1]", "'pool'", "'conv'"]),
    ("second input later", {"servers": GOOD, "order": [[1, 0], [1, 1], [1, 3]]}, ["order[2]: ", "'join'", "'right'"]),
]


@pytest.mark.parametrize(("data", "fragments"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_broken_rule_is_told_with_its_place(write: Callable[[str, Any], Path], data: Any, fragments: list[str]) -> None:
    path = write("placement.json", data)
    with pytest.raises(OffbenchError) as caught:
        load_placement(path, parse(handmade.phone()))
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert len(message.splitlines()) == 1
    for fragment in fragments:
        assert fragment in message


def test_placement_file_becomes_indices(write: Callable[[str, Any], Path]) -> None:
    instance = parse(handmade.phone())
    placement = load_placement(write("placement.json", {"servers": GOOD, "order": ORDER}), instance)
    assert placement.servers.tolist() == [0, 1, 3, 2, 2, 0, 3]
    assert placement.order is not None
    assert placement.order.tolist() == [3, 0, 5, 4, 1, 6, 2]


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(OffbenchError, match="no such file"):
        load_placement(tmp_path / "none.json", parse(handmade.phone()))


@given(st.booleans().flatmap(lambda ordered: placed(ordered=ordered)))
def test_file_of_a_placement_reads_as_the_same(example: tuple[Json, Any, Any]) -> None:
    data, servers, order = example
    instance = parse(data)
    file = json.loads(json.dumps(parse_placement({"servers": servers, "order": order}, instance).to_file(instance)))
    assert file == {"servers": servers, "order": order}


def test_placement_keeps_its_own_copy() -> None:
    servers, order = np.zeros(2, dtype=np.int64), np.arange(2)
    placement = Placement(servers, order)
    servers[0], order[0] = 9, 9
    assert placement.servers.tolist() == [0, 0]
    assert placement.order is not None
    assert placement.order.tolist() == [0, 1]
