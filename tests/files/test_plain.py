from hypothesis import given
from hypothesis import strategies as st

from offbench.files.plain import plain


def test_what_a_terminal_obeys_is_written_out() -> None:
    assert plain("\x1b[2Jname\x07\x9b") == r"\x1b[2Jname\x07\x9b"
    assert plain("a\u202eb") == r"a\u202eb"
    assert plain("half \ud800 a pair") == r"half \ud800 a pair"


def test_breaks_are_kept_where_they_are_wanted() -> None:
    assert plain("one\r\ntwo") == "one two"
    assert plain("one\r\n\ttwo", lines=True) == "one\n\ttwo"


def test_what_is_left_out_is_counted() -> None:
    assert plain("abcdefgh", 4) == "ab [4 characters left out] gh"
    assert plain("abcdefgh", 8) == "abcdefgh"


def test_names_of_any_language_stay() -> None:
    assert plain("Ünïcødé 模型 می‌خواهم") == "Ünïcødé 模型 می‌خواهم"


@given(st.text(st.characters()))
def test_anything_can_be_written_as_utf_8_in_one_line(text: str) -> None:
    shown = plain(text)
    shown.encode()
    assert len(shown.splitlines()) <= 1
