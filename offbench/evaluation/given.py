"""What users hand over where a problem and a placement are wanted: names, files, and what files say."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbench.errors import OffbenchError
from offbench.model.instance import Instance
from offbench.model.objectives import with_objective
from offbench.model.placement import HasPlacement, Placement, load_placement, parse_placement
from offbench.model.problem import P1, Problem

InstanceLike = Instance | str | Path
"""an instance, or a file or shipped name to load"""


@runtime_checkable
class Solved(HasPlacement, Protocol):
    """What has found it for an instance of its own, such as a `Solution`."""

    @property
    def instance(self) -> Instance:
        """The instance."""


PlacementLike = Placement | HasPlacement | ArrayLike | str | Path | Mapping[str, Any] | Sequence[Any]
"""a placement, a solution, server indices, server names, a file, or what a file says"""


def instance_of(
    given: InstanceLike, objective: str | None = None, weights: str | Mapping[str, float] | None = None
) -> Instance:
    """Return an instance, loaded if need be, with the objective that is named (`objectives.with_objective`).

    Raises
    ------
    OffbenchError
        If it is none, or can't be loaded, or there is no such objective.
    """
    if isinstance(given, Instance | str):
        return with_objective(given, objective, weights)
    if isinstance(given, os.PathLike):
        return with_objective(Path(given), objective, weights)
    raise OffbenchError(f"instance: must be an Instance, a file or a shipped name, not {_kind(given)}")


def problem_of(
    given: Problem | InstanceLike, objective: str | None = None, weights: str | Mapping[str, float] | None = None
) -> Problem:
    """Return a problem; of an instance its P1, with the objective that is named.

    Raises
    ------
    OffbenchError
        As `instance_of`.
    """
    if not isinstance(given, Problem):
        return P1(instance_of(given, objective, weights))
    if objective is not None or weights is not None:
        raise OffbenchError("objective: a problem has its own; give an instance, or with_objective(instance, ...)")
    return given


def placement_of(given: PlacementLike | None, instance: Instance) -> Placement:
    """Return a placement.

    Parameters
    ----------
    given
        A placement; a solution; server indices, one for each subtask; server names, one for each subtask or a row of
        them for each task; a placement file; or what such a file says (MODEL.md section 8).
    instance
        Whose names count.

    Raises
    ------
    OffbenchError
        If it is none of these, or doesn't fit the instance.
    """
    if isinstance(given, Placement):
        return given
    if isinstance(given, HasPlacement):
        if given.placement is None:
            raise OffbenchError("placement: the solution has none")
        return given.placement
    if isinstance(given, str | os.PathLike):
        return load_placement(Path(given), instance)
    if isinstance(given, Mapping):
        return parse_placement(dict(given), instance)
    if isinstance(given, list | tuple) and len(given):
        if all(isinstance(each, str) for each in given):
            return parse_placement({"servers": _by_task(given, instance)}, instance)
        if all(isinstance(row, list | tuple) and all(isinstance(each, str) for each in row) for row in given):
            return parse_placement({"servers": [list(row) for row in given]}, instance)
    servers = _numbers(given)
    if servers is None or servers.ndim == 0:
        raise OffbenchError(
            "placement: must be a Placement, a Solution, server indices, server names, a file or what it says, not "
            f"{_kind(given)}"
        )
    return Placement(servers)


def population_of(
    given: ArrayLike | Sequence[PlacementLike], instance: Instance
) -> NDArray[np.generic] | list[Placement]:
    """Return placements, or the array if *given* holds numbers alone; raises as `placement_of`."""
    numbers = _numbers(given)
    if numbers is not None:
        return numbers
    if not isinstance(given, Iterable) or isinstance(given, str | Mapping):
        raise OffbenchError(f"assignments: must be server indices, or a list of placements, not {_kind(given)}")
    return [placement_of(each, instance) for each in given]


def _numbers(given: object) -> NDArray[np.generic] | None:
    """Return an array of numbers, of whatever kind and shape; None if it is none."""
    try:
        array = np.asarray(given)
    except ValueError:  # rows of different lengths
        return None
    return array if array.dtype.kind in "biufc" else None


def _by_task(names: Sequence[str], instance: Instance) -> list[list[str]]:
    if len(names) != instance.subtasks:
        raise OffbenchError(f"placement: {len(names)} servers, but the instance has {instance.subtasks} subtasks")
    left = iter(names)
    return [[next(left) for _ in task.layers] for task in instance.tasks]


def _kind(given: object) -> str:
    if isinstance(given, np.ndarray):
        return f"an array of {given.dtype}"
    return f"class {given.__name__}" if isinstance(given, type) else type(given).__name__
