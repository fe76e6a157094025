"""The processor here, as the system names it."""

import platform
from pathlib import Path


def processor() -> str:
    """Return the processor's model; on a board whose processor has no name, the board's."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    for field in ("model name", "Model"):
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == field and value.strip():
                return value.strip()
    return platform.machine()
