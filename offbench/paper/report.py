"""One page of it all: claims, our numbers with intervals, verdicts, commands, figures."""

from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from offbench.bench.formats import aligned, cells, markdown
from offbench.bench.tables import TitledTable
from offbench.paper.drawing import interactive, looks
from offbench.paper.experiments import Scope
from offbench.paper.findings import FAILS, HOLDS, NOT_RUN, ONLY_PRINTED, Finding, Observation
from offbench.paper.results import Result
from offbench.paper.settings import BENEFITS, PRINTED
from offbench.paper.table import Runs, missed
from offbench.report.page import render

if TYPE_CHECKING:
    import pandas as pd

HEADS = (
    "claim", "section", "the paper, in our words", "verdict", "we observe (95 % interval)", "best placements known",
    "command",
)  # fmt: skip
_SHORT = {PRINTED: "as printed", BENEFITS: "of benefits"}
LEGEND = (
    "A claim holds where the whole interval lies where it is claimed to lie, in every part (network) that it is about; "
    "one part where the interval lies elsewhere refutes it; undecided where intervals straddle the border.",
    "margin: by how much a group exceeds the best of the others, its interval from those of the differences to each of "
    "them, for one of several equals is ahead by chance; contrast: difference of means; relative: that as a "
    "share; trend: Kendall's tau, from -1 to 1, so that most pairs must go the claimed way; exponent: 1 is growth in "
    "proportion; share: of layers; price: relative rise of the score less that of H. Centres are interquartile means "
    "over seeds.",
    "Best placements known: the claim held against the placement with the lowest Q of each instance, whoever found it. "
    "DDPQN's own verdict mixes what the model rewards with what DDPQN finds in its time; this one has the model alone, "
    "where optima are proven. One placement has no interval.",
    "H as printed: of costs, square root (Eq. 11); of benefits: cube root, as the literature has it. Which groups are "
    "compared, and what was taken where words leave it open, stands in claims.toml.",
    "Bars are DDPQN where no other agent is named. "
    "Diamonds are the best metaheuristic, stars proven optima, dashes the best lower bounds; in other panels than Q "
    "they are the values of the placements with that Q.",
)


def observed(finding: Finding, best: bool = False) -> str:
    """Return what is observed in words: the statistic of each part, a line for each reading of H.

    Parameters
    ----------
    finding
        What is observed.
    best
        Of best placements, which may be proven.
    """
    texts = []
    for reading in finding.verdicts:
        parts = [each for each in finding.observations if each.reading == reading and each.verdict != NOT_RUN]
        if parts:
            told = "; ".join(_told(finding, each, best) for each in parts)
            head = f"H {_SHORT[reading]}, {finding.counts(reading)}: " if len(finding.verdicts) > 1 else ""
            texts.append(f"{head}{finding.claim.statistic} {told}")
    return "\n".join(texts)


def _told(finding: Finding, each: Observation, best: bool) -> str:
    estimate, low, high = each.interval
    single = each.runs <= len(each.centres)  # a resampled run is the same again
    paper = finding.claim.paper.get(each.part)
    if finding.claim.statistic == "relative":
        number = f"{estimate:+.0%}" + ("" if single else f" ({low:+.0%} to {high:+.0%})")
    else:
        number = f"{estimate:.3g}" + ("" if single else f" ({low:.3g} to {high:.3g})")
    said = f", paper {paper:+.0%}" if paper is not None else ""
    left = f", {each.without} run{'s' * (each.without > 1)} left out" if each.without else ""
    return f"{each.part} {number}{said}{left}{', proven' if best and each.proven else ''}"


def tally(findings: Sequence[Finding]) -> str:
    """Count verdicts in words: by the agents' runs, and by the best placements known."""
    best = [one.best for one in findings if one.best is not None]
    return "; ".join(
        f"{by}: of {len(some)} claims {_counted(some)}"
        for by, some in (("By the agents' runs", findings), ("by the best placements known", best))
        if some
    )


def _counted(findings: Sequence[Finding]) -> str:
    verdicts = [one.verdict for one in findings]
    # What wasn't run tells nothing; nobody is to take it for a question that runs have left open.
    partly = sum(one.verdict != NOT_RUN and NOT_RUN in one.verdicts.values() for one in findings)
    named = {HOLDS: "hold", ONLY_PRINTED: "hold only with the printed form of H", FAILS: "do not hold"}
    parts = [f"{verdicts.count(verdict)} {words}" for verdict, words in named.items() if verdict in verdicts]
    others = sum(verdict not in (*named, NOT_RUN) for verdict in verdicts) - partly
    last = (
        (others, "stay open or differ otherwise by reading of H"), (partly, "run with one reading of H alone"),
        (verdicts.count(NOT_RUN), "not run"),
    )  # fmt: skip
    return ", ".join([*parts, *(f"{count} {words}" for count, words in last if count)])


def of_best(finding: Finding) -> str:
    """Return what becomes of the claim with the best placements known: verdict and numbers; empty if it has none."""
    return "" if finding.best is None else f"{finding.best.verdict}\n{observed(finding.best, best=True)}".rstrip()


def table(findings: Sequence[Finding], quick: bool) -> "pd.DataFrame":
    """Return the claims as a table of texts (`HEADS`)."""
    import pandas as pd

    lines = [
        (
            one.claim.id, one.claim.section, one.claim.text, one.verdict, observed(one), of_best(one),
            f"offbench reproduce {one.claim.figure}{' --quick' if quick else ''}",
        )
        for one in findings
    ]  # fmt: skip
    return pd.DataFrame(lines, columns=list(HEADS))


def claims_markdown(findings: Sequence[Finding], scope: Scope, quick: bool) -> str:
    """Return the claims as a Markdown table."""
    return markdown(
        TitledTable("claims", title(quick), table(findings, quick), (described(scope, quick), tally(findings), *LEGEND))
    )


def title(quick: bool) -> str:
    """Return the page's title."""
    return "The paper, experiment by experiment" + (" (quick)" if quick else "")


def described(scope: Scope, quick: bool) -> str:
    """Tell how much was run."""
    warning = (
        "QUICK: few seeds, seconds of training, two networks; it shows that everything works and decides nothing. "
        if quick
        else ""
    )
    return f"{warning}{scope.seeds} seeds of the agents, {scope.time_limit_s:g} s on one core for each run."


def _missed(figure: str, runs: Runs) -> dict[str, Any]:
    """Return what solvers miss as a table for the page."""
    frame = missed(runs)
    heads, rows = cells(TitledTable("missed", "", frame.assign(reading=frame["reading"].map(_SHORT))))
    heads[heads.index("median (95 %)")] = "missed improvement, median (95 %)"
    heads[0], heads[-1] = "H", "against the best bound"
    return {"name": f"missed-{figure}", "heads": heads, "rows": rows, "right": aligned(rows, len(heads)), "notes": ()}


def page(results: Sequence[Result], scope: Scope, quick: bool) -> str:
    """Return the page as HTML that needs nothing from elsewhere."""
    figures, titles, parts = {}, {}, []
    for one in (one for one in results if one.rows):
        name = one.experiment.figure
        look = looks(one.rows)
        named = [[(f"{name}-{panel.name}", panel) for panel in row] for row in one.rows]
        for key, panel in (each for row in named for each in row):
            figures[key], titles[key] = interactive(panel, look), panel.title
        missing = f"{one.runs.missing} of {len(one.runs.table)} runs are still to be made." if one.runs.missing else ""
        parts.append(
            {
                "figure": name, "title": one.experiment.title, "section": one.experiment.section, "state": missing,
                "command": f"offbench reproduce {name}{' --quick' if quick else ''}",
                "rows": [[key for key, _ in row] for row in named], "missed": _missed(name, one.runs),
            }
        )  # fmt: skip
    findings = [finding for one in results for finding in one.findings]
    unseen = [one.experiment.figure for one in results if not one.rows]
    return render(
        (files("offbench.paper") / "page.html").read_text(encoding="utf-8"), title(quick), described(scope, quick),
        {"figures": figures, "runs": [], "instances": []},
        notes=(), tally=tally(findings), heads=HEADS, rows=table(findings, quick).to_numpy().tolist(),
        legend=LEGEND, parts=parts, titles=titles, unseen=unseen, quick=quick,
    )  # fmt: skip
