"""Somebody else's agent, without torch: learns how often each server is chosen in the best placement met."""

import json
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from pydantic import PositiveInt

from offbench import P1, OffbenchError, Search, Trainable, evaluate_many
from offbench.search.metrics import Diary


class Frequencies(Trainable):
    """Draws placements from frequencies that follow the best of each batch."""

    batch: PositiveInt = 10
    """placements drawn at a time"""

    def training(self, problems: Sequence[P1], rng: np.random.Generator, diary: Diary) -> "Counting":
        return Counting(self, problems, rng, diary)

    def load_policy(self, file: BinaryIO) -> "Frequent":
        return Frequent(np.array(json.load(file)))

    def solve(self, problem: P1, search: Search) -> None:
        training = self.training([problem], search.rng, search.diary)
        while search.running:
            training.learn()
            search.policy = training.policy.place(problem, 1, search.rng)[0]
            search.propose(search.policy)


class Frequent:
    def __init__(self, shares: Any) -> None:
        self.shares = shares

    def place(self, problem: P1, rollouts: int, rng: np.random.Generator) -> Any:
        if problem.n_servers != len(self.shares):
            raise OffbenchError(f"it was trained for {len(self.shares)} servers, not for {problem.n_servers}")
        rows = rng.choice(len(self.shares), p=self.shares, size=(rollouts, problem.n_subtasks))
        rows[0] = self.shares.argmax()
        return np.where(problem.allowed[np.arange(problem.n_subtasks), rows], rows, problem.allowed.argmax(axis=1))

    def save(self, file: BinaryIO) -> None:
        file.write(json.dumps(self.shares.tolist()).encode())


class Counting:
    def __init__(self, solver: Frequencies, problems: Sequence[P1], rng: np.random.Generator, diary: Diary) -> None:
        self.solver, self.problems, self.rng, self.diary = solver, problems, rng, diary
        self.shares = np.full(problems[0].n_servers, 1 / problems[0].n_servers)
        self.steps = 0

    @property
    def policy(self) -> Frequent:
        return Frequent(self.shares)

    def learn(self) -> None:
        for problem in self.problems:
            rows = self.policy.place(problem, self.solver.batch, self.rng)
            values = evaluate_many(problem, rows)
            counts = np.bincount(rows[values.argmin()], minlength=problem.n_servers) / problem.n_subtasks
            self.shares = 0.9 * self.shares + 0.1 * counts
            self.steps += rows.size
            self.diary.tell("reward", -values.min(), self.steps)

    def save(self, file: BinaryIO) -> None:
        state = [self.shares.tolist(), self.steps, self.rng.bit_generator.state]
        file.write(json.dumps(state).encode())

    def load(self, file: BinaryIO) -> None:
        shares, self.steps, self.rng.bit_generator.state = json.load(file)
        self.shares = np.array(shares)
