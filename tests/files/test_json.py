"""JSON with places in its errors."""

import json
import math
from collections.abc import Callable
from typing import Any

import handmade
import pytest
from handmade import layer, task
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from offbench import OffbenchError
from offbench.files.json import check, dotted, layout, parse_json
from offbench.model.instance import Instance

Json = dict[str, Any]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(values)
def test_layout_is_json_of_the_same_value(value: Any) -> None:
    assert json.loads(layout(value)) == value


def test_layout_breaks_lines_between_objects_alone() -> None:
    assert layout({"a": [{"b": 1}, {"b": [2, 3]}]}) == '{\n  "a": [\n    {"b": 1},\n    {"b": [2, 3]}\n  ]\n}'


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ('{"a": 1,}', "line 1 column"),
        ('{"a": [1, 2}', "line 1 column 12"),
        ('{"a": 1, "b": {"c": 1, "c": 1}}', "'c' stands twice"),
        ("9" * 5000, "not valid JSON"),
    ],
)
def test_bad_text_is_told_in_one_line(text: str, fragment: str) -> None:
    with pytest.raises(OffbenchError, match=fragment) as caught:
        parse_json(text, "the file")
    assert str(caught.value).startswith("the file: ")
    assert len(str(caught.value).splitlines()) == 1


def test_twin_key_with_a_newline_is_told_in_one_line() -> None:
    with pytest.raises(OffbenchError, match="stands twice") as caught:
        parse_json(r'{"a\nb": 1, "a\nb": 2}', "the file")
    assert len(str(caught.value).splitlines()) == 1


def test_place_is_written_as_one_would_index() -> None:
    assert dotted(("tasks", 0, "layers", 2, "name")) == "tasks[0].layers[2].name"


def told_of(change: Callable[[Json], object]) -> str:
    """Return what is said of an instance with mistakes in it."""
    data = handmade.phone()
    change(data)
    with pytest.raises(OffbenchError) as caught:
        check(Instance, data, "it")
    return str(caught.value).removeprefix("it: ")


def numbered(data: Json) -> None:
    """Name the layers and their inputs by numbers: four names and four inputs of the second task."""
    numbers = {each["name"]: number for number, each in enumerate(data["tasks"][1]["layers"])}
    for each in data["tasks"][1]["layers"]:
        each |= {"name": numbers[each["name"]], "inputs": [numbers[name] for name in each["inputs"]]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda data: data.update(tasks=[task("t", layer("a", 1), layer("b", math.nan, 0, ("a",)))]),
            "tasks[0].layers[1].gcycles: must be a finite number, not NaN",
        ),
        (numbered, "tasks[1].layers[0].name: must be a text, not 0 (and 7 more)"),
        (lambda data: data["tasks"][0].update(layers=[]), "tasks[0].layers: must have at least one layer"),
        (lambda data: data["tasks"].clear(), "tasks: must have at least one task"),
        (lambda data: data.update(tasks=[3]), "tasks[0]: must be an object, not 3"),
        (
            lambda data: data["tasks"][0]["layers"][0].update(allowed=[]),
            "tasks[0].layers[0].allowed: must have at least one entry",
        ),
        (
            lambda data: data["links"][0].update(between=["client", "edge", "edge"]),
            "links[0].between: must have at most 2 entries, not 3",
        ),
        (lambda data: data["tasks"][0].update(name=""), "tasks[0].name: must not be empty"),
        (
            lambda data: data["tasks"][0].update(layers=[], name="", more=1),
            "tasks[0].name: must not be empty (and 2 more)",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_counted_as_a_reader_would(change: Callable[[Json], object], told: str) -> None:
    assert told_of(change) == told


class Several(BaseModel):
    """A field of several types."""

    value: int | list[int] | bool
    other: int = 0


def test_value_that_fits_none_of_several_types_is_one_mistake() -> None:
    for data, told in (
        ({"value": "x"}, "it: value: must be a valid integer"),
        ({"value": "x", "other": "y"}, "it: value: must be a valid integer"),
        ({}, "it: value: this field is missing"),
    ):
        with pytest.raises(OffbenchError) as caught:
            check(Several, data, "it")
        assert str(caught.value).startswith(told)
        assert ("(and 1 more)" in str(caught.value)) == ("other" in data)
