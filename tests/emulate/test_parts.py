"""Parts against the evaluator: run as the manifest says, they take what it says."""

import heapq
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import instances

from experiments._shared.drawn_format2 import draw
from offbench import P1, Placement
from offbench.emulate.parts import Partition, parts_of
from offbench.model.arrays import LINK
from offbench.model.instance import parse
from offbench.model.problem import Problem
from offbench.runs.schedule import Schedule, schedule


def simulated(problem: Problem, found: Schedule, made: Partition) -> dict[int, float]:
    """Return when each part ends, by events: what is ready first runs first, or in the order of each slot."""
    a, n = problem.arrays, problem.n_subtasks
    seconds = found.end - found.start
    ordered = found.placement.order is not None
    free: dict[int, list[int]] = {}
    for server in range(len(problem.instance.servers)):
        free[server] = list(range(problem.instance.servers[server].pool))
    lanes: dict[tuple[int, int], list[int]] = {}
    for part in made.pieces:
        lanes.setdefault((part.server, part.slot), []).append(part.number)
    missing = {part.number: len(part.after) for part in made.pieces}
    for one in made.messages:
        for number in one.readers:
            missing[number] += 1
    ends: dict[int, float] = {}
    ready: dict[int, list[tuple[float, int]]] = {server: [] for server in free}
    serial = count()
    events: list[tuple[float, int, str, Any]] = []

    def at(time: float, what: str, which: Any) -> None:
        heapq.heappush(events, (time, next(serial), what, which))

    def transfer(one: Any) -> float:
        longest = 0.0
        for part in one.readers:
            for k in made.pieces[part].subtasks:
                for entry in problem.inputs_of(k):
                    if a.input_of[entry] == one.source:
                        start = found.placement.servers[one.source] if one.source < n else a.client
                        link = a.link[a.links_of[k], start, found.placement.servers[k]]
                        longest = max(longest, a.input_mb[entry] / link[LINK.rate_mb_per_s] + link[LINK.latency_s])
        return float(longest)

    def send(after: int | None, task: int, time: float) -> None:
        for one in made.messages:
            if one.after == after and one.task == task:
                for reader in one.readers:
                    at(time + transfer(one), "there", reader)

    for i, task in enumerate(problem.instance.tasks):
        at(task.arrival_s, "input", i)
    while events:
        time, _, what, which = heapq.heappop(events)
        if what == "input":
            send(None, which, time)
            for part in made.pieces:
                if part.task == which and missing[part.number] == 0 and not part.after:
                    ready[part.server].append((time, part.number))
        elif what == "there":
            missing[which] -= 1
            if missing[which] == 0:
                ready[made.pieces[which].server].append((time, which))
        else:
            ends[which] = time
            done = made.pieces[which]
            free[done.server].append(done.slot)
            send(which, done.task, time)
            for part in made.pieces:
                if which in part.after:
                    missing[part.number] -= 1
                    if missing[part.number] == 0:
                        ready[part.server].append((time, part.number))
        if events and events[0][0] == time:
            continue  # all that happens now, before anything starts
        for server, waiting in ready.items():
            while waiting and free[server]:
                waiting.sort(key=lambda one: (one[0], made.pieces[one[1]].subtasks[0]))
                if ordered:
                    turn = {lane[0] for (s, k), lane in lanes.items() if s == server and lane and k in free[server]}
                    chosen = next((one for one in waiting if one[1] in turn), None)
                    if chosen is None:
                        break
                    slot = made.pieces[chosen[1]].slot
                    lanes[server, slot].pop(0)
                    free[server].remove(slot)
                else:
                    chosen = waiting[0]
                    free[server].pop()
                waiting.remove(chosen)
                at(time + float(seconds[list(made.pieces[chosen[1]].subtasks)].sum()), "end", chosen[1])
    assert set(missing.values()) <= {0}
    return ends


@settings(max_examples=60)
@given(instances(exact=False, max_tasks=3, max_layers=6), st.integers(0, 2**32), st.booleans())
def test_parts_take_what_the_evaluator_says(facts: dict[str, Any], seed: int, ordered: bool) -> None:
    problem, rng = P1(parse(facts)), np.random.default_rng(seed)
    servers = np.array([rng.choice(np.flatnonzero(row)) for row in problem.allowed])
    order = None
    if ordered:
        left = [len(task.layers) for task in problem.instance.tasks]
        nexts = [problem.subtasks_of(i).start for i in range(problem.n_tasks)]
        taken = []
        while any(left):
            i = int(rng.choice(np.flatnonzero(left)))
            taken.append(nexts[i])
            nexts[i] += 1
            left[i] -= 1
        order = np.array(taken)
    found = schedule(problem.instance, Placement(servers, order))
    made = parts_of(problem, found, lambda source, reader: [f"{source}"])
    assert sorted(k for part in made.pieces for k in part.subtasks) == list(range(problem.n_subtasks))
    for part in made.pieces:
        assert all(before < part.number for before in part.after)
    ends = simulated(problem, found, made)
    for part in made.pieces:
        assert ends[part.number] == pytest.approx(found.end[part.subtasks[-1]], rel=1e-9, abs=1e-9)


def test_a_chain_with_one_cut_is_two_parts_and_one_message() -> None:
    problem = P1("alexnet")
    servers = np.where(np.arange(11) < 4, 0, 1)
    found = schedule(problem.instance, Placement(servers))
    made = parts_of(problem, found, lambda source, reader: [f"of {source}"])
    assert [part.subtasks for part in made.pieces] == [tuple(range(4)), tuple(range(4, 11))]
    (one,) = made.messages
    assert (one.source, one.after, one.readers, one.tensors) == (3, 0, (1,), ("of 3",))


def sized(problem: Problem) -> Any:
    """Return what is sent, such that what has another size is another tensor."""
    a = problem.arrays

    def sent(source: int, reader: int) -> list[str]:
        return [f"{a.input_mb[entry]}" for entry in problem.inputs_of(reader) if a.input_of[entry] == source]

    return sent


def test_of_format_2_too() -> None:
    """With latencies, links of one direction, several clients, and layers that read some of an input alone."""
    for seed in range(60):
        rng = np.random.default_rng([seed, 19])
        problem = P1(parse(draw(rng, f"d{seed}", 1 + seed % 3, 1 + seed % 2, [4, 3])))
        servers = np.array([rng.choice(np.flatnonzero(row)) for row in problem.allowed])
        found = schedule(problem.instance, Placement(servers))
        made = parts_of(problem, found, sized(problem))
        ends = simulated(problem, found, made)
        for part in made.pieces:
            assert ends[part.number] == pytest.approx(found.end[part.subtasks[-1]], rel=1e-9, abs=1e-9)
