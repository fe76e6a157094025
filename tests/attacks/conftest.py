"""How long the attack is, what its randomness comes from, and the numbers at its end.

The options are known where this folder is named: ``pytest tests/attacks --attack-rounds 8``.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from attacks.attack import COUNTED, Attack

PROPERTY = "attack"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("attack")
    group.addoption("--attack-rounds", type=int, default=1, help="1, as in the suite, is short; `make attack` takes 8")
    group.addoption("--attack-seed", type=int, default=0, help="of every random moment and instance")
    group.addoption("--attack-json", type=Path, default=None, help="write the numbers here")


def pytest_report_header(config: pytest.Config) -> str:
    return f"attack: --attack-rounds {_option(config, 'rounds', 1)} --attack-seed {_option(config, 'seed', 0)}"


@pytest.fixture
def attack(request: pytest.FixtureRequest, record_property: Any) -> Attack:
    seed = _option(request.config, "seed", 0)
    # A test's moments don't depend on which others run.
    own = np.random.default_rng(np.random.SeedSequence([seed, crc32(request.node.nodeid.encode())]))
    made = Attack(rounds=_option(request.config, "rounds", 1), rng=own)
    print(f"--attack-seed {seed}")
    record_property(PROPERTY, made.counts)  # which are those of its end when its call is reported
    return made


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    counts: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == PROPERTY and report.when == "call":  # other reports tell the same again
                    counts.update(value)
    path: Path | None = _option(config, "json", None)
    if not counts:
        return
    terminalreporter.section("attack")
    for name, meaning in COUNTED.items():
        terminalreporter.write_line(f"{counts[name]:8d}  {name:<22} {meaning}")
    if path is not None:
        facts = {"seed": _option(config, "seed", 0), "rounds": _option(config, "rounds", 1)}
        path.write_text(json.dumps(facts | {name: counts[name] for name in COUNTED}, indent=2) + "\n", encoding="utf-8")


def _option(config: pytest.Config, name: str, default: Any) -> Any:
    # Where the whole suite runs, this file is found too late for its options to be read.
    return config.getoption(f"attack_{name}", default)
