"""When what runs where: against the invariants of booking (MODEL.md section 3)."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbench import P1, Placement, evaluate, load
from offbench.report.palette import OKABE_ITO, server_colours, styles
from offbench.runs.schedule import schedule


@pytest.mark.parametrize("name", ["tiny-graphs", "mixed-4", "alexnet-x10"])
@settings(max_examples=20)
@given(st.integers(0, 2**32))
def test_slots_never_overlap_and_are_no_more_than_the_pool(name: str, seed: int) -> None:
    instance = load(name)
    problem = P1(instance)
    rng = np.random.default_rng(seed)
    # Few servers, so that there are queues.
    servers = [int(rng.choice(np.flatnonzero(allowed)[:3])) for allowed in problem.allowed]
    order = None
    if rng.random() < 0.5:  # layers' own order is one in which inputs come first; tasks are mixed
        owner = rng.permutation(
            np.repeat(np.arange(len(instance.tasks)), [len(task.layers) for task in instance.tasks])
        )
        first = np.cumsum([0, *(len(task.layers) for task in instance.tasks)])[:-1]
        order = np.empty(len(owner), dtype=np.int64)
        for task in range(len(first)):
            order[owner == task] = first[task] + np.arange((owner == task).sum())
    found = schedule(instance, Placement(servers, order))
    assert found.evaluation.objective == evaluate(problem, Placement(servers, order)).objective
    for server, slot in found.lanes:
        assert slot < instance.servers[server].pool
        here = np.flatnonzero((found.servers == server) & (found.slots == slot))
        here = here[np.lexsort((found.end[here], found.start[here]))]
        before = found.end[here[:-1]]  # on the clock of all tasks, where a late arrival rounds
        assert (found.start[here[1:]] >= before - 1e-12 * before).all()
    assert (found.sent <= found.ready + 1e-12).all() and (found.ready <= found.start + 1e-12).all()
    assert (found.start <= found.end).all()
    assert found.end.max() == pytest.approx(found.evaluation.makespan_s)


def test_slots_by_hand() -> None:
    """Two tasks of three layers, all on the client, which runs one at a time: one after another."""
    found = schedule(load("tiny-chains"), Placement([0] * 6))
    assert found.slots.tolist() == [0] * 6
    assert found.lanes == [(0, 0)]
    turns = sorted(zip(found.start.tolist(), found.end.tolist(), strict=True))
    assert all(end == pytest.approx(start) for (_, end), (start, _) in pairwise(turns))
    assert found.names[0].endswith(" / " + load("tiny-chains").tasks[0].layers[0].name)


def test_styles_are_told_apart_without_colour() -> None:
    found = styles([f"solver-{number}" for number in range(35)])
    assert len(set(found.values())) == 35
    assert len({(style.dash, style.marker, style.colour) for style in found.values()}) == 35
    first = list(found.values())[: len(OKABE_ITO)]
    assert len({style.colour for style in first}) == len(OKABE_ITO)


def test_servers_of_a_kind_share_a_hue_and_neighbours_differ() -> None:
    colours = server_colours(load("alexnet"))
    assert len(set(colours)) == len(colours) == 11
