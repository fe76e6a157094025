"""How solvers are found, by name, entry point and path, and configured."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import offbench.search.registry
import offbench.solvers
from offbench import OffbenchError, Solver, solve
from offbench.cli import app
from offbench.errors import OffbenchWarning
from offbench.search.parameters import configure, parameter_type
from offbench.search.registry import catalogue, describe, find, names_with

Write = Callable[[str, Any], Path]

FOLDER = Path(next(iter(offbench.solvers.__path__)))

MINE = '''
from typing import ClassVar, Literal

from pydantic import Field

from offbench import Solver


class Mine(Solver):
    """One line about it.

    More lines.
    """

    tries: int = Field(10, ge=1, le=1000)
    share: float = 0.5
    rule: Literal["first", "best"] = "first"
    deep: bool = False

    def solve(self, problem, search):
        search.propose(problem.everything_on(0))
'''
OTHER = MINE.replace("Mine", "Other").replace("    tries", '    name: ClassVar[str] = "the-other"\n    tries')
FOREIGN = OTHER.replace("the-other", "foreign").replace("Other", "Mine")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder that is part of offbench.solvers during the test."""
    path = [*offbench.solvers.__path__, str(tmp_path)]
    monkeypatch.setattr(offbench.solvers, "__path__", path)
    monkeypatch.setattr(offbench.solvers.__spec__, "submodule_search_locations", path)
    offbench.search.registry._own_entries.cache_clear()
    known = set(sys.modules)
    yield tmp_path
    offbench.search.registry._own_entries.cache_clear()
    for name in set(sys.modules) - known:
        if name.startswith("offbench.solvers."):
            del sys.modules[name]


def in_one_line(error: pytest.ExceptionInfo[OffbenchError]) -> str:
    """Return the message, which must be one line."""
    message = str(error.value)
    assert len(message.splitlines()) == 1
    return message


# By name


def test_catalogue_has_every_solver_file() -> None:
    listed = {entry.where for entry in catalogue().values()}
    for path in FOLDER.glob("[!_]*.py"):
        assert path.name in listed


def test_catalogue_tells_name_problem_and_description() -> None:
    found = catalogue()
    assert {"client-only", "best-edge", "best-cloud", "greedy", "random", "fcfs", "srpt"} <= found.keys()
    assert list(found) == sorted(found)
    assert found["fcfs"].solves == "P2"
    assert found["greedy"].solves == "P1"
    assert found["random"].missing == ()
    assert all(entry.description.endswith(".") for entry in found.values() if not entry.missing)


def test_catalogue_says_what_the_classes_say() -> None:
    for name, entry in catalogue().items():
        if not entry.missing:
            solver = find(name)
            assert (solver.name, solver.solves, describe(solver)) == (name, entry.solves, entry.description)


def test_catalogue_imports_no_solver_and_no_heavy_library() -> None:
    code = """
import sys
from offbench.search.registry import catalogue
assert len(catalogue()) > 5
heavy = [name for name in ("torch", "numba", "numpy", "pandas") if name in sys.modules]
solvers = [name for name in sys.modules if name.startswith("offbench.solvers.")]
assert not heavy and not solvers, (heavy, solvers)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_finding_one_solver_imports_no_other() -> None:
    code = """
import sys
from offbench.search.registry import find
find("greedy")
found = [name for name in sys.modules if name.startswith("offbench.solvers.")]
assert [name for name in found if "._shared" not in name] == ["offbench.solvers.greedy"]
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(OffbenchError) as caught:
        find("gredy")
    assert "'gredy'" in in_one_line(caught)
    assert "did you mean 'greedy'?" in str(caught.value)


def test_new_file_in_the_folder_is_a_solver_named_after_it(folder: Path, write: Write) -> None:
    write("my_idea.py", MINE)
    entry = catalogue()["my-idea"]
    assert (entry.description, entry.solves, entry.where) == ("One line about it.", "P1", "my_idea.py")
    assert find("my-idea").name == "my-idea"


def test_solver_of_both_problems_is_listed_as_such(folder: Path, write: Write) -> None:
    write("both.py", MINE.replace("    tries", '    solves: ClassVar[str] = "P1 and P2"\n    tries'))
    assert catalogue()["both"].solves == find("both").solves == "P1 and P2"


def test_solver_package_in_the_folder_is_found(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "__init__.py").write_text(MINE.replace("pydantic", "offbench.solvers.deep.parts"))
    (folder / "deep" / "parts.py").write_text("from pydantic import Field as Field\n")
    assert find("deep")().tries == 10  # type: ignore[attr-defined]


def test_class_states_its_own_name(folder: Path, write: Write) -> None:
    write("file.py", OTHER)
    assert "file" not in catalogue()
    assert find("the-other").name == "the-other"


def test_preset_is_the_solver_under_another_name_with_other_defaults(folder: Path, write: Write) -> None:
    presets = '    presets: ClassVar[dict] = {"deep-mine": ("It goes deep.", {"deep": True, "tries": 3})}\n'
    write("plain.py", MINE.replace("    tries", f"{presets}    tries", 1))
    entry = catalogue()["deep-mine"]
    assert (entry.description, entry.solves, entry.where) == ("It goes deep.", "P1", "plain.py")
    assert catalogue()["plain"].description == "One line about it."
    plain, preset = find("plain"), find("deep-mine")
    assert (preset.name, describe(preset)) == ("deep-mine", "It goes deep.")
    assert configure(preset, "deep-mine", {}).model_dump() == {"tries": 3, "share": 0.5, "rule": "first", "deep": True}
    assert configure(preset, "deep-mine", {"deep": "no"}).model_dump()["deep"] is False
    with pytest.raises(OffbenchError, match="less than or equal to 1000"):
        configure(preset, "deep-mine", {"tries": 1001})
    assert plain.name == "plain"
    assert configure(plain, "plain", {}).model_dump()["tries"] == 10


def test_solver_without_its_library_is_listed_as_missing_and_breaks_nothing(folder: Path, write: Write) -> None:
    write("ghost.py", "import no_such_library\n" + MINE)
    found = catalogue()
    assert found["ghost"].missing == ("no_such_library",)
    assert found["ghost"].description == "One line about it."
    assert find("greedy").name == "greedy"
    with pytest.raises(OffbenchError, match="'ghost' is not installed") as caught:
        find("ghost")
    assert "no_such_library" in in_one_line(caught)


def refused(name: str) -> str:
    """Return why a solver of the folder can't be used; it must be listed, with the same reason."""
    entry = catalogue()[name]
    assert not entry.usable
    with pytest.raises(OffbenchError) as caught:
        find(name)
    assert entry.fault in in_one_line(caught)
    assert find("greedy").name == "greedy"  # breaks no other
    return entry.fault


@pytest.mark.parametrize(
    ("content", "fragment"),
    [(b"def (\n", "line 1"), (b"x = 'caf\xe9'\n", "utf-8"), (b"x = 1\0\n", "null bytes")],
    ids=["a slip", "another encoding", "a null byte"],
)
def test_file_that_is_no_python_is_listed_with_the_reason(folder: Path, content: bytes, fragment: str) -> None:
    (folder / "half_written.py").write_bytes(content)
    assert fragment in refused("half-written")


def test_part_of_a_solver_that_is_no_python_is_told(folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "__init__.py").write_text("from .parts import part\n" + MINE)
    (folder / "deep" / "parts.py").write_text("\n\ndef (\n")
    assert refused("deep").startswith("can't be read: parts.py: line 3")


# Solvers that extend others

EXTENDED = "from offbench.solvers.greedy import Greedy\n\n\nclass Mine(Greedy):\n    depth: int = 3\n"
BASES = [
    ("from offbench.solvers.greedy import Greedy", "Greedy"),
    ("from offbench.solvers.greedy import Greedy as Shortsighted", "Shortsighted"),
    ("import offbench.solvers.greedy", "offbench.solvers.greedy.Greedy"),
    ("import offbench.solvers.greedy as g", "g.Greedy"),
    ("from offbench.solvers import greedy", "greedy.Greedy"),
    ("from .greedy import Greedy", "Greedy"),
    ("from offbench.solvers.greedy import Greedy\nBase = Greedy", "Base"),
    ("if True:\n    from offbench.solvers.greedy import Greedy", "Greedy"),
    ("from offbench.solvers.greedy import Greedy\nclass Half(Greedy):\n    name = 'half'", "Half"),
    ("import abc\nfrom offbench.solvers.greedy import Greedy", "Greedy, abc.ABC"),
]


@pytest.mark.parametrize(("imports", "base"), BASES)
def test_subclass_of_a_shipped_solver_is_a_solver(folder: Path, write: Write, imports: str, base: str) -> None:
    write("mine.py", f"{imports}\n\n\nclass Mine({base}):\n    depth: int = 3\n")
    entry = catalogue()["mine"]
    assert (entry.where, entry.usable, entry.solves) == ("mine.py", True, "P1")
    solver = find("mine")
    assert (solver.name, solver.__name__) == ("mine", "Mine")
    assert describe(solver) == entry.description == catalogue()["greedy"].description  # it has none of its own
    assert find("greedy").name == "greedy"


def test_subclass_solves_what_its_base_solves(folder: Path, write: Write) -> None:
    write("mine.py", EXTENDED.replace("greedy", "dispatch_rules").replace("Greedy", "FirstComeFirstServed"))
    assert catalogue()["mine"].solves == find("mine").solves == "P2"


def test_subclass_may_have_the_name_of_its_base(folder: Path, write: Write) -> None:
    write("mine.py", EXTENDED.replace("Mine", "Greedy").replace("depth", "'Mine.'\n    depth"))
    assert catalogue()["mine"].description == describe(find("mine")) == "Mine."


def test_subclass_is_a_solver_by_path_too(write: Write) -> None:
    solver = find(str(write("mine.py", EXTENDED)))
    assert (solver.name, solver.__name__) == ("mine", "Mine")


def test_subclass_needs_what_its_base_needs(folder: Path, write: Write) -> None:
    write("ghost.py", "import no_such_library\n" + MINE)
    write("mine.py", EXTENDED.replace("greedy", "ghost").replace("import Greedy", "import Mine as Greedy"))
    assert catalogue()["mine"].missing == ("no_such_library",)


def test_class_with_no_solve_method_is_no_solver_but_its_subclass_is(folder: Path, write: Write) -> None:
    half = "from offbench import Solver\n\n\nclass Half(Solver):\n    pass\n\n\n"
    write("mine.py", half + MINE.replace("(Solver)", "(Half)"))
    targets = [entry.target for entry in catalogue().values() if entry.where == "mine.py"]
    assert targets == ["offbench.solvers.mine:Mine"]
    assert find("mine").__name__ == "Mine"


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("x = 1\n", "no class in it is seen as a Solver"),
        ("from offbench import Solver\nclass Half(Solver):\n    pass\n", "no class in it"),
        (MINE.replace("from offbench import Solver", "from their_package import Solver"), "its base Solver isn't seen"),
        (EXTENDED.replace("import Greedy", "import Gredy"), "its base Greedy isn't seen"),
    ],
    ids=["no solver", "no solve method", "a base from elsewhere", "a base that isn't there"],
)
def test_file_of_the_folder_that_shows_no_solver_is_told(folder: Path, write: Write, text: str, fragment: str) -> None:
    write("bad.py", text)
    entry = catalogue()["bad"]
    assert fragment in entry.fault
    with pytest.raises(OffbenchError, match="'bad'") as caught:
        find("bad")
    in_one_line(caught)


# What a class states of itself


@pytest.mark.parametrize("annotation", ["", ": ClassVar", ": ClassVar[Any]", ": 'ClassVar[Any]'"])
def test_what_a_class_states_is_read_with_and_without_annotation(folder: Path, write: Write, annotation: str) -> None:
    stated = {
        "name": "other", "solves": "P2", "presets": {"deep-other": ("Deep.", {"deep": True})}, "is_baseline": True,
        "finds_front": True,
    }  # fmt: skip
    lines = "".join(f"    {name}{annotation} = {value!r}\n" for name, value in stated.items())
    write("mine.py", "from typing import Any\n" + MINE.replace("    tries", f"{lines}    tries", 1))
    for name in ("other", "deep-other"):
        entry, solver = catalogue()[name], find(name)
        assert (entry.solves, entry.is_baseline, entry.finds_front) == ("P2", True, True)
        assert (solver.name, solver.solves, solver.is_baseline, solver.finds_front) == (name, "P2", True, True)
    assert {"other", "deep-other"} <= set(names_with("is_baseline")) & set(names_with("finds_front"))
    assert "mine" not in catalogue()


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("solves = PROBLEM", "solves: must be a literal"),
        ("name: ClassVar[str] = 'a' + str(1)", "name: must be a literal"),
        ("presets = dict(a=1)", "presets: must be a literal"),
        ("solves = 'P3'", "solves: must be one of P1, P2, P1 and P2, not 'P3'"),
        ("name = 3", "name: must be a text, not 3"),
        ("presets = {'a': {'deep': True}}", "presets: must be a dict"),
        ("is_baseline = 'yes'", "is_baseline: must be True or False, not 'yes'"),
        ("solves: str = 'P2'", "solves: must be a ClassVar"),
    ],
)
def test_what_a_class_states_in_another_way_is_refused_aloud(
    folder: Path, write: Write, line: str, fragment: str
) -> None:
    write("mine.py", MINE.replace("    tries", f"    {line}\n    tries", 1))
    fault = refused("mine")
    assert fragment in fault
    assert "line 15: " in fault


@pytest.mark.parametrize(
    ("line", "fragment"),
    [
        ("solves = 'P' + '3'", "must be one of P1, P2"),
        ("presets = {'deep': ('It.', {'depth': 1})}", "no parameter 'depth'"),
    ],
)
def test_what_a_class_states_is_checked_by_path_too(write: Write, line: str, fragment: str) -> None:
    path = write("my_file.py", MINE.replace("    tries", f"    {line}\n    tries", 1))
    with pytest.raises(OffbenchError, match=fragment) as caught:
        find(str(path))
    in_one_line(caught)


def test_baselines_and_what_finds_the_front_are_found_without_an_import() -> None:
    code = """
import sys
from offbench.search.registry import names_with
assert names_with("is_baseline") == ["best-cloud", "best-edge", "client-only", "greedy"], names_with("is_baseline")
assert names_with("finds_front") == ["nsga2"], names_with("finds_front")
assert not [name for name in sys.modules if name.startswith(("offbench.solvers.", "deap"))]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_subclass_of_a_baseline_is_none(folder: Path, write: Write) -> None:
    write("mine.py", EXTENDED)
    assert "mine" in catalogue()
    assert "mine" not in names_with("is_baseline")


def test_name_that_is_taken_is_told(folder: Path, write: Write) -> None:
    write("a.py", OTHER)
    write("b.py", OTHER)
    write("c.py", MINE + MINE.replace("Mine", "Yours"))
    found = catalogue()
    assert found["the-other"].where == "a.py"
    assert found["the-other"].note == "b.py has a solver of this name too, which is not used"
    assert found["c"].note == "c.py, class Yours, has a solver of this name too, which is not used"
    with pytest.warns(OffbenchWarning, match=r"'the-other' is the one of a\.py: b\.py has"):
        assert find("the-other").__name__ == "Other"


# By path


def test_path_of_a_file_is_a_solver(write: Write) -> None:
    solver = find(str(write("my_file.py", MINE)))
    assert (solver.__name__, solver.name) == ("Mine", "my-file")


def test_path_with_a_class_picks_one_of_several(write: Write) -> None:
    path = write("two.py", MINE + OTHER)
    assert find(f"{path}:Other").name == "the-other"
    with pytest.raises(OffbenchError, match="Mine, Other") as caught:
        find(str(path))
    in_one_line(caught)
    with pytest.raises(OffbenchError, match=r"no solver 'Othr'.*did you mean 'Other'"):
        find(f"{path}:Othr")


def test_imported_solvers_of_a_file_do_not_count(write: Write) -> None:
    path = write("mine.py", "from offbench.solvers.greedy import Greedy\n" + MINE)
    assert find(str(path)).__name__ == "Mine"


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("x = 1\n", "none"),
        ("from offbench import Solver\nclass Half(Solver):\n    '''No solve.'''\n", "none"),
        ("import no_such_library\n", "no_such_library"),
        ("def (\n", "line 1"),
        ("raise ValueError('one' + chr(10) + 'two')\n", "ValueError"),
    ],
    ids=["no solver", "no solve method", "missing library", "wrong syntax", "error with two lines"],
)
def test_file_without_a_solver_is_refused_in_one_line(write: Write, text: str, fragment: str) -> None:
    path = write("bad.py", text)
    with pytest.raises(OffbenchError) as caught:
        find(str(path))
    message = in_one_line(caught)
    assert str(path) in message
    assert fragment in message


def test_missing_path_is_told(tmp_path: Path) -> None:
    with pytest.raises(OffbenchError, match="no such file"):
        find(str(tmp_path / "none.py"))


@pytest.mark.parametrize("more", ["", "\n@dataclass\nclass State:\n    count: int = 0\n"], ids=["solver", "dataclass"])
def test_file_may_postpone_its_annotations(write: Write, more: str) -> None:
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n" + MINE + more
    solver = find(str(write("postponed.py", text)))
    assert configure(solver, "postponed", {"rule": "best", "tries": "7"}).model_dump()["tries"] == 7


# By entry point


@pytest.fixture
def installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write: Write
) -> Iterator[Callable[[str, str, str], None]]:
    """Return a function that installs an entry point with its module."""
    points: list[EntryPoint] = []
    modules: list[str] = []

    def entry_points(group: str) -> list[EntryPoint]:
        return [point for point in points if point.group == group]

    def install(name: str, value: str, text: str) -> None:
        modules.append(value.split(":")[0])
        write(f"{modules[-1]}.py", text)
        points.append(EntryPoint(name, value, "offbench.solvers"))

    monkeypatch.setattr(offbench.search.registry, "entry_points", entry_points)
    offbench.search.registry._points.cache_clear()
    monkeypatch.syspath_prepend(tmp_path)
    yield install
    offbench.search.registry._points.cache_clear()
    for module in modules:
        sys.modules.pop(module, None)


def test_entry_point_is_a_solver(installed: Callable[[str, str, str], None]) -> None:
    installed("foreign", "foreign_package:Mine", FOREIGN)
    entry = catalogue()["foreign"]
    assert (entry.description, entry.solves) == ("One line about it.", "P1")
    assert "entry point" in entry.where
    assert find("foreign").__name__ == "Mine"


def test_entry_point_takes_no_name_of_our_own_and_is_told(installed: Callable[[str, str, str], None]) -> None:
    installed("greedy", "foreign_package:Mine", MINE)
    with pytest.warns(OffbenchWarning, match=r"solver 'greedy' is the one of greedy\.py: entry point of .* not used"):
        assert find("greedy").__module__ == "offbench.solvers.greedy"
    assert "entry point of" in catalogue()["greedy"].note
    assert "foreign_package" not in sys.modules  # other packages aren't even asked


def test_package_that_exits_when_it_is_imported_ends_nobody(installed: Callable[[str, str, str], None]) -> None:
    installed("foreign", "foreign_package:Mine", "import sys\nsys.exit(0)\n")
    assert catalogue()["foreign"].fault == "can't be loaded: 0"
    assert "greedy" in catalogue()
    with pytest.raises(OffbenchError, match=r"solver 'foreign': entry point of .*: can't be loaded"):
        find("foreign")


def test_warning_is_one_line_of_the_command_line(installed: Callable[[str, str, str], None]) -> None:
    installed("greedy", "foreign_package:Mine", MINE)
    for arguments in (["solvers"], ["solve", "tiny-chains", "--solver", "greedy", "--quiet"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0
        told = [line for line in result.stderr.splitlines() if "entry point" in line]
        assert len(told) == 1
        assert told[0].startswith("offbench: ")


def test_entry_points_name_is_the_one_that_is_shown(installed: Callable[[str, str, str], None]) -> None:
    text = FOREIGN.replace('"foreign"', '"what-it-calls-itself"')
    installed("foreign", "foreign_package:Mine", text)
    installed("again", "foreign_package:Mine", text)
    assert {"foreign", "again"} <= catalogue().keys()
    assert "what-it-calls-itself" not in catalogue()
    for name in ("foreign", "again"):
        solver = find(name)
        assert (solver.name, describe(solver)) == (name, "One line about it.")
        assert solve("tiny-chains", name).solver == name
        assert configure(solver, name, {"tries": "7"}).model_dump()["tries"] == 7


def test_entry_point_of_a_class_that_its_package_has_from_elsewhere(
    installed: Callable[[str, str, str], None], write: Write
) -> None:
    write("foreign_parts.py", MINE)
    installed("foreign", "foreign_package:Mine", "from foreign_parts import Mine\n")
    installed("extended", "extending_package:Mine", EXTENDED)
    for name in ("foreign", "extended"):
        assert catalogue()[name].usable
        assert find(name).name == name
    sys.modules.pop("foreign_parts")


def test_presets_of_an_entry_point_are_found(installed: Callable[[str, str, str], None]) -> None:
    presets = '    presets: ClassVar[dict] = {"foreign-deep": ("It goes deep.", {"deep": True})}\n'
    installed("foreign", "foreign_package:Mine", FOREIGN.replace("    tries", f"{presets}    tries", 1))
    assert catalogue()["foreign-deep"].description == "It goes deep."
    assert find("foreign-deep")().model_dump()["deep"] is True


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("foreign_package:Mine", "import no_such_library\n"),
        ("foreign_package:Yours", MINE),
        ("foreign_package:number", "number = 3\n"),
    ],
    ids=["missing library", "missing class", "no solver"],
)
def test_bad_entry_point_breaks_nothing_until_it_is_used(
    installed: Callable[[str, str, str], None], value: str, text: str
) -> None:
    installed("foreign", value, text)
    found = catalogue()
    assert found["foreign"].missing or "can't be loaded" in found["foreign"].fault
    assert find("greedy").name == "greedy"
    with pytest.raises(OffbenchError) as caught:
        find("foreign")
    in_one_line(caught)


# Parameters


@pytest.fixture
def mine(write: Write) -> type[Solver]:
    """Return a solver with parameters of several types."""
    return find(str(write("mine.py", MINE)))


def test_texts_become_values_of_the_parameters_types(mine: type[Solver]) -> None:
    values = {"tries": "1000", "share": "1e-2", "rule": "best", "deep": "true"}
    assert configure(mine, "mine", values).model_dump() == {"tries": 1000, "share": 0.01, "rule": "best", "deep": True}


def test_parameters_have_their_defaults(mine: type[Solver]) -> None:
    assert configure(mine, "mine", {}).model_dump() == {"tries": 10, "share": 0.5, "rule": "first", "deep": False}


@pytest.mark.parametrize(
    ("parameters", "fragments"),
    [
        ({"trees": 1}, ["no parameter 'trees'", "did you mean 'tries'?", "tries, share, rule, deep"]),
        ({"name": "x"}, ["no parameter 'name'"]),
        ({"tries": "many"}, ["tries", "integer", "many"]),
        ({"tries": "1.5"}, ["tries", "1.5"]),
        ({"tries": 0}, ["tries", "greater than or equal to 1"]),
        ({"tries": 1001}, ["tries", "1000"]),
        ({"share": "nan"}, ["share", "finite"]),
        ({"share": None}, ["share"]),
        ({"rule": "worst"}, ["rule", "'first' or 'best'", "worst"]),
        ({"deep": "maybe"}, ["deep", "maybe"]),
        ({"share": "a\nb"}, ["share"]),
    ],
    ids=str,
)
def test_bad_parameter_is_refused_in_one_line(
    mine: type[Solver], parameters: dict[str, Any], fragments: list[str]
) -> None:
    with pytest.raises(OffbenchError) as caught:
        configure(mine, "mine", parameters)
    message = in_one_line(caught)
    assert message.startswith("solver 'mine'")
    for fragment in fragments:
        assert fragment in message


def test_solver_without_parameters_says_so() -> None:
    with pytest.raises(OffbenchError, match="'greedy' has no parameter 'batch'; it has none"):
        configure(find("greedy"), "greedy", {"batch": 3})


def test_types_are_shown_as_one_would_write_them(mine: type[Solver]) -> None:
    assert [parameter_type(mine, name) for name in ("tries", "share", "deep")] == ["int", "float", "bool"]
    assert parameter_type(mine, "rule") == "first | best"


def test_how_a_module_beside_a_file_is_found_is_told(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").touch()
    for module, told in (("beside_it", f"is found if PYTHONPATH names '{tmp_path}'"), ("not_beside_it", "")):
        (tmp_path / "mine.py").write_text(f"import {module}\n")
        with pytest.raises(OffbenchError) as caught:
            find(str(tmp_path / "mine.py"))
        assert str(caught.value).endswith(told or f"No module named '{module}'")
