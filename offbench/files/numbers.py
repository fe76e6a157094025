"""Numbers as people read them."""

import math


def grouped(value: float, digits: int = 4) -> str:
    """Write a number with so many digits and no more, large ones in groups of three: 48,000, never 4.8e+04.

    From 10^15 on, and below 10^-4, it is written with an exponent.
    """
    if not 1 <= abs(value) < 1e15:
        return f"{value:.{digits}g}"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    text = f"{round(value, decimals):,.{max(0, decimals)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def apart(value: float, other: float) -> tuple[str, str]:
    """Write two numbers with as many digits as tell them apart, four at least."""
    for digits in range(4, 17):
        if grouped(value, digits) != grouped(other, digits):
            break
    return grouped(value, digits), grouped(other, digits)
