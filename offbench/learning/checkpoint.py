"""A training on disk: `offbench train` writes it and goes on from it, `offbench solve --policy` reads the policy.

A folder with `checkpoint.json`, which says what it is and names two files of the solver's own: the policy, and
everything that it takes to go on. The files are written whole, `checkpoint.json` last; so whenever the process
dies, the folder holds the last checkpoint or the one before.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

from pydantic import JsonValue, NonNegativeFloat, NonNegativeInt

from offbench.errors import OffbenchError
from offbench.files.atomic import whole, write_whole
from offbench.files.json import check, layout, read_json
from offbench.learning.trainable import Policy, Trainable, Training
from offbench.model.instance import Fact, Instance, Name
from offbench.model.problem import P1
from offbench.search.metrics import Diary
from offbench.search.parameters import configure
from offbench.search.registry import find

Content = TypeVar("Content")

FILE = "checkpoint.json"
FORMAT: Literal["offbench-checkpoint/1"] = "offbench-checkpoint/1"


class Seen(Fact):
    """An instance that was learnt from."""

    name: str
    hash: str
    """of the instance (`Instance.hash`)"""


class Checkpoint(Fact):
    """What a training is, and how far it has come."""

    format: Literal["offbench-checkpoint/1"]
    solver: Name
    parameters: dict[str, JsonValue]
    seed: NonNegativeInt
    instances: tuple[Seen, ...]
    steps: NonNegativeInt
    """decisions made so far"""
    seconds: NonNegativeFloat
    """of training so far"""
    policy: str
    """file of the policy"""
    training: str
    """file of everything else"""
    diary: dict[str, JsonValue]
    """curves so far (`Diary.state`)"""
    versions: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> "Checkpoint":
        """Read the one in a folder.

        Raises
        ------
        OffbenchError
            If there is none, or it can't be read.
        """
        if not (folder / FILE).is_file():
            raise OffbenchError(f"{folder}: holds no checkpoint (there is no {FILE}); `offbench train` writes one")
        return check(cls, read_json(folder / FILE), str(folder / FILE))

    def made(self) -> Trainable:
        """Return the solver with its parameters.

        Raises
        ------
        OffbenchError
            If it is not installed, or has changed too much.
        """
        return trainable(self.solver, self.parameters)

    def open_policy(self, folder: Path, solver: Trainable) -> Policy:
        """Load the policy."""
        return _open(folder / self.policy, solver.load_policy)

    def open_training(self, folder: Path, training: Training) -> None:
        """Bring a training that has just begun to where this one was."""
        _open(folder / self.training, training.load)

    def met(self, instance: Instance) -> bool:
        """Tell whether this instance was learnt from, whatever its name."""
        return any(seen.hash == instance.hash for seen in self.instances)


def save(
    folder: Path, training: Training, solver: Trainable, name: str, seed: int, problems: Sequence[P1],
    seconds: float, diary: Diary, versions: dict[str, str],
) -> Checkpoint:  # fmt: skip
    """Write a checkpoint over the last one.

    Raises
    ------
    OffbenchError
        If it can't be written.
    """
    steps = training.steps
    checkpoint = Checkpoint(
        format=FORMAT,
        solver=name,
        parameters=solver.model_dump(mode="json"),
        seed=seed,
        instances=tuple(Seen(name=each.instance.name, hash=each.instance.hash) for each in problems),
        steps=steps,
        seconds=seconds,
        policy=f"policy-{steps}.bin",
        training=f"training-{steps}.bin",
        diary=diary.state(),
        versions=versions,
    )
    try:
        with whole(folder / checkpoint.policy) as file:
            training.policy.save(file)
        with whole(folder / checkpoint.training) as file:
            training.save(file)
        write_whole(folder / FILE, layout(checkpoint.model_dump(mode="json")) + "\n")
        # What came before, and what a write that was killed has left.
        for pattern in ("*policy-*.bin*", "*training-*.bin*", f".{FILE}-*"):
            for old in folder.glob(pattern):
                if old.name not in (checkpoint.policy, checkpoint.training):
                    old.unlink()
    except OSError as error:
        raise OffbenchError(f"{folder}: the checkpoint can't be written: {error.strerror}") from None
    return checkpoint


def trainable(name: str, parameters: dict[str, Any]) -> Trainable:
    """Return a solver that can be trained.

    Raises
    ------
    OffbenchError
        If there is none of this name, it learns nothing that it could keep, or the parameters are wrong.
    """
    kind = find(name)
    if not issubclass(kind, Trainable):
        raise OffbenchError(f"solver '{name}' can't be trained: it learns nothing that another instance could use")
    solver = configure(kind, name, parameters)
    assert isinstance(solver, Trainable)
    return solver


def _open(path: Path, read: Callable[[BinaryIO], Content]) -> Content:
    try:
        with path.open("rb") as file:
            return read(file)
    except OSError as error:
        raise OffbenchError(f"{path}: can't be read: {error.strerror}") from None
    except OffbenchError as error:
        raise OffbenchError(f"{path}: {error}") from None
    except Exception as error:  # whatever a library raises for a file that isn't its own
        raise OffbenchError(f"{path}: can't be read: {type(error).__name__}: {error}") from None
