"""The pages for people: what the tests of README and docs/ read them with."""

import re
from pathlib import Path

HOME = Path(__file__).parent.parent
PAGES = [
    *(HOME / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "instances/README.md")),
    *sorted((HOME / "docs").rglob("*.md")),
    *sorted((HOME / "experiments").glob("*.md")),
    *sorted((HOME / "examples").glob("*.md")),
]
PAGES = [page for page in PAGES if "_build" not in page.parts]
"""all pages"""


def name(page: Path) -> str:
    """Return a page's path in the repository."""
    return page.relative_to(HOME).as_posix()


def blocks(text: str, language: str) -> list[str]:
    """Return a page's blocks of code of one language; those without a language are commands."""
    found = re.findall(r"^```(.*?)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for name, block in found if name == language]


def commands(text: str) -> list[list[str]]:
    """Return what a page tells to type after `offbench`, comments left out."""
    lines = [line.removeprefix("$ ").split("#")[0].split() for block in blocks(text, "") for line in block.splitlines()]
    return [line[1:] for line in lines if line[:1] == ["offbench"]]
