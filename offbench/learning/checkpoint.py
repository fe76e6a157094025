"""A training on disk: `offbench train` writes it and goes on from it, `offbench solve --policy` reads the policy.

A folder with `checkpoint.json`, which says what it is and names two files of the solver's own: the policy, and
everything that it takes to go on. The files are written whole, `checkpoint.json` last; so whenever the process
dies, the folder holds the last checkpoint or the one before.

Whoever is handed such a folder need not trust who made it. So it names a solver that is installed, not a file with one,
and its own files alone, which no solver reads in a way that runs code (`Trainable`).
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, TypeVar

from pydantic import Field, JsonValue, NonNegativeFloat, StringConstraints

from offbench.errors import OffbenchError
from offbench.files.atomic import whole, write_whole
from offbench.files.json import check, layout, parse_json
from offbench.files.text import open_own, text_of
from offbench.learning.trainable import Policy, Trainable, Training
from offbench.model.instance import Fact, Instance, Name
from offbench.model.problem import P1
from offbench.search.metrics import Diary
from offbench.search.parameters import configure
from offbench.search.registry import find, is_path

Content = TypeVar("Content")

FILE = "checkpoint.json"
FORMAT: Literal["offbench-checkpoint/1"] = "offbench-checkpoint/1"

# What a folder's files may have: a memory of transitions can be large, the rest is small.
_MOST_MB, _MOST_MB_OF_POLICY, _MOST_MB_OF_TRAINING = 64, 256, 16_384

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200)]
Count = Annotated[int, Field(ge=0, lt=2**63)]


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
    seed: Count
    instances: tuple[Seen, ...]
    steps: Count
    """decisions made so far"""
    seconds: NonNegativeFloat
    """of training so far"""
    policy: FileName
    """file of the policy, in the same folder"""
    training: FileName
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
        path = folder / FILE
        try:
            there = path.exists()
        except OSError as error:  # a name that is too long
            raise OffbenchError(f"{folder}: can't be read: {error.strerror}") from None
        if not there:
            raise OffbenchError(f"{folder}: holds no checkpoint (there is no {FILE}); `offbench train` writes one")
        return check(cls, parse_json(_open(folder, FILE, _MOST_MB, _text), str(path)), str(path))

    @classmethod
    def of_policy(cls, folder: Path, own: str | None = None) -> "Checkpoint":
        """Read the one in a folder whose policy is to be used.

        Parameters
        ----------
        folder
            Where it is.
        own
            The file with the solver, where the user, and not only the folder, names one.

        Raises
        ------
        OffbenchError
            As `read`; or if the solver is a file that the user doesn't name, or names though it is none.
        """
        named = OffbenchError("policy: its solver and parameters are those that it was trained with; name none")
        if own is not None and not is_path(own):
            raise named
        found = cls.read(folder)
        if is_path(found.solver) and own is None:
            raise OffbenchError(
                f"{folder / FILE}: solver: '{found.solver}' is a file, and no file is run that a policy alone names; "
                "it must be an installed solver, or, for `offbench solve`, named with --solver, too, if you trust it"
            )
        if own is not None and not is_path(found.solver):
            raise named
        return found if own is None else found.model_copy(update={"solver": own})

    def made(self) -> Trainable:
        """Return the solver with its parameters, without those that it no longer has.

        Raises
        ------
        OffbenchError
            If it is not installed, or has changed too much.
        """
        known = find(self.solver).model_fields
        return trainable(self.solver, {name: value for name, value in self.parameters.items() if name in known})

    def digest(self, folder: Path) -> str:
        """Return a hash of the policy's file."""
        return _open(folder, self.policy, _MOST_MB_OF_POLICY, lambda file: sha256(file.read()).hexdigest())

    def open_policy(self, folder: Path, solver: Trainable) -> Policy:
        """Load the policy."""
        return _open(folder, self.policy, _MOST_MB_OF_POLICY, solver.load_policy)

    def open_training(self, folder: Path, training: Training) -> None:
        """Bring a training that has just begun to where this one was."""
        _open(folder, self.training, _MOST_MB_OF_TRAINING, training.load)

    def open_diary(self, folder: Path, diary: Diary) -> None:
        """Bring a diary to where this training's was."""
        try:
            diary.load(self.diary)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise OffbenchError(f"{folder / FILE}: diary: {type(error).__name__}: {error}") from None

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


def _text(file: BinaryIO) -> str:
    return text_of(file.read())


def _open(folder: Path, name: str, most_mb: float, read: Callable[[BinaryIO], Content]) -> Content:
    path = folder / name
    try:
        with open_own(folder, name, most_mb) as file:
            return read(file)
    except OSError as error:
        raise OffbenchError(f"{path}: can't be read: {error.strerror}") from None
    except OffbenchError as error:
        raise OffbenchError(f"{path}: {error}") from None
    except Exception as error:  # whatever a library raises for a file that isn't its own
        raise OffbenchError(f"{path}: can't be read: {type(error).__name__}: {error}") from None
