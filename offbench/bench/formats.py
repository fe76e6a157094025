"""Tables as text: Markdown, LaTeX (booktabs), CSV, and the cells of all of them."""

import math
from typing import TYPE_CHECKING, Any

from offbench.bench.tables import TitledTable
from offbench.files.escaping import in_csv, in_latex, in_markdown
from offbench.files.plain import plain

if TYPE_CHECKING:
    import pandas as pd

# A LaTeX table of more is made narrower than its texts are.
_LATEX_COLUMNS = 7
FORMATS = ("terminal", "markdown", "latex", "csv")

_SHARES = (
    "feasible_share", "to_optimum", "to_best_known", "to_best_known_least", "to_best_known_largest", "to_bound", "off",
)  # fmt: skip
# Columns that stand together in one cell: estimate, lower and upper end.
_RANGES = {
    "objective": ("objective_least", "objective_largest"),
    "to_best_known": ("to_best_known_least", "to_best_known_largest"),
    "median": ("median_low", "median_high"),
    "iqm": ("iqm_low", "iqm_high"),
}
_HEADS = {
    "placed": "with placement",
    "feasible_share": "share feasible",
    "objective": "median Q (least to largest)",
    "to_optimum": "gap to optimum",
    "to_best_known": "to best known",
    "to_bound": "to bound",
    "best_known": "best known Q",
    "best_known_by": "by",
    "bound_by": "by",
    "client_only": "Q client-only",
    "median": "median (95 %)",
    "iqm": "IQM (95 %)",
    "failed": "without placement",
    "ert_s": "ERT s",
    "par10_s": "PAR-10 s",
    "sgm_s": "SGM s",
    "worst_overshoot_s": "worst overshoot s",
    "p_holm": "p (Holm)",
    "a12": "A12",
    "cliff": "Cliff's delta",
    "q": "Q",
    "h": "H",
    "z": "Z",
    "energy_j": "energy J",
    "cost_usd": "cost $",
    "predicted_s": "predicted s",
    "measured_s": "measured s",
}


def cells(block: TitledTable) -> tuple[list[str], list[list[str]]]:
    """Return heads and cells of a block as texts, estimates with their intervals."""
    hidden = {end for name, ends in _RANGES.items() if name in block.frame for end in ends}
    columns = [column for column in block.frame.columns if column not in hidden]
    heads = [
        _HEADS.get(column, column.removesuffix("_s").replace("_", " ") + (" s" if column.endswith("_s") else ""))
        for column in columns
    ]
    rows = [[_cell(column, row) for column in columns] for row in block.frame.to_dict("records")]
    return heads, rows


def _cell(column: Any, row: dict[Any, Any]) -> str:
    text = _text(column, row[column])
    low, high = _RANGES.get(column, ("", ""))
    if low in row and text and not (row[low] == row[high] == row[column]):
        return f"{text} ({_text(column, row[low])} to {_text(column, row[high])})"
    return text


def _text(column: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is True or value is False:
        return "yes" if value else "no"
    if value is None or math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞"
    if column in _SHARES or (column in _RANGES and column != "objective"):
        return f"{value:.2%}" if abs(value) < 10 else f"{value:.0%}"
    if isinstance(value, int):
        return f"{value}"
    return f"{value:.4g}" if abs(value) < 1000 or value != round(value) else f"{value:.0f}"


def is_number(text: str) -> bool:
    """Tell whether a cell holds a number, to be set flush right."""
    return text[:1].isdigit() or text[:1] in ("-", "∞")


def aligned(rows: list[list[str]], count: int) -> list[bool]:
    """Tell which columns hold numbers."""
    filled = [[row[c] for row in rows if row[c]] for c in range(count)]
    return [bool(column) and all(map(is_number, column)) for column in filled]


def markdown(block: TitledTable) -> str:
    """Write a block as a Markdown table with its title and notes."""
    heads, rows = cells(block)
    rules = ["---:" if right else "---" for right in aligned(rows, len(heads))]
    told = [[in_markdown(cell) for cell in line] for line in (heads, *rows)]
    lines = [f"| {' | '.join(line)} |" for line in (told[0], rules, *told[1:])]
    notes = [f"- {in_markdown(note)}" for note in block.notes]
    return "\n".join([f"**{in_markdown(block.title)}**", "", *lines, "", *notes]).rstrip() + "\n"


def latex(block: TitledTable) -> str:
    """Write a block as a LaTeX table for the package booktabs; a wide one is made as narrow as the page."""
    heads, rows = cells(block)
    align = "".join("r" if right else "l" for right in aligned(rows, len(heads)))
    lines = [f"    {' & '.join(map(in_latex, line))} \\\\" for line in (heads, *rows)]
    wide = len(heads) > _LATEX_COLUMNS
    parts = (
        "% needs \\usepackage{booktabs}" + (" and \\usepackage{graphicx}" if wide else ""),
        "\\begin{table}",
        f"  \\caption{{{in_latex(block.title)}}}",
        f"  \\label{{tab:{block.name}}}",
        *(["  \\resizebox{\\linewidth}{!}{%"] if wide else []),
        f"  \\begin{{tabular}}{{{align}}}",
        "    \\toprule",
        lines[0],
        "    \\midrule",
        *lines[1:],
        "    \\bottomrule",
        "  \\end{tabular}" + ("}" if wide else ""),
        *(f"  % {plain(note)}" for note in block.notes),
        "\\end{table}",
    )
    return "\n".join(parts) + "\n"


def csv(block: TitledTable) -> str:
    """Write a block's numbers as they are."""
    return csv_of(block.frame)


def csv_of(frame: "pd.DataFrame", **how: Any) -> str:
    """Write a table as CSV, its texts so that a spreadsheet runs none of them (`in_csv`)."""
    texts = frame.map(lambda value: in_csv(value) if isinstance(value, str) else value)
    return str(texts.to_csv(index=False, lineterminator="\n", **how))


def records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return a table as JSON can say it: NaN as null, infinity as a text."""

    def finite(value: Any) -> Any:
        value = value.item() if hasattr(value, "item") else value
        if isinstance(value, float) and not math.isfinite(value):
            return None if math.isnan(value) else "infinity"
        return value

    return [{str(name): finite(value) for name, value in row.items()} for row in frame.to_dict("records")]
