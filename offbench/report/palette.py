"""Colours that colour-blind people tell apart (Okabe and Ito, 2008), with dashes and markers beside them."""

from collections.abc import Sequence
from typing import NamedTuple

from offbench.model.instance import Instance

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A8A8A")
# Plotly's names, and matplotlib's.
_DASHES = (("solid", "-"), ("dash", "--"), ("dot", ":"), ("dashdot", "-."), ("longdash", (0, (8, 3))))
_MARKERS = (("circle", "o"), ("square", "s"), ("diamond", "D"), ("triangle-up", "^"), ("x", "X"), ("star", "*"))


class Style(NamedTuple):
    """How a solver looks, everywhere the same."""

    colour: str
    dash: str
    marker: str
    mpl_dash: object
    mpl_marker: str


def styles(solvers: Sequence[str]) -> dict[str, Style]:
    """Return a style for each solver; two have the same one only beyond 35 of them."""
    found = {}
    for number, solver in enumerate(solvers):
        round_ = number // len(OKABE_ITO)
        dash, marker = _DASHES[round_ % len(_DASHES)], _MARKERS[number % len(_MARKERS)]
        found[solver] = Style(OKABE_ITO[number % len(OKABE_ITO)], dash[0], marker[0], dash[1], marker[1])
    return found


VIRTUAL_BEST = Style("#555555", "dot", "star-open", ":", "*")
"""of the best of all solvers, which is none of them"""

# Shades of a kind's own colour: light to dark, the faster the darker where servers stand in order of speed.
_SHADES = {
    "client": ("#009E73",),
    "edge": ("#9FD0F0", "#74B6E4", "#489BD3", "#2480BD", "#005F96"),
    "cloud": ("#F6C98F", "#F0AC55", "#E38A2B", "#CF6A14", "#A84A00"),
}


def server_colours(instance: Instance) -> list[str]:
    """Return a colour for each server: green the client, blues the edges, oranges the clouds."""
    seen = dict.fromkeys(_SHADES, 0)
    colours = []
    for server in instance.servers:
        shades = _SHADES[server.kind]
        colours.append(shades[seen[server.kind] % len(shades)])
        seen[server.kind] += 1
    return colours


def readable_on(colour: str) -> str:
    """Return black or white, whichever is read better on a colour such as ``#0072B2``."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#111111" if 0.299 * red + 0.587 * green + 0.114 * blue > 125 else "#ffffff"
