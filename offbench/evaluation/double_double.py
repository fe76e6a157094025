"""Sums, products and quotients of numbers in two parts, which have 32 digits together; compiled (Dekker, 1971).

A number is ``(high, low)``: the nearest one that there is, and what it is off by.
"""

from offbench.evaluation.compiled import inlined

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

_SPLIT = 134217729.0  # 2^27 + 1


@inlined
def sum_of(a, b):
    """Return the sum of two plain numbers, exactly."""
    high = a + b
    part = high - a
    return high, (a - (high - part)) + (b - part)


@inlined
def product_of(a, b):
    """Return the product of two plain numbers, exactly."""
    high = a * b
    c = _SPLIT * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = _SPLIT * b
    b_high = c - (c - b)
    b_low = b - b_high
    return high, ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low


@inlined
def add(a, b):
    """Return the sum of two numbers in two parts."""
    high, low = sum_of(a[0], b[0])
    low_high, low_low = sum_of(a[1], b[1])
    high, low = sum_of(high, low + low_high)
    return sum_of(high, low + low_low)


@inlined
def subtract(a, b):
    """Return the difference of two numbers in two parts."""
    return add(a, (-b[0], -b[1]))


@inlined
def times(a, b):
    """Return the product of a number in two parts and a plain one."""
    high, low = product_of(a[0], b)
    return sum_of(high, low + a[1] * b)


@inlined
def quotient_of(a, b):
    """Return the quotient of two plain numbers."""
    high = a / b
    product, low = product_of(high, b)
    return sum_of(high, ((a - product) - low) / b)


@inlined
def less(a, b):
    """Tell whether one number in two parts is less than another."""
    return a[0] < b[0] or (a[0] == b[0] and a[1] < b[1])
