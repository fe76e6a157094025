"""What pages say of the program, from the program: solvers, relaxations, the command line, the rooms' modules.

A line `<!-- offbench: NAME ARGUMENT -->` in a page is replaced by what the function of that name returns, and
`<!-- offbench: file PATH -->` by a file of the repository.
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import click
    from docutils import nodes
    from sphinx.application import Sphinx

HOME = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(HOME))


def solvers() -> str:
    """Return a table of all shipped solvers."""
    from offbench.search.registry import catalogue

    rows = ["| solver | problem | what it does |", "| --- | --- | --- |"]
    entries = sorted(catalogue().values(), key=lambda entry: entry.name)
    return "\n".join(rows + [f"| `{entry.name}` | {entry.solves} | {entry.description} |" for entry in entries])


def relaxations() -> str:
    """Return a table of the relaxations."""
    from offbench.bounds.catalogue import RELAXATIONS

    rows = ["| relaxation | what it leaves out |", "| --- | --- |"]
    return "\n".join(rows + [f"| `{one.name}` | {one.description} |" for one in RELAXATIONS])


def statuses() -> str:
    """Return a table of what the status of a benchmark's run means."""
    from offbench.bench.row import MEANING

    return "\n".join(
        ["| status | means |", "| --- | --- |"] + [f"| `{name}` | {text} |" for name, text in MEANING.items()]
    )


def command_line() -> str:
    """Return a section for each verb, with its help."""
    return "\n".join(_verbs(_program(), "offbench", 2))


def modules(room: str) -> str:
    """Return a section for each module of a folder of offbench, with what isn't among the public names."""
    import offbench

    folder = HOME / "offbench" / room
    lines = []
    for path in sorted(folder.rglob("*.py")):
        name = ".".join(("offbench", room, *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__")
        public = [each for each in offbench.__all__ if getattr(offbench, each).__module__ == name]
        lines += [f"## `{name.removeprefix(f'offbench.{room}.')}`", ""] if name != f"offbench.{room}" else []
        lines += ["```{eval-rst}", f".. automodule:: {name}"]
        if path.stem != "__init__":  # that one only hands on what its modules have
            lines += ["   :members:", f"   :exclude-members: {', '.join(public) or '-'}"]
        lines += ["```", ""]
        if public:
            names = [f"{{py:obj}}`offbench.{each}`" for each in public]
            lines += [f"Among [the public names](index.md): {', '.join(names)}.", ""]
    return "\n".join(lines)


def public_names() -> str:
    """Return an entry for each name that `import offbench` gives, by what it is for."""
    import offbench

    missing = set(offbench.__all__) - {name for names in PUBLIC.values() for name in names}
    lines = []
    for title, names in (PUBLIC | ({"More": sorted(missing)} if missing else {})).items():
        lines += [f"## {title}", ""]
        for name in names:
            kind = "class" if isinstance(getattr(offbench, name), type) else "function"
            members = (
                ["   :members:", "   :inherited-members: BaseModel, tuple, object, BaseException"]
                if kind == "class"
                else []
            )
            lines += ["```{eval-rst}", f".. auto{kind}:: offbench.{name}", *members, "```", ""]
    return "\n".join(lines)


PUBLIC: dict[str, list[str]] = {
    "Facts": ["load", "Instance", "load_placement", "Placement"],
    "Solving": ["solve", "solve_two_step", "Solution", "Budget"],
    "Scoring": ["evaluate", "evaluate_many", "Evaluation"],
    "Writing a solver": ["Solver", "P1", "P2", "Search", "GaveUp", "Infeasible", "SearchEnded", "Trainable"],
    "Your own model": ["import_network", "load_catalogue", "deploy", "advise"],
    "Errors": ["OffbenchError"],
}
"""names that `import offbench` gives, in the order in which a reader needs them"""

CARRIED = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "experiments/README.md": "carried/experiments.md",
    "instances/README.md": "carried/instances.md",
    "results/ablation/table.md": "carried/ablation.md",
    "results/default-solver/table.md": "carried/default-solver.md",
    "results/defaults/table.md": "carried/defaults.md",
    "results/emulation/table.md": "guides/trust-a-prediction.md",
    "results/paper/claims.md": "carried/claims.md",
    "results/published/table.md": "reference/published.md",
    "results/single-networks/table.md": "carried/single-networks.md",
    "results/task-graphs/table.md": "carried/task-graphs.md",
    "results/traps/table.md": "carried/traps.md",
    "results/two-step/table.md": "carried/two-step.md",
}
"""files outside docs/ that are pages here, too; links lead to these"""

PARTS: dict[str, Callable[..., str]] = {
    "solvers": solvers,
    "relaxations": relaxations,
    "statuses": statuses,
    "command-line": command_line,
    "modules": modules,
    "public-names": public_names,
}


def expand(text: str, page: Path) -> str:
    """Return what a page is made from: placeholders replaced, links out of docs/ led to what there is here."""

    def part(found: re.Match[str]) -> str:
        name, argument = found[1], found[2]
        if name == "file":
            carried = HOME / argument
            text = re.sub(r"`[^`]*`|--[a-z][\w-]*", _keep_dashes, carried.read_text(encoding="utf-8"))
            return mark_wide(lead(text, carried.parent, page.parent))
        return PARTS[name](*filter(None, [argument]))

    return re.sub(r"^<!-- offbench: (\S+) ?(\S*) -->$", part, lead(text, page.parent, page.parent), flags=re.MULTILINE)


def _keep_dashes(found: re.Match[str]) -> str:
    """Write an option as code, so that what it begins with doesn't become a dash."""
    return found[0] if found[0].startswith("`") else f"`{found[0]}`"


def lead(text: str, here: Path, there: Path) -> str:
    """Return a text of folder *here* with links that work in folder *there* of docs/.

    A file that is a page here is linked as that page, a folder not at all.
    """

    def link(found: re.Match[str]) -> str:
        words, target, fragment = found[1], (here / found[2]).resolve(), found[3] or ""
        if not found[2] or ":" in found[2] or not target.exists():
            return found[0]
        if target.is_dir():
            return words[1:-1]
        inside = target.relative_to(HOME).as_posix()
        if inside in CARRIED:
            return f"{words}({os.path.relpath(HOME / 'docs' / CARRIED[inside], there)}{fragment})"
        return f"{words}({os.path.relpath(target, there)}{fragment})"

    return re.sub(r"(\[[^\[\]]*\])\(([^()\s#]*)(#[^()\s]*)?\)", link, text)


def mark_wide(text: str) -> str:
    """Mark tables whose rows are long texts, for which a page is too narrow."""
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    for table in tables:
        if len(table) > 300 * table.count("\n"):
            text = text.replace(table, "{.wide}\n" + table)
    return text


def _program() -> "click.Command":
    from typer.main import get_command

    from offbench.cli import app

    return get_command(app)


def _verbs(command: "click.Command", name: str, level: int) -> Iterator[str]:
    yield f"{'#' * level} `{name}`\n"
    yield f"```text\n{_help(command, name)}\n```\n"
    for verb, below in getattr(command, "commands", {}).items():
        yield from _verbs(below, f"{name} {verb}", level + (level > 2 or name != "offbench"))


def _help(command: "click.Command", name: str) -> str:
    context = command.make_context(name, [], resilient_parsing=True, max_content_width=88, terminal_width=88)
    return command.get_help(context).strip()


def _read(app: "Sphinx", page: str, source: list[str]) -> None:
    if "<!-- offbench: " in source[0]:
        app.env.note_reread()  # what it is made from may have changed
    source[0] = expand(source[0], Path(app.env.doc2path(page)))


def _label_the_model(app: "Sphinx", page: "nodes.document") -> None:
    """Give each section of the model a label, such as model-9."""
    from docutils import nodes

    if app.env.docname != "model":
        return
    for section in page.findall(nodes.section):
        title = section[0].astext()
        if number := re.match(r"(\d+)\. ", title):
            app.env.domains.standard_domain.anonlabels[f"model-{number[1]}"] = ("model", section["ids"][0])


def _lead_to_the_model(app: "Sphinx", what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Make "MODEL.md section 9" or "docs/model.md, section 9" in a docstring lead to that section."""
    cited = re.compile(r"(?:MODEL|docs/model)\.md,? sections? (\d+)(?:-\d+)?")
    lines[:] = [cited.sub(lambda found: f":ref:`{found[0]} <model-{found[1]}>`", line) for line in lines]


_PLAINLY = {
    r"(~?[\w.]+\.)?ndarray\[tuple\[[^\[\]]*\], [~\w.]*dtype\[(~?[\w.]+\.)?(\w+)\]\]": r"NDArray[\3]",
    r"(~?[\w.]+\.)?_Buffer \| .*?_NestedSequence\[complex \| bytes \| str\]": "ArrayLike",
}
"""numpy's long names for arrays, and how they are written in the code"""


def _tell_types_plainly(
    app: "Sphinx", what: str, name: str, thing: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Write a signature's types as a reader would: constraints left out, arrays named."""
    return _plain(signature), _plain(returns)


def _plain(text: str | None) -> str | None:
    if text is None:
        return None
    while (start := text.find("Annotated[")) >= 0:
        first = start + len("Annotated[")
        depth, comma = 0, 0
        for end in range(first, len(text)):
            if text[end] == "," and depth == 0 and not comma:
                comma = end
            if text[end] == "]" and depth == 0:
                break
            depth += (text[end] in "[(") - (text[end] in "])")
        text = text[:start] + text[first:comma] + text[end + 1 :]
    for pattern, plain in _PLAINLY.items():
        text = re.sub(pattern, plain, text)
    return text


def _skip(app: "Sphinx", what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    return True if name == "model_config" else None


def setup(app: "Sphinx") -> dict[str, bool]:
    """Tell Sphinx of it."""
    app.connect("source-read", _read)
    app.connect("doctree-read", _label_the_model)
    app.connect("autodoc-process-signature", _tell_types_plainly)
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-docstring", _lead_to_the_model)
    return {"parallel_read_safe": True}
