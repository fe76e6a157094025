"""Numbers for people: no exponent where digits in groups tell it."""

import math

import pytest

from offbench.files.numbers import apart, grouped


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (48000, "48,000"), (13220.4, "13,220"), (102.44, "102.4"), (8, "8"), (9999.96, "10,000"), (0.00819, "0.00819"),
        (0, "0"), (-48000, "-48,000"), (1.555e6, "1,555,000"), (2e15, "2e+15"), (math.inf, "inf"), (1.0, "1"),
    ],
)  # fmt: skip
def test_large_numbers_are_grouped(value: float, text: str) -> None:
    assert grouped(value) == text


def test_two_numbers_are_told_apart() -> None:
    assert apart(48000, 48001) == ("48,000", "48,001")
    assert apart(1, 1.5) == ("1", "1.5")
    same = apart(3, 3)
    assert same[0] == same[1] == "3"
