"""What pages, docstrings, comments and outputs cite is there: files, sections, links, commands, options, names."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pages import HOME, PAGES, blocks, commands, name
from typer.main import get_command

import offbench
from offbench.cli import app
from offbench.search.registry import catalogue

MODEL = HOME / "docs/model.md"
ROOMS = "offbench|solvers|instances|experiments|examples|docs|results|tests"
SOURCES = sorted(
    path
    for room in ("offbench", "solvers", "instances", "experiments")
    for path in (HOME / room).rglob("*")
    if path.suffix in (".py", ".toml", ".html", ".js", ".css") and not path.is_symlink()
)
SOURCES += [HOME / "Makefile", HOME / "pyproject.toml", HOME / "docs/conf.py", *(HOME / "docs/_ext").glob("*.py")]
"""what has citations in docstrings, comments and outputs; tests plant names that aren't there"""
OUTSIDE = ("paper/", "conformance")
"""what the model names that isn't in the repository; docs/index.md says so"""


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# Finding what is cited. Each function yields what isn't there.


def lost_files(text: str) -> Iterator[str]:
    """Files of the repository named by their path; a * or capitals stand for any name."""
    for path in re.findall(
        rf"(?<![\w/.$}}-])(?:{ROOMS})/[\w./*-]*\.(?:py|toml|md|json|csv|png|svg|html|css|js|ipynb)\b", text
    ):
        if not re.search(r"/[A-Z]+\.", path) and not any(HOME.glob(path)):  # HASH.json stands for any
            yield path


def lost_folders(text: str) -> Iterator[str]:
    """Folders named in backquotes."""
    for path in re.findall(rf"`((?:{ROOMS})/[\w./-]*)/?`", text):
        if re.match(r"results/|offbench/(\d|Offloading)", path):
            continue  # folders of results are made by who types a command; formats and the environment are no folders
        if not (HOME / path).exists():
            yield path


def sections() -> dict[int, str]:
    """The model's sections by number, each with its text."""
    parts = re.split(r"^## (\d+)\. ", text_of(MODEL), flags=re.MULTILINE)[1:]
    return {int(number): text for number, text in zip(parts[::2], parts[1::2], strict=True)}


def lost_sections(text: str) -> Iterator[str]:
    """The model's sections; those with a point, such as 5.2, are the paper's."""
    for cited in re.finditer(r"\bsections? (\d+)(?:-(\d+))?(?![\d.]*\.\d)(?:,? \*?Reading\*? ([a-z])\b)?", text):
        first, last, reading = int(cited[1]), int(cited[2] or cited[1]), cited[3]
        if not set(range(first, last + 1)) <= set(sections()) or (reading and f"({reading})" not in sections()[first]):
            yield cited[0]


def lost_targets(text: str) -> Iterator[str]:
    """Targets of the Makefile, in backquotes or typed in a block."""
    rules = re.findall(r"^([a-z][\w -]*):", text_of(HOME / "Makefile"), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    typed = [line for block in blocks(text, "") + blocks(text, "text") for line in block.splitlines()]
    cited = re.findall(r"`make ([a-z][\w-]*)", text) + [
        m[1] for line in typed if (m := re.match(r"make ([a-z][\w-]*)", line))
    ]
    yield from (f"make {target}" for target in cited if target not in targets)


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """Return the command that words begin with, and the rest of them."""
    command: Any = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def options_of(command: Any) -> set[str]:
    """Return the options of a command, without old names that still work and are told nowhere."""
    shown = [option for option in command.params if not option.hidden]
    return {name for option in shown for name in option.opts if name.startswith("-")} | {"--help"}


def all_options() -> set[str]:
    found, commands = set(), [get_command(app)]
    while commands:
        command: Any = commands.pop()
        found |= options_of(command)
        commands += getattr(command, "commands", {}).values()
    return found


def lost_commands(text: str) -> Iterator[str]:
    """Commands in backquotes or typed in a block: verbs, options, solvers."""
    quoted = [line.split() for line in re.findall(r"(?<!`)`{1,2}offbench ([^`\n]+)`{1,2}(?!`)", text)]
    typed = [
        line.split()[1:]
        for block in blocks(text, "text")
        for line in block.splitlines()
        if line.startswith("offbench ")
    ]
    for words in (*quoted, *typed, *commands(text)):
        command, rest = command_of(words)
        verb = words[0] if words else ""
        if command.name == "offbench" and verb not in ("VERB", "...") and not verb.startswith("-"):
            yield f"offbench {verb}"
            continue
        known = options_of(command) if verb != "VERB" else all_options()
        given = [re.match(r"--[a-z0-9-]+", word) for word in rest]
        yield from (f"offbench {verb} {option[0]}" for option in given if option and option[0] not in known)
        solvers = [value for option, value in pairwise(rest) if option in ("--solver", "--secondary", "--p2")]
        solvers = [solver for solver in solvers if re.fullmatch(r"[a-z][a-z0-9-]*", solver)]
        yield from (f"offbench {verb}: solver {solver}" for solver in solvers if solver not in catalogue())


def lost_options(text: str) -> Iterator[str]:
    """Options alone in backquotes."""
    known = all_options() | {
        option
        for page in (
            *(HOME / "experiments").glob("*.py"),
            HOME / "tests/attacks/conftest.py",
            HOME / "offbench/emulate/worker.py",
            HOME / "offbench/emulate/request.py",
        )
        for option in re.findall(r"--[a-z][\w-]*", text_of(page))
    }
    yield from (option for option in re.findall(r"`(--[a-z][a-z0-9-]*)[^`\n]*`", text) if option not in known)


def lost_names(text: str) -> Iterator[str]:
    """Modules of ours and what is in them, in backquotes."""
    for dotted in re.findall(r"`((?:offbench|ob)(?:\.[A-Za-z_]\w*)+)(?:\([^`]*\))?`", text):
        parts = ["offbench", *dotted.split(".")[1:]]
        if parts[-1] in ("json", "toml", "sh"):
            continue
        thing: Any = offbench
        for k, part in enumerate(parts[1:], start=1):
            try:
                thing = getattr(thing, part)
            except AttributeError:
                try:
                    thing = import_module(".".join(parts[: k + 1]))
                except ImportError:
                    yield dotted
                    break


def lost_modules(text: str) -> Iterator[str]:
    """What `python -m` runs, and constants by the name of their module."""
    for module, constant in re.findall(r"(?<!`)`([a-z_]+)\.([A-Z][A-Z_]+)`(?!`)", text):
        if not any(constant in text_of(path) for path in SOURCES if path.stem == module and path.suffix == ".py"):
            yield f"{module}.{constant}"
    for module in re.findall(r"python3? -m ((?:offbench|experiments)[\w.]*\w)", text):
        path = HOME / module.replace(".", "/")
        if not path.is_dir() and not path.with_suffix(".py").exists() and not module.endswith("FILE"):
            yield module


def slug(title: str) -> str:
    """Return the anchor of a heading, as GitHub and MyST make it."""
    return re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")


def lost_links(page: Path) -> Iterator[str]:
    """Links to files and headings of the repository."""
    text = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    for target, fragment in re.findall(r"\]\(([^()\s#]*)(#[^()\s]*)?\)", text):
        if ":" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        headings = (
            re.findall(r"^#+ (.*)$", text_of(path), re.MULTILINE) if path.suffix == ".md" and path.exists() else []
        )
        if not path.exists() or (fragment and fragment[1:] not in map(slug, headings)):
            yield f"{target}{fragment}"


CHECKS = (lost_files, lost_folders, lost_sections, lost_targets, lost_commands, lost_options, lost_names, lost_modules)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_a_page_cites_is_there(page: Path) -> None:
    text = text_of(page)
    if page == MODEL:
        text = re.sub("|".join(rf"`{path}[^`]*`" for path in OUTSIDE), "", text)
    assert {check.__name__: lost for check in CHECKS if (lost := list(check(text)))} == {}
    assert list(lost_links(page)) == []


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_what_code_cites_is_there(source: Path) -> None:
    checks = (lost_files, lost_sections, lost_targets, lost_commands, lost_names, lost_modules)
    assert {check.__name__: lost for check in checks if (lost := list(check(text_of(source))))} == {}


PLANTED = {
    "see offbench/evaluation/kernels.py": lost_files,
    "all of `solvers/dqn_plus/`": lost_folders,
    "(MODEL.md section 11)": lost_sections,
    "MODEL.md sections 2-14": lost_sections,
    "MODEL.md section 4, *Reading* x": lost_sections,
    "`make coffee`": lost_targets,
    "```\nmake coffee\n```": lost_targets,
    "`offbench sole --solver greedy`": lost_commands,
    "``offbench solve --sover greedy``": lost_commands,
    "```\noffbench instance make --cluods 3\n```": lost_commands,
    "```text\n$ ls\noffbench solve --solver greeedy alexnet\n```": lost_commands,
    "`--rerunn failed`": lost_options,
    "`offbench.evaluation.delt`": lost_names,
    "`ob.solv`": lost_names,
    "a column for each name in `kernel.PART_NAMES`": lost_modules,
    "`python -m experiments.coffee`": lost_modules,
}


@pytest.mark.parametrize("text", PLANTED)
def test_what_is_not_there_is_found(text: str) -> None:
    assert len(list(PLANTED[text](text))) == 1


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# One thing\n\n[x](b.md) [y](#one-thing) [z](#two) [w](a.md#one-thing)\n", encoding="utf-8"
    )
    assert list(lost_links(tmp_path / "a.md")) == ["b.md", "#two"]


def test_model_is_carried_along_as_it_is() -> None:
    shared = HOME.parent / "shared/MODEL.md"
    if not shared.exists():
        pytest.skip("there is no ../shared/MODEL.md beside this checkout")
    assert MODEL.read_bytes() == shared.read_bytes()


def test_every_page_is_led_to() -> None:
    """Each page of docs/ is in a table of contents."""
    listed = set()
    for page in PAGES:
        for tree in re.findall(r"^```\{toctree\}\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL):
            listed |= {(page.parent / line).resolve() for line in tree.split() if not line.startswith(":")}
    pages = {page.with_suffix("") for page in PAGES if (HOME / "docs") in page.parents} - {HOME / "docs/index"}
    assert pages == listed


def test_sentences_stand_on_lines_of_their_own() -> None:
    """No line of prose is longer than a screen; tables, quotes and the model's own lines are what they are."""
    for page in PAGES:
        if (HOME / "docs") not in page.parents or page == MODEL:
            continue
        prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
        assert [line for line in prose.splitlines() if len(line) > 160 and not line.startswith(("|", ">"))] == [], page


def test_manual_builds_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    # Without a page for each source file, each with the whole table of contents: half of the time, and nothing to find.
    extensions = re.search(r"^extensions = \[(.*?)\]", text_of(HOME / "docs/conf.py"), re.MULTILINE | re.DOTALL)
    assert extensions is not None
    needed = [each for each in re.findall(r'"(.+?)"', extensions[1]) if each != "sphinx.ext.viewcode"]
    assert "sphinx.ext.autodoc" in needed
    make = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-n",
        "-q",
        "-D",
        f"extensions={','.join(needed)}",
        str(HOME / "docs"),
        str(tmp_path / "html"),
    ]
    done = subprocess.run(
        [*make, "-d", str(tmp_path / "trees")], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    built = (tmp_path / "html/reference/command-line.html").read_text(encoding="utf-8")
    assert all(option in built for option in all_options())
    solvers = (tmp_path / "html/reference/solvers.html").read_text(encoding="utf-8")
    assert all(solver in solvers for solver in catalogue())
    api = (tmp_path / "html/api/index.html").read_text(encoding="utf-8")
    assert all(f'id="offbench.{public}"' in api for public in offbench.__all__)
    shutil.rmtree(tmp_path / "html")
