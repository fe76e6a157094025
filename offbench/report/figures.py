"""Charts as plotly figures; the page's script gives them its colours of text and ground."""

from typing import Any

from offbench.bench.statistics.tests import Ranking
from offbench.files.escaping import in_plotly
from offbench.report.charts import Chart
from offbench.report.palette import Style

Figure = dict[str, Any]


def figure(chart: Chart, styles: dict[str, Style]) -> Figure:
    """Return a chart as plotly's JSON."""
    import plotly.graph_objects as go

    traces: list[Any] = []
    for line in chart.lines:
        style = styles[line.solver]
        shape = "hv" if chart.steps else "linear"
        if line.low is not None and line.high is not None and len({*line.low, *line.high} - {float("inf")}) > 1:
            edge = {"mode": "lines", "line": {"width": 0, "shape": shape}, "hoverinfo": "skip", "showlegend": False}
            traces.append(go.Scatter(x=_short(line.x), y=_short(line.low), legendgroup=line.solver, **edge))
            fill = {"fill": "tonexty", "fillcolor": _faint(style.colour)}
            traces.append(go.Scatter(x=_short(line.x), y=_short(line.high), legendgroup=line.solver, **edge, **fill))
        traces.append(
            go.Scatter(
                x=_short(line.x), y=_short(line.y), name=in_plotly(line.solver), legendgroup=line.solver,
                mode="lines+markers" if len(line.x) < 400 else "lines",
                line={"color": style.colour, "dash": style.dash, "width": 2, "shape": shape},
                # A marker here and there tells lines apart without colour.
                marker={"symbol": style.marker, "size": 7, "maxdisplayed": 8},
            )
        )  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": in_plotly(chart.x)}, "type": "log" if chart.log_x else "linear"},
        "yaxis": {"title": {"text": in_plotly(chart.y)}}
        | ({"type": "log"} if chart.log_y else {"rangemode": "tozero"})
        | ({"tickformat": ".2~%"} if chart.percent else {}),
    }
    return json_of(go.Figure(traces, layout))


def _short(values: Any) -> list[float | None]:
    """Return numbers with five digits; infinity is where a line isn't."""
    return [None if abs(value) == float("inf") else float(f"{value:.5g}") for value in values.tolist()]


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"


def json_of(figure: Any) -> Figure:
    """Return a plotly figure as JSON has it; colours of text and ground are the page's."""
    figure.update_layout(template="none")
    return {"data": [trace.to_plotly_json() for trace in figure.data], "layout": figure.layout.to_plotly_json()}


def critical_difference(ranking: Ranking, styles: dict[str, Style]) -> Figure:
    """Return the critical-difference diagram: mean ranks, and bars over solvers that don't differ (Demsar, 2006)."""
    import plotly.graph_objects as go

    order = sorted(ranking.ranks, key=lambda solver: (-ranking.ranks[solver], solver))
    # Rows are numbers: a name on an axis could be taken for a number or a date, and two that are cut for one.
    row, names = {solver: number for number, solver in enumerate(order)}, list(map(in_plotly, order))
    ranks = [ranking.ranks[solver] for solver in order]
    points = go.Scatter(
        x=ranks, y=list(row.values()), mode="markers+text", text=[f"{rank:.2f}" for rank in ranks],
        textposition="middle right", customdata=names,
        marker={
            "color": [styles[name].colour for name in order], "symbol": [styles[name].marker for name in order],
            "size": 11,
        },
        cliponaxis=False, showlegend=False, hovertemplate="%{customdata}: mean rank %{x:.3f}<extra></extra>",
    )  # fmt: skip
    bars = [
        go.Scatter(
            x=[ranking.ranks[name] for name in (group[0], group[0])], y=[row[group[0]], row[group[-1]]], mode="lines",
            line={"width": 5, "color": "#8A8A8A"}, opacity=0.55, showlegend=False,
            text=[", ".join(map(in_plotly, group))] * 2, hovertemplate="no difference: %{text}<extra></extra>",
        )
        for group in ranking.cliques()
    ]  # fmt: skip
    best = min(ranks)
    reach = go.Scatter(
        x=[best, best + ranking.critical_difference], y=[row[order[-1]] + 0.5] * 2, mode="lines",
        line={"width": 1.5, "color": "#8A8A8A"}, name="critical difference from the best", showlegend=False,
        hoverinfo="name",
    )  # fmt: skip
    span = max(1.0, max(ranks) - best)
    layout = {
        "xaxis": {"title": {"text": "mean rank (1 is best)"}, "range": [best - 0.1 * span, max(ranks) + 0.25 * span]},
        "yaxis": {"tickvals": list(row.values()), "ticktext": names, "automargin": True},
        "height": 120 + 26 * len(order),
    }
    return json_of(go.Figure([*bars, reach, points], layout))
