"""Settings and fixtures for all tests."""

import gc
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Compiled code makes first examples slow, and machines differ: no deadline for one example.
settings.register_profile("offbench", deadline=None, max_examples=50)
settings.load_profile("offbench")

# As in `offbench.cli.main`; a tenth of the processor time.
gc.set_threshold(20_000, 20, 100)

# pytest-xdist sets a width; tables are tested at the one that they have where there is no terminal.
os.environ.pop("COLUMNS", None)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Return a function that writes a text, or an object as JSON, to a file of the test's own folder."""

    def write(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write
