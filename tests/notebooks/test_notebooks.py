"""The notebooks of `examples/`: clean as committed, linted like other code, and run from first cell to last."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

HOME = Path(__file__).parents[2]
NOTEBOOKS = sorted((HOME / "examples").glob("*.ipynb"))

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


class ThisPython(AsyncKernelManager):
    """Runs the kernel by this interpreter, whatever kernels the machine has."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, language="python", display_name="this Python")


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def files(path: Path) -> dict[str, str]:
    """Return the notebook's code as a module, and the modules that it writes, by name."""
    own: list[str] = []
    found: dict[str, str] = {}
    for cell in read(path).cells:
        if cell.cell_type == "code":
            writes = re.match(r"%%writefile (\S+)\n(.*)", cell.source, re.DOTALL)
            if writes is None:
                own.append(cell.source)
            elif writes[1].endswith(".py"):
                found[writes[1]] = writes[2] + "\n"
    return {f"{path.stem}.py": "\n\n".join(own) + "\n", **found}


def test_there_are_four() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["first_steps", "learning", "model_of_your_own", "solver_of_your_own"]


@every_notebook
def test_committed_without_outputs(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None), "clear all outputs before you commit"


@every_notebook
def test_links_lead_somewhere(path: Path) -> None:
    text = "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert links
    assert [link for link in links if not (path.parent / link).exists()] == []


@every_notebook
def test_runs_and_shows_figures(path: Path, tmp_path: Path) -> None:
    # Sockets in files, for ports may be taken by others meanwhile; in a folder of a short name, for theirs is limited.
    with tempfile.TemporaryDirectory() as sockets:
        kernel = ThisPython(transport="ipc", connection_file=f"{sockets}/kernel.json")
        notebook = read(path)
        NotebookClient(
            notebook, km=kernel, timeout=300, startup_timeout=300, resources={"metadata": {"path": str(tmp_path)}}
        ).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2


def test_solver_of_your_own_is_twenty_lines() -> None:
    code = files(HOME / "examples" / "solver_of_your_own.ipynb")["plain_annealing.py"]
    body = code[code.index("class ") :].splitlines()
    assert len([line for line in body if line.strip()]) <= 20


def test_linters_pass(tmp_path: Path) -> None:
    """Ruff reads notebooks, but no files that cells write; mypy reads neither."""
    written = {name: code for path in NOTEBOOKS for name, code in files(path).items()}
    for name, code in written.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    by_cells = [str(tmp_path / name) for name in written if Path(name).stem not in {path.stem for path in NOTEBOOKS}]
    assert by_cells
    config = ("--config", str(HOME / "pyproject.toml"))
    for tool in (
        ["ruff", "check", *config, *by_cells],
        ["ruff", "format", "--check", *config, *by_cells],
        ["mypy", "--config-file", config[1], *(str(tmp_path / name) for name in written)],
    ):
        line = [sys.executable, "-m", *tool]
        done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=HOME, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
