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
from pydantic import BaseModel, ValidationError

from offbench import OffbenchError
from offbench.files.json import _up_to_first_mistake, check, dotted, layout, parse_json
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
        ("9" * 5000, "not valid JSON: a whole number has more than 4300 digits"),
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


MANY = 200_000
HOSTILE: list[tuple[Callable[[Json], object], str]] = [
    (lambda data: data.update(tasks=[1] * MANY), "tasks[0]: must be an object, not 1"),
    (lambda data: data["tasks"][0].update(layers=[{}] * MANY), "tasks[0].layers[0].name: this field is missing"),
    (
        lambda data: data["tasks"][0]["layers"][0].update(inputs=[1] * MANY),
        "tasks[0].layers[0].inputs[0]: must be a text",
    ),
    (lambda data: data["servers"][0].update(name=[[]] * MANY), "servers[0].name: must be a text"),
]


@pytest.mark.parametrize(("change", "told"), HOSTILE)
def test_of_very_many_mistakes_the_first_is_told_and_the_others_are_not_made(
    change: Callable[[Json], object], told: str
) -> None:
    assert told_of(change).startswith(told)
    assert told_of(change).endswith(", perhaps of many")
    data = handmade.phone()
    change(data)
    with pytest.raises(ValidationError) as caught:
        _up_to_first_mistake(Instance).validate_python(data)
    assert caught.value.error_count() < 10  # each one takes time and memory


def test_large_instance_is_the_same_one_as_ever() -> None:
    data = handmade.phone()
    (first, *_), data["tasks"] = data["tasks"], []
    data["tasks"] = [{**first, "name": f"t{i}"} for i in range(20_000)]
    assert check(Instance, data, "it") == Instance.model_validate(data)


def test_half_a_character_is_refused_and_a_whole_one_taken() -> None:
    for text in (r'{"a": ["x\ud800"]}', r'{"\uDFFF": 1}', r'["\ude00\ud83d"]'):
        with pytest.raises(OffbenchError, match=r"it: a text in it has \\ud\w\w\w, which is half a character"):
            parse_json(text, "it")
    assert parse_json(r'["\ud83d\ude00", "\\ud800"]', "it") == ["😀", r"\ud800"]


def test_twin_among_very_many_keys_and_very_many_keys() -> None:
    keys = [f'"k{i}": 1' for i in range(200_000)]
    with pytest.raises(OffbenchError, match="the key 'k199999' stands twice"):
        parse_json("{" + ", ".join([*keys, keys[-1]]) + "}", "it")
    with pytest.raises(OffbenchError, match="an object has 200,000 keys; 100,000 are the most"):
        parse_json("{" + ", ".join(keys) + "}", "it")
