"""One training: from instances and a solver's name to a policy on disk."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from offbench.errors import OffbenchError
from offbench.evaluation.evaluator import warm_up
from offbench.learning.checkpoint import FILE, Checkpoint, save, trainable
from offbench.learning.trainable import Trainable, Training
from offbench.model.instance import Instance
from offbench.model.problem import P1
from offbench.search.budget import Clock
from offbench.search.metrics import Diary
from offbench.versions import versions

DEFAULT_TIME_LIMIT_S = 60.0


@dataclass
class Watched:
    """A training as it goes, for whoever watches it."""

    training: Training
    diary: Diary
    clock: Clock
    before_s: float
    """seconds of training before this process"""
    steps: int | None
    time_limit: float | None
    stop: bool = False
    """set it to end the training after this moment's learning, with a checkpoint"""

    @property
    def seconds(self) -> float:
        """Of training so far."""
        return self.before_s + self.clock.seconds

    @property
    def progress(self) -> float:
        """Share of the budget used."""
        of_steps = 0.0 if self.steps is None else self.training.steps / self.steps
        return max(of_steps, 0.0 if self.time_limit is None else self.seconds / self.time_limit)


def train(
    instances: Sequence[Instance],
    solver: str,
    folder: Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
    steps: int | None = None,
    time_limit: float | None = None,
    resume: bool = False,
    save_every_s: float = 30.0,
    on_start: Callable[[Watched], None] | None = None,
) -> Checkpoint:
    """Train a solver and leave its policy in a folder.

    Parameters
    ----------
    instances
        What it learns from.
    solver
        The name of a solver that can be trained.
    folder
        Where checkpoints go; made if it isn't there.
    parameters, seed
        As for `offbench.solve`.
    steps
        Subtasks to place. A training that is interrupted and resumed ends exactly where another ends.
    time_limit
        Seconds of training, those before it was resumed included; 60 if neither this nor *steps* is given.
    resume
        Go on from the folder's checkpoint; everything else must be as it was.
    save_every_s
        Seconds between checkpoints.
    on_start
        Called before it starts, to watch it.

    Raises
    ------
    OffbenchError
        If something is wrong with the instances, the solver, the budget or the folder.
    """
    for what, value in (("steps", steps), ("time limit", time_limit), ("save every", save_every_s)):
        if value is not None and not 0 < value < np.inf:
            raise OffbenchError(f"{what}: must be a positive number, not {value}")
    if seed < 0:
        raise OffbenchError(f"seed: must be 0 or more, not {seed}")
    if steps is None and time_limit is None:
        time_limit = DEFAULT_TIME_LIMIT_S
    last = Checkpoint.read(folder) if resume else None
    if last is None and (folder / FILE).exists():
        raise OffbenchError(f"{folder}: holds a checkpoint already; --resume goes on with it, or name another folder")
    warm_up()

    clock = Clock()
    made = trainable(solver, dict(parameters or {}))
    with clock.standing():
        made.warm_up()
    problems = [P1(instance) for instance in instances]
    diary = Diary()
    training = made.training(problems, np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0]), diary)
    before_s = 0.0
    if last is not None:
        _compare(folder, last, solver, made, seed, problems)
        last.open_training(folder, training)
        last.open_diary(folder, diary)
        before_s = last.seconds
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OffbenchError(f"{folder}: can't be made: {error.strerror}") from None
    now = Watched(training, diary, clock, before_s, steps, time_limit)
    if on_start is not None:
        on_start(now)

    def keep() -> Checkpoint:
        return save(folder, training, made, solver, seed, problems, now.seconds, diary, versions())

    saved_s = clock.seconds
    while now.progress < 1 and not now.stop:
        training.learn()
        if clock.seconds - saved_s >= save_every_s:
            keep()
            saved_s = clock.seconds
    return keep()


def _compare(folder: Path, last: Checkpoint, solver: str, made: Trainable, seed: int, problems: Sequence[P1]) -> None:
    """Refuse to go on with something else.

    A parameter that is newer than the checkpoint had its default there. One that is gone since is no matter.
    """
    newer = {
        name: field.get_default(call_default_factory=True)
        for name, field in type(made).model_fields.items()
        if name not in last.parameters and not field.is_required()
    }
    were = made.model_copy(update=newer).model_dump(mode="json") | last.parameters
    parameters = made.model_dump(mode="json")
    hashes = [problem.instance.hash for problem in problems]
    pairs = [
        ("solver", last.solver, solver),
        *((f"parameter {name}", were[name], value) for name, value in parameters.items()),
        ("seed", last.seed, seed),
        ("number of instances", len(last.instances), len(hashes)),
        *((f"instance {seen.name}", seen.hash, has) for seen, has in zip(last.instances, hashes, strict=False)),
    ]
    for what, was, is_now in pairs:
        if was != is_now:
            raise OffbenchError(f"{folder}: can't be resumed: {what} was {was}, and is {is_now} now")
