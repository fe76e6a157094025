"""The price of two-step offloading as a table and a figure, from the runs of `price_of_two_step`."""

import math
import statistics
from collections.abc import Iterator
from html import escape

from experiments._shared.kept_runs import Row
from offbench.evaluation.gaps import is_optimal
from offbench.evaluation.references import references

_COLOURS = {"joint": "#1f77b4", "two-step": "#d62728"}
_LEGEND = (
    "Price: two-step less joint (less the best Q known where there is no joint run), in Q and as a share of the best",
    "improvement known over everything on the client; negative where two steps do better. Bound: below which no",
    "placement is, and none that keeps what the proven initial solution pins.",
)
# Of the figure, in pixels: a row, the labels, the scale from 0 to 1.
_ROW, _LEFT, _WIDTH = 18, 320, 480


def results(rows: list[Row]) -> Iterator[Row]:
    """Yield for each instance and solver the median of Q either way, and what is known of the instance."""
    for name in dict.fromkeys(row["instance"] for row in rows):
        here = [row for row in rows if row["instance"] == name]
        reached = [row["objective"] for row in here if row.get("objective") is not None]
        if not reached:
            continue
        bounds = {way: max(_bounds(here, way), default=None) for way in _COLOURS}
        known = references().instances.get(name)
        if known is not None:
            if known.best_objective is not None:
                reached.append(known.best_objective)
            if known.best_bound is not None:
                bounds["joint"] = max(known.best_bound, -math.inf if bounds["joint"] is None else bounds["joint"])
        client_only = next(row["client_only"] for row in here if "client_only" in row)
        of_instance = {"instance": name, "client_only": client_only, "best": min(reached)}
        for solver in dict.fromkeys(row["solver"] for row in here if row.get("objective") is not None):
            seeds = len({row["seed"] for row in here if row["solver"] == solver})
            yield (
                of_instance | {"solver": solver, "seeds": seeds} | {way: _median(here, solver, way) for way in _COLOURS}
            )
        yield of_instance | {"solver": "bound"} | bounds


def _bounds(rows: list[Row], way: str) -> Iterator[float]:
    for row in rows:
        if row["way"] == way and row.get("bound") is not None:
            yield row["bound"]
        # Behind a proven initial solution, what bounds the one stage that follows bounds all two-step results.
        stages = row.get("stages", [])
        known = way == "two-step" and len(stages) == 2 and None not in (stages[0]["bound"], stages[1]["bound"])
        if known and is_optimal(stages[0]["objective"], stages[0]["bound"], client_only=row.get("client_only") or 0.0):
            yield stages[1]["bound"]


def _median(rows: list[Row], solver: str, way: str) -> float | None:
    here = [row for row in rows if row["solver"] == solver and row["way"] == way]
    found = [row["objective"] for row in here if row.get("objective") is not None]
    return statistics.median(found) if found else None


def table(rows: list[Row]) -> Iterator[str]:
    """Yield the table: Q either way, and the price in Q and in shares of the possible improvement over the client."""
    yield f"{rows[0]['time_limit']:g} s for each run on one core, medians over seeds."
    yield from _LEGEND
    yield ""
    yield "| instance | solver | seeds | joint Q | two-step Q | price | share |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for row in results(rows):
        proven = row["solver"] == "bound"
        # Two bounds have no difference that means anything: the one of two steps against the best placement known.
        against = row["best"] if proven or row["joint"] is None else row["joint"]
        price = None if row["two-step"] is None else row["two-step"] - against
        if proven and price is not None and price <= 0:
            price = None  # nothing is proven of it
        share = None if price is None else price / (row["client_only"] - row["best"])
        least = "at least " if proven and price is not None else ""
        cells = (
            row["instance"], row["solver"] if proven else f"`{row['solver']}`", "" if proven else str(row["seeds"]),
            _number(row["joint"]),
            _number(row["two-step"]), least + _number(price), "" if share is None else f"{least}{share:z.1%}",
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:z.4f}"


def figure(rows: list[Row]) -> Iterator[str]:
    """Yield a figure as SVG: for each instance and solver the improvement either way, 1 for the best known."""
    shown = [row for row in results(rows) if row["solver"] != "bound"]
    height = _ROW * (len(shown) + 4)
    size = f'width="{_LEFT + _WIDTH + 40}" height="{height}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    yield '<rect width="100%" height="100%" fill="white"/>'
    yield f'<text x="{_LEFT}" y="14">share of the best improvement known over everything on the client</text>'
    for x, (way, colour) in zip((_LEFT, _LEFT + 80), _COLOURS.items(), strict=True):
        yield f'<text x="{x}" y="30" fill="{colour}">● {way}</text>'
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x = int(_LEFT + tick * _WIDTH)
        yield f'<line x1="{x}" y1="36" x2="{x}" y2="{height - 18}" stroke="#ddd"/>'
        yield f'<text x="{x}" y="{height - 4}" text-anchor="middle">{tick:g}</text>'
    for i, row in enumerate(shown):
        yield from _line(row, 48 + _ROW * i)
    yield "</svg>"


def _line(row: Row, y: int) -> Iterator[str]:
    label = escape(f"{row['instance']}, {row['solver']}")
    yield f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end">{label}</text>'
    reached = {way: row[way] for way in _COLOURS if row[way] is not None}
    possible = row["client_only"] - row["best"]
    # What is worse than everything on the client stands at 0.
    places = {way: _LEFT + max(0.0, (row["client_only"] - q) / possible) * _WIDTH for way, q in reached.items()}
    if len(places) == 2:
        yield f'<line x1="{places["joint"]:.1f}" y1="{y}" x2="{places["two-step"]:.1f}" y2="{y}" stroke="#999"/>'
    for way, x in places.items():
        yield f'<circle cx="{x:.1f}" cy="{y}" r="4.5" fill="{_COLOURS[way]}"/>'
