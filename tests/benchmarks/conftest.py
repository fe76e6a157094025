"""Prints the ratios that the project's targets are about, from the run just measured."""

import pytest

Line = tuple[str, str, float, float | None]
_LINES = pytest.StashKey[list[Line]]()


class Speeds:
    """What the summary at the end tells: instance, way of scoring, seconds for one placement, multiple."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = lines

    def keep(self, instance: str, way: str, seconds: float, multiple: float | None = None) -> None:
        self.lines.append((instance, way, seconds, multiple))


@pytest.fixture
def speeds(request: pytest.FixtureRequest) -> Speeds:
    return Speeds(request.config.stash.setdefault(_LINES, []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(_LINES, [])
    if not lines:
        return
    terminalreporter.section(
        "how many a second, and multiples of the plain Python evaluator, or of stable-baselines3's DQN"
    )
    for instance, way, seconds, multiple in lines:
        times = f"{multiple:8.1f} x" if multiple else ""
        terminalreporter.write_line(f"{instance:16} {way:32} {1 / seconds:12,.4g} /s {times}")
