"""The reference values: the shipped file holds, a broken one is told, and instances are recognised."""

import copy
import json
from collections.abc import Callable, Iterator
from itertools import permutations, product
from pathlib import Path
from typing import Any

import handmade
import numpy as np
import plain
import pytest

from experiments._shared.exact_arithmetic import ExactArithmetic
from offbench import P1, OffbenchError, evaluate_many, load
from offbench.evaluation.references import (
    References,
    faults,
    lookup,
    placement_of,
    read_references,
    references,
    shipped_path,
)
from offbench.model.instance import parse, shipped
from offbench.model.objectives import named

Json = dict[str, Any]
Write = Callable[[str, Any], Path]
TINY = [name for name in shipped() if name.startswith("tiny")]


def as_file() -> Json:
    """Return the shipped file, parsed, with a bound for the first tiny instance."""
    data: Json = json.loads(shipped_path().read_text(encoding="utf-8"))
    entry = data["instances"]["tiny-chains"]
    entry["best_bound"] = entry["best_objective"] - 0.5
    entry["bound_from"] = {"by": "somebody", "kind": "elsewhere", "version": "0.1.0", "date": "2026-01-31"}
    entry["proven"] = False
    return data


def told(data: Json) -> list[str]:
    return [f"{name}: {fault}" for name, fault in faults(References.model_validate(data))]


# The shipped file


def test_shipped_references_are_as_they_should_be() -> None:
    assert list(faults(references())) == []
    assert {name.partition("@")[0] for name in references().instances} == set(shipped())
    for name, reference in references().instances.items():
        assert lookup(named(name)) in (reference, references().instances[name.partition("@")[0]])


def test_shipped_file_is_laid_out_as_update_writes_it() -> None:
    assert shipped_path().read_text(encoding="utf-8") == references().to_text()


@pytest.mark.parametrize("name", shipped())
def test_best_objective_is_that_of_the_placement_in_plain_python(name: str) -> None:
    reference = references().instances[name]
    placement = placement_of(reference, load(name)).to_file(load(name))
    if load(name).format == "offbench/2":
        number = {server.name: s for s, server in enumerate(load(name).servers)}
        flat = [number[server] for row in placement["servers"] for server in row]
        order = placement_of(reference, load(name)).order
        found = ExactArithmetic(load(name)).evaluate(flat, None if order is None else order.tolist())
        assert found.violation <= 1e-9
        value = float(found.objective)
    else:
        prepared = plain.prepare(json.loads(load(name).to_text()))
        value = plain.evaluate(prepared, placement["servers"], placement["order"])["objective"]
    assert reference.best_objective == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("name", TINY)
def test_bound_and_proof_hold_against_every_placement_and_order(name: str) -> None:
    reference, problem = references().instances[name], P1(load(name))
    n = problem.n_subtasks
    servers = np.array(list(product(*(np.flatnonzero(row) for row in problem.allowed))))
    # First come, first served is one of the orders.
    best = min(evaluate_many(problem, servers, np.tile(order, (len(servers), 1))).min() for order in orders(problem))
    assert len(servers) > 3 ** (n - 2)
    assert reference.best_bound is None or reference.best_bound <= best + 1e-9
    assert reference.best_objective >= best - 1e-9
    assert not reference.proven or reference.best_objective <= best + 1e-6 * abs(best)


def orders(problem: P1) -> Iterator[tuple[int, ...]]:
    """Yield every order of a few subtasks with inputs before their readers."""
    a, n = problem.arrays, problem.n_subtasks
    inputs = [set(a.input_of[a.input_start[k] : a.input_start[k + 1]].tolist()) - {n, n + 1} for k in range(n)]
    for order in permutations(range(n)):
        if all(inputs[k] <= set(order[:i]) for i, k in enumerate(order)):
            yield order


def test_file_is_no_instance() -> None:
    assert "references" not in shipped()
    with pytest.raises(OffbenchError, match="no instance of that name"):
        load("references")


# Recognised by its facts


def test_instance_is_recognised_whatever_its_layout_name_and_source() -> None:
    data = json.loads(load("tiny-graphs").to_text())
    again = dict(reversed({**data, "name": "other", "source": "elsewhere"}.items()))
    for server in again["servers"]:
        server["pool"] = int(server["pool"])
        server["compute_ghz"] = float(server["compute_ghz"])
    assert lookup(parse(again)) is references().instances["tiny-graphs"]


def test_instance_with_another_number_is_another() -> None:
    data = json.loads(load("tiny-graphs").to_text())
    data["tasks"][0]["layers"][0]["gcycles"] += 1e-9
    assert lookup(parse(data)) is None
    assert parse(data).hash != load("tiny-graphs").hash


def test_instance_of_ones_own_has_no_reference() -> None:
    assert lookup(parse(handmade.phone())) is None


def test_hashes_differ() -> None:
    assert len({load(name).hash for name in shipped()}) == len(shipped())


# Gaps, and what they are where there is nothing to gain


def test_gaps_of_a_reference() -> None:
    entry = as_file()["instances"]["tiny-chains"]
    entry |= {"best_objective": -2.0, "best_bound": -3.0, "client_only": 1.0}
    reference = References.model_validate({"format": "offbench-references/1", "instances": {"a": entry}}).instances["a"]
    assert (reference.relative_gap, reference.certified) == (0.5, 0.25)
    without = reference.model_copy(update={"best_bound": None})
    assert (without.relative_gap, without.certified) == (None, None)
    nothing_to_gain = reference.model_copy(update={"best_bound": 1.0, "best_objective": 1.0})
    assert (nothing_to_gain.relative_gap, nothing_to_gain.certified) == (0, None)


# Faults


def test_sound_file_has_no_faults() -> None:
    assert told(as_file()) == []


@pytest.mark.parametrize(
    ("changes", "fragments"),
    [
        ({"best_objective": 0.05}, ["best_objective: is 0.05, but the placement's is"]),
        ({"client_only": 3.0}, ["client_only: is 3.0, but everything on the client has"]),
        ({"best_bound": 100.0, "proven": True}, ["best_bound: 100.0 lies above best_objective"]),
        ({"proven": True}, ["proven: is true, but the relative gap is"]),
        ({"proven": True, "best_bound": None, "bound_from": None}, ["proven: is true, but there is no bound"]),
        ({"bound_from": None}, ["bound_from: comes with best_bound"]),
        ({"hash": 64 * "0"}, ["hash: is 000000000000..., but the instance's is"]),
        ({"placement": {"servers": [["client"] * 3]}}, ["placement: servers: 1 row,"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_fault_is_told(changes: Json, fragments: list[str]) -> None:
    data = as_file()
    data["instances"]["tiny-chains"] |= changes
    lines = told(data)
    assert len(lines) == len(fragments)
    for line, fragment in zip(lines, fragments, strict=True):
        assert line.startswith("tiny-chains: ")
        assert fragment in line


def test_missing_and_unknown_instances_are_told() -> None:
    data = as_file()
    data["instances"]["tiny-chain"] = data["instances"].pop("tiny-chains")
    assert told(data) == [
        "tiny-chains: has no reference",
        "tiny-chain: is no shipped instance (did you mean 'tiny-chains'?)",
    ]


@pytest.mark.parametrize(
    ("change", "place", "rule"),
    [
        (lambda d: d.update(format="offbench/1"), "format", "must be 'offbench-references/1'"),
        (lambda d: d["instances"]["alexnet"].pop("proven"), "instances.alexnet.proven", "this field is missing"),
        (lambda d: d["instances"]["alexnet"].update(gap=1), "instances.alexnet.gap", "unknown field"),
        (
            lambda d: d["instances"]["alexnet"].update(best_objective="low"),
            "instances.alexnet.best_objective",
            "must be a number",
        ),
        (
            lambda d: d["instances"]["alexnet"]["objective_from"].update(date="yesterday"),
            "instances.alexnet.objective_from.date",
            "date",
        ),
        (
            lambda d: d["instances"]["alexnet"]["objective_from"].update(kind="guess"),
            "instances.alexnet.objective_from.kind",
            "'solver', 'relaxation' or 'elsewhere'",
        ),
        (lambda d: d["instances"]["alexnet"].update(hash="x"), "instances.alexnet.hash", "pattern"),
    ],
)
def test_file_that_breaks_the_format(change: Callable[[Json], object], place: str, rule: str, write: Write) -> None:
    data = copy.deepcopy(as_file())
    change(data)
    file = write("references.json", data)
    with pytest.raises(OffbenchError) as caught:
        read_references(file)
    assert str(caught.value).startswith(f"{file}: {place}: ")
    assert rule in str(caught.value)
