"""What the system says against a file: one line that names the file and the reason, exit code 2, nothing lost."""

import errno
import json
import os
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bench.stand_ins import here
from typer.testing import CliRunner, Result

from offbench import load
from offbench.bench import runner
from offbench.bench.row import Row
from offbench.bench.store import Store
from offbench.cli import app

Run = Callable[..., Result]
SUITE = 'name = "mini"\ninstances = ["tiny-chains"]\nsolvers = ["greedy", "client-only"]\nmax_evaluations = 30\n'
LONG = "x" * 300
TABLE = "name,inputs,output_mb,operator,gflop\ninput,,1,,\na,,1,convolution,1\n"
MAKE = ("instance", "make", "--client", "raspberry-pi-5", "--edge", "jetson-orin-nano", "--network")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs offbench in a folder with a suite, its results, and links to nowhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "workers", here)
    Path("mini.toml").write_text(SUITE, encoding="utf-8")
    Path("table.csv").write_text(TABLE, encoding="utf-8")
    Path("dangling").symlink_to("/nonexistent/scratch")
    Path("loop").symlink_to("loop")

    def run(*line: object) -> Result:
        return CliRunner().invoke(app, [str(part) for part in line])

    assert run("bench", "mini.toml", "--quiet").exit_code == 0
    return run


def refused(result: Result, *words: str) -> None:
    """Check that a command ended with one line for the user."""
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.stderr.startswith("offbench: ") and result.stderr.count("\n") == 1, result.stderr
    for word in words:
        assert word in result.stderr


def full(descriptor: int) -> None:
    """Do what a write does where a disk is full: an error that names no file."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


WRITERS = [
    (("solve", "--solver", "greedy", "--quiet", "--output", "p.json", "tiny-chains"), "p.json"),
    (("bench", "mini.toml", "--quiet", "--output", "more"), "more/suite.toml"),
    (("instance", "make", "alexnet", "--output", "i.json"), "i.json"),
    (("table", "results/mini", "--format", "markdown", "--output", "t.md"), "t.md"),
    (("export", "results/mini", "--output", "e.csv"), "e.csv"),
    (("report", "results/mini"), "results/mini/report.html"),
    (("pareto", "tiny-chains", "--quiet", "--solver", "greedy", "--time-limit", "2", "--output", "front"), "front/"),
    (("references", "update", "tiny-chains", "--solver", "greedy", "--output", "r.json", "--quiet"), "r.json"),
    (("network", "import", "table.csv", "--output", "n.json"), "n.json"),
    ((*MAKE, "table.csv", "--output", "own.json"), "own.json"),
    ((*MAKE, "table.csv", "--ranges", "ranges.json"), "ranges.json"),
    (("train", "tiny-graphs", "--solver", "ddpqn", "--steps", "50", "--quiet", "--output", "policy"), "policy"),
]


@pytest.mark.parametrize(("line", "file"), WRITERS, ids=lambda value: value[0] if isinstance(value, tuple) else "")
def test_full_disk(line: tuple[str, ...], file: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offbench.files.atomic.os.fsync", full)
    result = run(*line)
    # Before the error stands what an importer has to say.
    result.stderr_bytes = b"".join(
        result.stderr_bytes.splitlines(True)[-1:] if "--network" in line else [result.stderr_bytes]
    )
    refused(result, file, "No space left on device")
    assert not list(Path().rglob(".*.tmp"))


def test_suite_goes_on_when_there_is_room_again(run: Run) -> None:
    put, rows = Store.put, []

    def full_at_the_second(self: Store, row: Row) -> None:
        rows.append(row)
        with pytest.MonkeyPatch.context() as patch:
            if len(rows) == 2:
                patch.setattr("offbench.files.atomic.os.fsync", full)
            put(self, row)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Store, "put", full_at_the_second)
        refused(run("bench", "mini.toml", "--quiet", "--output", "more"), "more/runs/", "No space left on device")
    store = Store(Path("more"))
    assert (len(store.rows()), store.claimed(), store.damaged) == (1, set(), [])
    assert run("bench", "mini.toml", "--quiet", "--output", "more").exit_code == 0
    assert len(store.rows()) == 2


def test_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """In processes, as under `ulimit -f`: a bench that can't write its rows, and then can."""
    (tmp_path / "mini.toml").write_text(SUITE, encoding="utf-8")
    line = [sys.executable, "-m", "offbench", "bench", "mini.toml", "--quiet", "--json"]
    done = subprocess.run(
        line, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1500, resource.RLIM_INFINITY)),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert "can't be written: File too large" in done.stderr
    then = subprocess.run(line, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert (then.returncode, then.stderr) == (0, "")
    assert len(Store(tmp_path / "results" / "mini").rows()) == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("bench", "mini.toml", "--output", "dangling"), ("dangling is a link to /nonexistent/scratch",)),
        (("bench", "mini.toml", "--output", "dangling/more"), ("dangling/more: ", "a link to /nonexistent/scratch")),
        (("bench", "mini.toml", "--output", "loop"), ("loop: can't be written: loop is a link to loop",)),
        (("bench", "mini.toml", "--output", LONG), (LONG, "File name too long")),
        (("reproduce", "fig9", "--output", "dangling"), ("dangling is a link to /nonexistent/scratch",)),
        (("pareto", "tiny-chains", "--output", "dangling"), ("dangling is a link to /nonexistent/scratch",)),
        (("solve", "--solver", "greedy", "--output", "dangling", "alexnet"), ("it is a link to /nonexistent/scratch",)),
        (("solve", "--solver", "greedy", "--output", "loop", "alexnet"), ("loop: ", "it is a link to loop")),
        (("solve", "--solver", "greedy", "--output", LONG, "alexnet"), (LONG, "File name too long")),
        (("solve", "--solver", "greedy", "--output", "results", "alexnet"), ("results: ", "it is a folder")),
        (("instance", "make", "alexnet", "--output", "mini.toml/i.json"), ("mini.toml is no folder",)),
        (("report", "results/mini", "--figures", "mini.toml"), ("mini.toml: can't be written: ", "is no folder")),
        (("bench", LONG), ("File name too long",)),
        (("status", LONG), ("File name too long",)),
        (("bench", "."), (".: no such file, and no suite of that name",)),
    ],
    ids=lambda value: " ".join(map(str, value))[:50],
)  # fmt: skip
def test_path_that_cannot_be(line: tuple[str, ...], words: tuple[str, ...], run: Run) -> None:
    refused(run(*line), *words)


READERS = [
    ("status", "results/mini"),
    ("table", "results/mini"),
    ("table", "results/mini", "--json"),
    ("export", "results/mini", "--output", "e.csv"),
    ("report", "results/mini", "--output", "r.html"),
    ("bench", "mini.toml", "--dry-run"),
]


@pytest.mark.parametrize("line", READERS, ids=" ".join)
def test_reading_results_changes_nothing_in_them(line: tuple[str, ...], run: Run) -> None:
    """As where they can only be read: root may write to those, so what counts is what is there afterwards."""
    folder = Path("results/mini")
    bad, *_ = (folder / "runs").iterdir()
    bad.write_text("{", encoding="utf-8")
    os.mkfifo(folder / "runs" / "pipe.json")
    (folder / "runs" / "device.json").symlink_to("/dev/zero")
    (folder / "runs" / "folder.json").mkdir()
    (folder / "plans" / "000000-x.json").write_text("[", encoding="utf-8")
    before = listing(folder)
    result = run(*line)
    assert result.exit_code == 0, result.output
    assert listing(folder) == before
    if "--json" not in line:
        for name, why in (
            (bad.name, "Invalid JSON"), ("pipe.json", "it is a pipe (FIFO)"), ("device.json", "it is a device"),
            ("folder.json", "it is a folder"), ("000000-x.json", "Invalid JSON"),
        ):  # fmt: skip
            assert [why in told for told in result.stderr.splitlines() if f"{name}: damaged" in told] == [True]


def test_what_is_no_file_is_no_run_in_flight(run: Run) -> None:
    claims = Path("results/mini/claims")
    claims.mkdir(exist_ok=True)
    os.mkfifo(claims / "pipe")
    (claims / "device").symlink_to("/dev/zero")
    (claims / "folder").mkdir()
    result = run("status", "results/mini")
    assert "2 of 2 runs done, 0 in flight" in result.stdout
    assert sum("damaged (it is a" in line for line in result.stderr.splitlines()) == 3


def listing(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Return all that a folder has, its size, and when it was changed."""
    found = {path: path.lstat() for path in (folder, *folder.rglob("*"))}
    return {path: (each.st_size, each.st_mtime_ns, each.st_ctime_ns) for path, each in found.items()}


def test_bench_sets_aside_what_is_no_file(run: Run) -> None:
    folder = Path("results/mini")
    for row in sorted((folder / "runs").iterdir()):
        row.unlink()
        os.mkfifo(row)
    kept, *_ = (folder / "instances").iterdir()
    kept.unlink()
    kept.mkdir()
    for place in ("claims/pipe", "plan.json"):
        os.mkfifo(folder / place)
    (folder / "suite.toml").unlink()
    os.mkfifo(folder / "suite.toml")
    assert "holds runs of no suite" in run("bench", "mini.toml").stderr
    (folder / "suite.toml").unlink()
    (folder / "suite.toml").symlink_to("/dev/null")
    assert "holds runs of no suite" in run("bench", "mini.toml").stderr
    (folder / "suite.toml").unlink()
    (folder / "suite.toml").write_text(SUITE, encoding="utf-8")
    again = run("bench", "mini.toml")
    assert again.exit_code == 0 and "2 runs made" in again.stdout, again.output
    assert again.stderr.count("set aside as") == 5
    assert len(list((folder / "damaged").iterdir())) == 5
    quiet = run("bench", "mini.toml")
    assert quiet.exit_code == 0 and "2 were done before" in quiet.stdout and quiet.stderr == ""
    assert run("report", "results/mini", "--output", "r.html").exit_code == 0


def test_what_cannot_be_set_aside_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    row = next(Path("results/mini/runs").iterdir())
    row.write_text("{", encoding="utf-8")

    def read_only(self: Path, target: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "rename", read_only)
    result = run("bench", "mini.toml")
    assert f"{row}: damaged" in result.stderr and "can't be set aside: Read-only file system" in result.stderr


def test_folder_that_is_deleted_meanwhile_is_told_and_not_made_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Store.put

    def deleted_at_the_first(self: Store, row: Row) -> None:
        if self.folder.exists():
            shutil.rmtree(self.folder)
        put(self, row)

    monkeypatch.setattr(Store, "put", deleted_at_the_first)
    refused(run("bench", "mini.toml", "--output", "gone", "--quiet"), "gone: was deleted meanwhile")
    assert not Path("gone").exists()

    def replaced(self: Store, row: Row) -> None:
        Path("other").mkdir(exist_ok=True)  # before, or it may get the number of the one that is deleted
        shutil.rmtree(self.folder)
        Path("other").rename(self.folder)
        put(self, row)

    monkeypatch.setattr(Store, "put", replaced)
    refused(run("bench", "mini.toml", "--output", "gone", "--quiet"), "gone: was deleted meanwhile")
    assert not list(Path("gone").iterdir())


@pytest.mark.parametrize("line", [("solvers",), ("schema",), ("solve", "--solver", "greedy", "alexnet")])
def test_output_that_cannot_be_written(line: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "offbench", *line], stdout=full, stderr=subprocess.PIPE, text=True, timeout=120,
            check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "offbench: the output: No space left on device\n")


READERS = [
    ("solve", "--solver", "greedy", "IT"),
    ("solve", "--solver", "spt", "--placement", "IT", "alexnet"),
    ("solve", "--policy", "IT", "alexnet"),
    ("train", "IT", "--solver", "ddpqn", "--output", "policy"),
    ("evaluate", "IT", "p.json"),
    ("evaluate", "alexnet", "IT"),
    ("bound", "IT"),
    ("show", "alexnet", "IT"),
    ("show", "IT", "p.json"),
    ("pareto", "IT", "--output", "front"),
    ("instance", "make", "IT"),
    ("instance", "show", "IT"),
    ("references", "check", "--file", "IT"),
    ("references", "update", "alexnet", "--placement", "IT", "--by", "me", "--output", "r.json"),
    ("bench", "IT"),
    ("status", "IT"),
    ("table", "IT"),
    ("report", "IT"),
    ("export", "IT", "--output", "e.csv"),
    ("network", "import", "IT"),
    ("network", "import", "IT", "--importer", "onnx"),
    ("network", "import", "table.csv", "--profile", "pi=IT"),
    ("network", "show", "IT"),
    (*MAKE, "IT"),
    (*MAKE, "table.csv", "--catalogue", "IT"),
    ("advise", "IT"),
    ("advise", "alexnet", "--ranges", "IT"),
    ("profile", "IT"),
    ("catalogue", "--catalogue", "IT"),
]


def hostile(path: Path, kind: str) -> None:
    """Make what is no file that anybody would read."""
    contents = {
        "latin": "na\xefve".encode("latin-1"), "empty": b"", "deep": b"[" * 100_000, "objects": b'{"a":' * 100_000,
        "digits": b'{"format": ' + b"9" * 10**6 + b"}", "half": rb'{"name": "\ud800"}', "list": b"[1, 2]",
        "twins": b"{" + b",".join(b'"k%d":1' % min(i, 199_998) for i in range(200_000)) + b"}",
        "values": b"[" + b"[]," * 6_000_000 + b"[]]", "null byte": b"\0" * 99,
    }  # fmt: skip
    if kind in contents:
        path.write_bytes(contents[kind])
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("nowhere")
    elif kind == "giant":
        path.touch()
        os.truncate(path, 3 * 10**9)  # of holes
    elif kind == "zeros":
        try:
            os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("only root makes devices")
    else:
        assert kind in ("nothing", "long")


KINDS = ["latin", "empty", "deep", "objects", "digits", "half", "list", "twins", "values", "null byte", "folder"]
KINDS += ["link", "giant", "zeros", "nothing", "long"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_read_is_told_in_one_line(kind: str, run: Run) -> None:
    assert run("solve", "--solver", "greedy", "--quiet", "--output", "p.json", "alexnet").exit_code == 0
    for ending in ("json", "toml"):
        name = LONG if kind == "long" else "it"
        hostile(file := Path(f"{name}.{ending}"), kind)
        for line in READERS:
            if ending == "toml" and line[0] != "bench" and "--catalogue" not in line:
                continue
            if kind == "empty" and "--catalogue" in line:
                continue  # it adds nothing
            result = run(*(part.replace("IT", str(file)) for part in line))
            refused(result, f"{name}.{ending}")
            assert result.stdout == "", line
            if line[0] == "pareto" and Path("front").exists():
                Path("front").rmdir()


def test_numbers_of_any_size_are_told_or_taken(run: Run) -> None:
    given = load("alexnet").model_dump(mode="json", exclude_none=True)
    for place, name in ((("servers", 0), "compute_ghz"), (("tasks", 0), "input_mb"), (("links", 0), "price_per_gb")):
        for number in ("1e400", "1" + "0" * 400, "-1e400", "1e308"):
            facts = json.loads(json.dumps(given))
            facts[place[0]][place[1]][name] = "NUMBER"
            Path("it.json").write_text(json.dumps(facts).replace('"NUMBER"', number), encoding="utf-8")
            result = run("instance", "check", "it.json")
            assert result.exit_code in (0, 2), (name, number, result.exception)
            assert (result.stdout + result.stderr).count("\n") == 1


def test_suite_of_a_million_million_seeds_is_refused(run: Run) -> None:
    Path("mini.toml").write_text(SUITE + "seeds = 1000000000000", encoding="utf-8")
    refused(run("bench", "mini.toml", "--dry-run"), "seeds: must be at most 100,000")
    Path("mini.toml").write_text(SUITE + f"seeds = {'9' * 10_000}", encoding="utf-8")
    refused(run("bench", "mini.toml", "--dry-run"), "mini.toml: not valid TOML")
    Path("mini.toml").write_text(SUITE + f"seeds = {'[' * 100_000}", encoding="utf-8")
    refused(run("bench", "mini.toml", "--dry-run"), "mini.toml: not valid TOML")


@pytest.mark.parametrize(
    ("line", "left"),
    [
        (("solve", "--solver", "greedy", "--output", "p.json", "tiny-chains"), "greedy on tiny-chains"),
        (
            ("pareto", "tiny-chains", "--quiet", "--solver", "greedy", "--time-limit", "2", "--output", "front"),
            "on the",
        ),
        (("references", "update", "tiny-chains", "--solver", "greedy", "--output", "r.json", "--quiet"), '"instances"'),
        (
            ("advise", "tiny-chains", "--time-limit", "1", "--draws", "1", "--quiet", "--output", "a.html"),
            "everything on the device",
        ),
    ],
    ids=["solve", "pareto", "references", "advise"],
)
def test_what_cannot_be_written_is_printed(
    line: tuple[str, ...], left: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offbench.files.atomic.os.fsync", full)
    result = run(*line)
    assert result.exit_code == 2
    assert left in result.stdout


def test_dry_run_runs_no_solver(run: Run) -> None:
    Path("mine.py").write_text("from pathlib import Path\nPath('ran').touch()\n", encoding="utf-8")
    Path("mini.toml").write_text(
        'name = "m"\ninstances = ["tiny-chains"]\nsolvers = ["mine.py", {name = "greedy", parameters = {no = 1}}]\n',
        encoding="utf-8",
    )
    result = run("bench", "mini.toml", "--dry-run")
    assert (result.exit_code, Path("ran").exists()) == (0, False)
    assert "m: 2 runs" in result.stdout
    assert "no parameters are checked" in result.stderr
    assert run("bench", "mini.toml").exit_code == 2
    assert Path("ran").exists()


CLOSED = "import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, '-m', 'offbench', *sys.argv[1:]])"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (("solvers",), "offbench: the output: Bad file descriptor\n"),
        (("solve", "--solver", "greedy", "alexnet"), "offbench: the output: Bad file descriptor\n"),
        (("solve", "--solver", "greedy", "--quiet", "--output", "p.json", "alexnet"), ""),
    ],
    ids=["solvers", "solve", "nothing to print"],
)
def test_output_that_is_closed(line: tuple[str, ...], told: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLOSED, *line], stderr=subprocess.PIPE, text=True, timeout=120, check=False,
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2 if told else 0, told)
    if not told:  # and the file isn't what was printed
        assert list(json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))) == ["servers", "order", "layers"]


def test_file_of_a_solver_that_exits_is_told(run: Run) -> None:
    Path("exits.py").write_text("import sys\nsys.exit(0)\n", encoding="utf-8")
    result = run("solve", "--solver", "exits.py", "tiny-chains")
    assert "can't be imported: it calls sys.exit(0)" in result.stderr
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
