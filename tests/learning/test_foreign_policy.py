"""A policy from a stranger: nothing of it is run, nothing outside its folder is read, nothing takes what it isn't."""

import json
import os
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from trainable import __file__ as mine

from offbench import OffbenchError, load, solve
from offbench.bench.plan import plan
from offbench.bench.suite import Suite
from offbench.learning.checkpoint import FILE, Checkpoint
from offbench.learning.train import train

EVIL = """
from pathlib import Path
from trainable import Frequencies
Path({ran!r}).touch()
class Evil(Frequencies):
    pass
"""
QUICK = {"batch": 32, "memory": 64, "episodes": 8}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return folders with policies."""
    folders = {}
    for name, parameters in (("ddpqn", QUICK), ("ddpqn-plus", {"episodes": 8, "memory": 128})):
        folders[name] = tmp_path_factory.mktemp(name) / "policy"
        train([load("tiny-graphs")], name, folders[name], parameters=parameters, steps=60)
    return folders


@pytest.fixture(params=["ddpqn", "ddpqn-plus"])
def policy(request: pytest.FixtureRequest, trained: dict[str, Path], tmp_path: Path) -> Path:
    """Return a copy of a folder with a policy, for the worse."""
    return Path(shutil.copytree(trained[request.param], tmp_path / "policy"))


def changed(folder: Path, **facts: Any) -> None:
    said = json.loads((folder / FILE).read_text(encoding="utf-8"))
    (folder / FILE).write_text(json.dumps(said | facts), encoding="utf-8")


def refused(folder: Path, *words: str) -> None:
    """Check that a run refuses a policy in one line."""
    with pytest.raises(OffbenchError) as caught:
        solve("tiny-graphs", policy=folder)
    for word in words:
        assert word in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def refused_by_a_suite(folder: Path) -> None:
    suite = Suite.model_validate({"name": "x", "instances": ["tiny-graphs"], "solvers": [{"policy": str(folder)}]})
    with pytest.raises(OffbenchError):
        plan(suite, Path())


@pytest.mark.parametrize(
    "written", ["evil.py", "evil.py:Evil", "./evil.py", "{folder}/evil.py", "../work/evil.py:Evil"]
)
def test_file_that_only_a_policy_names_is_not_run(
    written: str, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home := tmp_path / "work").mkdir()
    monkeypatch.chdir(home)
    for folder in (home, policy):
        (folder / "evil.py").write_text(EVIL.format(ran=str(tmp_path / "ran")), encoding="utf-8")
    changed(policy, solver=written.format(folder=policy), parameters={})
    refused(policy, "is a file", "installed solver")
    refused_by_a_suite(policy)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(OffbenchError):  # the file is run, as the user says, and can't read what another has written
        solve("tiny-graphs", "evil.py", policy=policy)
    assert (tmp_path / "ran").exists()


def test_solver_is_named_only_where_it_is_a_file(policy: Path) -> None:
    for named in ("ddpqn", "greedy", mine):
        with pytest.raises(OffbenchError, match="name none"):
            solve("tiny-graphs", named, policy=policy)


@pytest.mark.parametrize(
    "name", ["../other.bin", "/etc/passwd", "", ".", "..", "sub/policy.bin", "a\0b", ".hidden", "-"]
)
def test_file_of_another_folder_is_not_read(name: str, policy: Path) -> None:
    said = Checkpoint.read(policy)
    for place in (policy.parent / "other.bin", policy / ".hidden", policy / "-"):
        place.write_bytes((policy / said.policy).read_bytes())
    (policy / "sub").mkdir()
    (policy / "sub" / "policy.bin").write_bytes((policy / said.policy).read_bytes())
    changed(policy, policy=name)
    refused(policy, f"{FILE}: policy: ")
    refused_by_a_suite(policy)


def as_link(path: Path) -> None:
    path.rename(path.with_name("aside"))
    path.symlink_to("aside")


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_device(path: Path) -> None:
    path.unlink()
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))  # endless zeros
    except PermissionError:
        pytest.skip("only root makes devices")


def as_giant(path: Path) -> None:
    os.truncate(path, 10**9)  # of holes


@pytest.mark.parametrize("turned", [as_link, as_pipe, as_folder, as_device, as_giant])
@pytest.mark.parametrize("which", ["policy", "checkpoint"])
def test_what_is_no_file_of_some_size_is_not_read(turned: Callable[[Path], None], which: str, policy: Path) -> None:
    file = FILE if which == "checkpoint" else Checkpoint.read(policy).policy
    turned(policy / file)
    refused(policy, f"{file}: can't be read: ")
    refused_by_a_suite(policy)


def rewritten(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = folder / Checkpoint.read(folder).policy
    kept = torch.load(file, weights_only=True)
    change(kept)
    torch.save(kept, file)


def with_weights(kept: dict[str, Any], make: Callable[[torch.Tensor], torch.Tensor]) -> None:
    if isinstance(kept["weights"], torch.Tensor):
        kept["weights"] = make(kept["weights"])
    else:
        kept["weights"]["head.bias"] = make(kept["weights"]["head.bias"])


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: with_weights(kept, lambda weights: weights[:-1].clone()),
        lambda kept: with_weights(kept, lambda weights: weights.double()),
        lambda kept: with_weights(kept, lambda weights: weights.fill_(torch.nan)),
        lambda kept: with_weights(kept, lambda weights: torch.zeros(1).expand(10**12)),
        lambda kept: with_weights(kept, lambda weights: weights.to_sparse()),
        lambda kept: with_weights(kept, lambda weights: torch.empty(10**12, device="meta")),
        lambda kept: kept.update(shape=None),
        lambda kept: kept.clear(),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_refused(change: Callable[[dict[str, Any]], object], policy: Path) -> None:
    rewritten(policy, change)
    refused(policy, "can't be read: ")


@pytest.mark.parametrize(
    "shape", [{"observation": 10**9, "hidden": [10**9, 10**9]}, {"dueling": 2}, {"actions": 10**12}]
)
def test_network_is_none_of_gigabytes(shape: dict[str, Any], trained: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained["ddpqn"], tmp_path / "policy"))
    rewritten(folder, lambda kept: kept["shape"].update(shape))
    refused(folder, "can't be read: ")
    rewritten(folder, lambda kept: kept.update(observation={"layout": "paper", "longest": 10**9}))
    refused(folder, "can't be read: ")


def test_archive_that_grows_is_refused(policy: Path) -> None:
    file = policy / Checkpoint.read(policy).policy
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(10**8))
    assert file.stat().st_size < 10**6
    refused(policy, "compressed")


def test_older_forms_are_refused(policy: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    file = policy / Checkpoint.read(policy).policy
    for content in ({"weights": Evil()}, {"weights": torch.zeros(3)}):
        torch.save(content, file, _use_new_zipfile_serialization=False)
        refused(policy, "can't be read: ")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "diary", [{}, {"latest": 3, "curves": {}}, {"latest": {}, "curves": {"loss": {"points": [1]}}}]
)
def test_diary_that_is_none_is_told(diary: Any, trained: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained["ddpqn"], tmp_path / "policy"))
    changed(folder, diary=diary)
    with pytest.raises(OffbenchError, match=r"checkpoint.json: diary: "):
        train([load("tiny-graphs")], "ddpqn", folder, parameters=QUICK, steps=100, resume=True)
