"""JSON with places in its errors."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbench import OffbenchError
from offbench.files.json import dotted, layout, parse_json

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
