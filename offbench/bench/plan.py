"""From a suite to its jobs, in the order in which they run."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offbench.bench.job import NOT_INSTALLED, Code, Job, NotInstalledError, code_of
from offbench.bench.suite import Entrant, Suite, instances_of, is_file
from offbench.errors import OffbenchError
from offbench.model.instance import Instance
from offbench.search.parameters import configure
from offbench.search.registry import catalogue, find


@dataclass(frozen=True)
class Plan:
    """What is to be run."""

    suite: Suite
    instances: dict[str, Instance]
    jobs: tuple[Job, ...]
    """in the order of running"""
    absent: dict[str, str]
    """solvers that aren't here, and why"""


def plan(suite: Suite, folder: Path, required: Sequence[str] = (), imports: bool = True) -> Plan:
    """Return the jobs of a suite; each solver's parameters are checked.

    Seeds come one after another, and what has the same seed in random order: whatever drifts, of the
    machine or its load, hits all solvers alike, and a suite that is cut short leaves whole blocks.

    Parameters
    ----------
    suite
        The suite.
    folder
        Where its file is; other files are looked for there.
    required
        Solvers that must be there, because the user named them just now.
    imports
        Whether solvers may be imported; else what only that tells isn't checked: parameters, and what a file solves.

    Raises
    ------
    OffbenchError
        If an instance can't be had, or a solver that is here can't work with its parameters.
    """
    instances = {instance.name: instance for instance in instances_of(suite, folder)}
    hashes = {name: instance.hash for name, instance in instances.items()}
    jobs: list[Job] = []
    absent: dict[str, str] = {}
    for entrant in suite.solvers:
        name = _located(entrant.name, folder)
        policy = None if entrant.policy is None else (folder / entrant.policy).resolve()
        code = code_of(name, entrant.two_step, policy)
        if code == NOT_INSTALLED:
            absent[entrant.label] = _why(name, policy)
            if policy is None and (entrant.name in required or is_file(name)):
                raise OffbenchError(absent[entrant.label])
        elif imports and policy is None:  # of one its solver and parameters were checked when it was trained
            _check(entrant, name, suite.name)
        facts: dict[str, Any] = {
            "solver": entrant.label, "name": name, "parameters": entrant.parameters, "two_step": entrant.two_step,
            "policy": None if policy is None else str(policy), "code": code, "time_limit_s": suite.time_limit_s,
            "max_evaluations": suite.max_evaluations,
        }  # fmt: skip
        jobs += [
            Job(instance=instance, instance_hash=hash_, seed=seed, **facts)
            for instance, hash_ in hashes.items()
            for seed in suite.seeds_of(entrant)
        ]
    return Plan(suite, instances, tuple(_shuffled(jobs)), absent)


def together(name: str, plans: Sequence[Plan]) -> Plan:
    """Return several plans of one budget as one of that name, in which a run that some of them share is made once.

    Raises
    ------
    ValueError
        If two have different runs in one cell (instance, solver, seed).
    """
    jobs: dict[tuple[str, str, int], Job] = {}
    for each in plans:
        for job in each.jobs:
            if jobs.setdefault(job.cell, job) != job:
                raise ValueError(f"two plans differ in {job.cell}")
    instances = {name: instance for each in plans for name, instance in each.instances.items()}
    absent = {solver: why for each in plans for solver, why in each.absent.items()}
    return Plan(
        plans[0].suite.model_copy(update={"name": name}), instances, tuple(_shuffled(list(jobs.values()))), absent
    )


def _located(name: str, folder: Path) -> str:
    """Return a file's path as seen from the suite's folder; a solver's name as it is."""
    return str((folder / name).resolve()) if is_file(name) else name


def _why(name: str, policy: Path | None) -> str:
    try:
        Code(name, policy=policy)
    except NotInstalledError as error:
        return str(error)
    raise AssertionError(name)


def _check(entrant: Entrant, name: str, suite: str) -> None:
    """Refuse a solver that isn't for a suite, or has no such parameters; imported only where that must be known."""
    entry = catalogue().get(name)
    if entrant.parameters or entry is None:
        solves: str = configure(find(name), name, entrant.parameters).solves
    else:
        solves = entry.solves
    if solves == "P2":
        raise OffbenchError(
            f"suite '{suite}': solver '{name}' solves P2, the order for given servers; a suite is of P1"
        )


def _shuffled(jobs: list[Job]) -> Iterator[Job]:
    draw = random.Random(0)
    for seed in sorted({job.seed for job in jobs}):
        block = [job for job in jobs if job.seed == seed]
        draw.shuffle(block)
        yield from block
