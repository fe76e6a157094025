"""The page of an advice: the cut in words and drawn into the network, choices, break-even curves, regret."""

from offbench.files.plain import plain
from offbench.model.objectives import described
from offbench.model.problem import P1
from offbench.report.advice_curves import BEST, DEVICE, RECOMMENDED, TODAY, change_lines, curve_figure, regret_figure
from offbench.report.advice_network import TASKS_AT_MOST, drawings, server_keys
from offbench.report.page import render
from offbench.runs.advice.advice import Advice
from offbench.runs.advice.words import choice_rows, how_good, regret_lines, span, what_to_do, where_time_goes
from offbench.runs.cuts import told


def advice_page(advice: Advice) -> str:
    """Return the page, with all that it needs inside."""
    problem, evaluation = P1(advice.instance), advice.solution.evaluation
    assert evaluation is not None
    figures = {name: curve_figure(advice, name) for name in advice.curves}
    titles = {name: curve.variation.name.capitalize() for name, curve in advice.curves.items()}
    histogram = regret_figure(advice)
    if histogram is not None:
        figures["regret"] = histogram
        titles["regret"] = "How far above the best cut, in how many draws"
    shown = drawings(problem, advice.placement, evaluation)
    return render(
        '{% include "advice.html" %}',
        f"{plain(advice.instance.name)}: where to cut",
        plain(" ".join(what_to_do(advice))),
        {"figures": figures, "runs": [], "instances": []},
        notes=[],
        titles=titles,
        cuts=[plain(line) for line in told(problem, advice.placement)],
        words=[advice.solution.in_words, where_time_goes(advice), how_good(advice)],
        keys=server_keys(problem, advice.placement, evaluation),
        drawings=shown,
        left_out=max(0, len(advice.instance.tasks) - TASKS_AT_MOST),
        rows=[row.cells for row in choice_rows(advice)],
        curves=[
            {"name": name, "span": _sentence(span(name, curve, advice)), "changes": change_lines(advice, curve)}
            for name, curve in advice.curves.items()
        ],
        colours={"best": BEST, "recommended": RECOMMENDED, "device": DEVICE, "today": TODAY},
        objective=described(advice.instance),
        regret=[plain(line) for line in regret_lines(advice)],
        uses=[(str(use), use.share) for use in advice.uses],
    )


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
