"""Prints the ratios that the project's targets are about, from the run just measured."""

from collections.abc import Iterator

import pytest

Ratios = pytest.StashKey[dict[tuple[str, str], float]]()


class Speeds:
    """Best seconds for one placement, by instance and way of scoring it."""

    def __init__(self, seconds: dict[tuple[str, str], float]) -> None:
        self.seconds = seconds

    def keep(self, instance: str, way: str, seconds: float) -> None:
        self.seconds[instance, way] = seconds


@pytest.fixture
def speeds(request: pytest.FixtureRequest) -> Iterator[Speeds]:
    yield Speeds(request.config.stash.setdefault(Ratios, {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    seconds = config.stash.get(Ratios, {})
    if not seconds:
        return
    terminalreporter.section("evaluations per second, and multiples of the plain Python evaluator")
    for (instance, way), value in seconds.items():
        plain = seconds.get((instance, "plain"))
        multiple = f"{plain / value:8.0f} x" if plain else ""
        terminalreporter.write_line(f"{instance:16} {way:22} {1 / value:12,.0f} /s {multiple}")
