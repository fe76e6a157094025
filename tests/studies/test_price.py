"""The price of two-step offloading, on runs made up."""

from xml.etree import ElementTree

from experiments._shared.kept_runs import Row
from experiments._shared.price_table import figure, results, table


def run(way: str, solver: str, objective: float, seed: int = 0, stages: list[Row] | None = None) -> Row:
    return {
        "instance": "mine", "way": way, "solver": solver, "seed": seed, "time_limit": 5.0, "objective": objective,
        "bound": None, "client_only": 3.0, "stages": stages or [],
    }  # fmt: skip


def bound(way: str, value: float) -> Row:
    return {"instance": "mine", "way": way, "solver": "bound", "seed": 0, "time_limit": 5.0, "bound": value}


PROVEN = [{"objective": 1.0, "bound": 1.0}, {"objective": -0.5, "bound": -0.6}]
OPEN = [{"objective": 1.0, "bound": 0.5}, {"objective": -0.5, "bound": -0.5}]
RUNS = [
    bound("joint", -2.0),
    bound("two-step", -0.7),
    run("joint", "a", -1.0), run("joint", "a", 0.0, 1), run("joint", "a", -0.8, 2),
    run("two-step", "a", 0.0), run("two-step", "a", 0.2, 1), run("two-step", "a", -0.4, 2),
    run("two-step", "b+c", -0.5, stages=PROVEN), run("two-step", "d", 1.0, stages=OPEN),
]  # fmt: skip


def test_medians_and_the_tightest_bounds() -> None:
    found = {row["solver"]: (row["joint"], row["two-step"]) for row in results(RUNS)}
    assert found == {
        "a": (-0.8, 0.0), "b+c": (None, -0.5), "d": (None, 1.0), "bound": (-2.0, -0.6),
    }  # fmt: skip


def test_price_in_q_and_as_a_share_of_what_is_possible() -> None:
    """From 3 on the client to -1, the best known, there are 4 to gain."""
    lines = list(table(RUNS))
    assert lines[0].startswith("5 s for each run on one core")
    assert "| mine | `a` | 3 | -0.8000 | 0.0000 | 0.8000 | 20.0% |" in lines
    assert "| mine | `b+c` | 1 |  | -0.5000 | 0.5000 | 12.5% |" in lines
    assert "| mine | bound |  | -2.0000 | -0.6000 | at least 0.4000 | at least 10.0% |" in lines
    lower = [*RUNS[2:], bound("two-step", -1.5), bound("joint", -2.0)]
    assert "| mine | bound |  | -2.0000 | -0.6000 | at least 0.4000 | at least 10.0% |" in list(table(lower))
    below = [row for row in lower if row["solver"] != "b+c"]
    assert "| mine | bound |  | -2.0000 | -1.5000 |  |  |" in list(table(below))


def test_figure_has_a_dot_for_each_median() -> None:
    drawn = ElementTree.fromstring("\n".join(figure(RUNS)))
    assert len(drawn.findall("{http://www.w3.org/2000/svg}circle")) == 4
