"""Prints the ratios that the project's targets are about, from the run just measured."""

import pytest

Line = tuple[str, str, float, float | None]
Reach = tuple[str, float | None, float]
_LINES = pytest.StashKey[list[Line]]()
_REACHES = pytest.StashKey[list[Reach]]()


class Speeds:
    """What the summary at the end tells: instance, way of scoring, seconds for one placement, multiple."""

    def __init__(self, lines: list[Line], reaches: list[Reach]) -> None:
        self.lines = lines
        self.reaches = reaches

    def keep(self, instance: str, way: str, seconds: float, multiple: float | None = None) -> None:
        self.lines.append((instance, way, seconds, multiple))

    def reach(self, solver: str, seconds: float | None, multiple: float) -> None:
        """Keep how long a solver took to the gap, None if it didn't get there, in seconds and plain evaluations."""
        self.reaches.append((solver, seconds, multiple))


@pytest.fixture
def speeds(request: pytest.FixtureRequest) -> Speeds:
    stash = request.config.stash
    return Speeds(stash.setdefault(_LINES, []), stash.setdefault(_REACHES, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines, reaches = config.stash.get(_LINES, []), config.stash.get(_REACHES, [])
    if lines:
        terminalreporter.section(
            "how many a second, and multiples of the plain Python evaluator, or of stable-baselines3's DQN"
        )
    for instance, way, seconds, multiple in lines:
        times = f"{multiple:8.1f} x" if multiple else ""
        terminalreporter.write_line(f"{instance:16} {way:32} {1 / seconds:12,.4g} /s {times}")
    if reaches:
        terminalreporter.section("time until 5 % of the improvement on alexnet is missed, and plain evaluations in it")
    for solver, to_gap, multiple in sorted(reaches, key=lambda reach: (reach[1] is None, reach[1])):
        told = "not within the limit" if to_gap is None else f"{to_gap:12.3f} s"
        terminalreporter.write_line(f"{solver:24} {told:22} {multiple:12,.0f} x")
