"""Ticks of a logarithmic axis, each written out: 1, 2, 5, 10 or powers of ten; between two of those, even steps."""

import math
from typing import Any

# Powers of ten: below the first there are even steps, above the second only powers.
_EVEN, _POWERS = 0.45, 3.0


def log_axis(axis: Any, percent: bool = False) -> None:
    """Make a logarithmic axis of matplotlib's, on which everything is drawn already, readable.

    Parameters
    ----------
    axis
        ``axes.xaxis`` or ``axes.yaxis``.
    percent
        Whether its numbers are shares.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

    low, high = axis.get_view_interval()
    decades = math.log10(high / low) if 0 < low < high else 0.0
    if decades < _EVEN:
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axis.set_minor_locator(NullLocator())
    else:
        axis.set_major_locator(LogLocator(subs=(1.0,) if decades > _POWERS else (1.0, 2.0, 5.0), numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: in_digits(value, percent)))
    axis.set_minor_formatter(NullFormatter())


def in_digits(value: float, percent: bool = False) -> str:
    """Write a number in full, or with a power of ten (matplotlib's formula) where that would be long."""
    number = float(f"{100 * value if percent else value:.6g}")
    power = math.floor(math.log10(number) + 1e-9) if number > 0 else 0
    if -4 <= power < 5:
        text = f"{number:.10f}".rstrip("0").rstrip(".")
    else:
        lead = float(f"{number / 10.0**power:.4g}")
        text = f"${'' if lead == 1 else f'{lead:g}' + chr(92) + 'cdot '}10^{{{power}}}$"
    return f"{text}%" if percent else text
