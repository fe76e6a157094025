"""A window follows whatever happens to the counts, and never at a higher price."""

from functools import cache
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments._shared.flat_chains import flat_chain
from offbench.bounds.state_space import Group, Window, balanced_groups, widest
from offbench.model.arrays import Arrays
from offbench.model.problem import P1

Sizes = tuple[int, int]


@cache
def arrays_of(edges: int, clouds: int) -> Arrays:
    """Return the arrays of a problem with so many servers beside the client."""
    return P1(flat_chain("alexnet", layers=1, edges=edges, clouds=clouds)).arrays


@cache
def window_of(sizes: Sizes, widths: tuple[int, ...]) -> Window:
    """Return a window over the kinds that have servers to balance."""
    arrays = arrays_of(*sizes)
    groups = zip(balanced_groups(arrays), widths, strict=True)
    return Window(arrays, tuple(Group(servers, width) for servers, width in groups))


def successors(window: Window, state: int, server: int) -> list[int]:
    """Return the states after one more subtask on *server*."""
    at = state * len(window.width) + server
    return [int(state) for state in window.next_of[window.next_start[at] : window.next_start[at + 1]]]


def differences(window: Window, counts: list[int]) -> list[list[int]]:
    """Return each group's counts above its smallest."""
    chosen = [[counts[server] for server in group.servers] for group in window.groups]
    return [[count - min(group) for count in group] for group in chosen]


def state_of(window: Window, counts: list[int]) -> int:
    """Return the state that saturated differences have."""
    code = sum(
        min(above, group.width) * int(window.radix[server])
        for group, row in zip(window.groups, differences(window, counts), strict=True)
        for server, above in zip(group.servers, row, strict=True)
    )
    return int(window.state_of[code])


def imbalance(window: Window, counts: list[int]) -> int:
    """Return Z (Eq. 12) of the window's groups."""
    return sum(abs(a - b) for row in differences(window, counts) for a, b in combinations(row, 2))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Draw a window over one or two groups of 2 to 4 servers."""
    sizes = draw(st.sampled_from([(2, 0), (0, 3), (4, 1), (2, 2), (3, 2), (2, 4), (3, 3)]))
    groups = sum(size > 1 for size in sizes)
    return window_of(sizes, tuple(draw(st.lists(st.integers(1, 4), min_size=groups, max_size=groups))))


@given(st.data())
def test_walk_of_placements_is_a_walk_of_states(data: st.DataObject) -> None:
    window = data.draw(windows())
    n = len(window.width)
    counts, state = [0] * n, 0
    assert state_of(window, counts) == 0
    for server in data.draw(st.lists(st.integers(0, n - 1), min_size=10, max_size=60)):
        counts[server] += 1
        reached = state_of(window, counts)
        assert reached in successors(window, state, server)
        state = reached
        assert window.imbalance[state] <= imbalance(window, counts)
        largest = [
            max(row) - group.width for row, group in zip(differences(window, counts), window.groups, strict=True)
        ]
        if max(largest) <= 0:
            assert window.imbalance[state] == imbalance(window, counts)


@pytest.mark.parametrize(
    ("sizes", "widths"),
    [((2, 0), (1,)), ((2, 0), (4,)), ((3, 1), (2,)), ((0, 4), (1,)), ((2, 2), (1, 2)), ((3, 2), (2, 1))],
)
def test_no_more_successors_than_there_must_be_and_the_least_imbalance(sizes: Sizes, widths: tuple[int, ...]) -> None:
    window = window_of(sizes, widths)
    n = len(window.width)
    after: dict[tuple[int, int], set[int]] = {}
    least: dict[int, int] = {}
    above = [range(int(width) + 2) if width else (0,) for width in window.width]
    for counts in map(list, product(*above)):
        if any(min(counts[server] for server in group.servers) > 0 for group in window.groups):
            continue
        state = state_of(window, counts)
        least[state] = min(least.get(state, 1 << 30), imbalance(window, counts))
        for server in range(n):
            more = [count + (s == server) for s, count in enumerate(counts)]
            after.setdefault((state, server), set()).add(state_of(window, more))
    assert set(least) == set(range(window.n_states))
    for state, value in least.items():
        assert window.imbalance[state] == value
        for server in range(n):
            reached = successors(window, state, server)
            assert len(reached) == len(set(reached))
            assert set(reached) == after[state, server]


def test_window_over_nothing() -> None:
    window = Window(arrays_of(2, 2), ())
    assert (window.n_states, window.name, window.imbalance.tolist()) == (1, "none", [0])
    assert all(successors(window, 0, server) == [0] for server in range(5))


def test_server_in_no_group_changes_nothing() -> None:
    window = window_of((2, 2), (2, 1))
    assert window.name == "2x2+2x1"
    for state in range(window.n_states):
        assert successors(window, state, 0) == [state]  # the client


@pytest.mark.parametrize("sizes", [(2, 0), (0, 3), (4, 1), (2, 2), (3, 2), (5, 5)])
def test_balanced_groups_are_the_kinds_with_peers(sizes: Sizes) -> None:
    edges, clouds = sizes
    kinds = [tuple(range(1, 1 + edges)), tuple(range(1 + edges, 1 + edges + clouds))]
    assert balanced_groups(arrays_of(*sizes)) == [kind for kind in kinds if len(kind) > 1]


def widths_of(kinds: list[tuple[int, ...]], groups: tuple[Group, ...]) -> tuple[int, ...]:
    """Return the width for each kind, 0 for one that is in no group."""
    width = {group.servers: group.width for group in groups}
    assert set(width) <= set(kinds)
    return tuple(width.get(kind, 0) for kind in kinds)


@pytest.mark.parametrize("sizes", [(0, 0), (1, 1), (2, 0), (0, 3), (4, 1), (2, 2), (3, 2), (4, 4)])
@pytest.mark.parametrize("states", [1, 2, 3, 20, 250, 1_000])
def test_widest_are_the_maximal_windows_within_the_limit(sizes: Sizes, states: int) -> None:
    arrays = arrays_of(*sizes)
    found = widest(arrays, states)
    kinds = [kind[: max(2, states.bit_length() - 1)] for kind in balanced_groups(arrays)]
    most = 60  # differences beyond are not told apart
    sizes_at = [[Group(kind, width).states for width in range(most + 1)] for kind in kinds]
    within = {
        widths
        for widths in product(range(most + 1), repeat=len(kinds))
        if np.prod([size[width] for size, width in zip(sizes_at, widths, strict=True)], dtype=int) <= states
    }
    maximal = {
        widths
        for widths in within
        if not any((*widths[:g], widths[g] + 1, *widths[g + 1 :]) in within for g in range(len(kinds)))
    }
    listed = [widths_of(kinds, groups) for groups in found]
    assert len(listed) == len(set(listed))
    assert set(listed) == maximal
    evenness = [min(widths, default=0) for widths in listed]
    assert evenness == sorted(evenness, reverse=True)
    for groups in found[:3]:
        window = Window(arrays, groups)
        assert window.n_states <= states
        assert all(group.width > 0 for group in groups)


@pytest.mark.parametrize("states", [250, 1_000])
def test_kinds_with_too_many_servers_are_balanced_in_part(states: int) -> None:
    arrays = arrays_of(40, 12)
    edges, clouds = balanced_groups(arrays)
    listed = widest(arrays, states)
    assert len(listed) >= 2
    for groups in listed:
        assert 1 <= len(groups) <= 2
        assert Window(arrays, groups).n_states <= states
        for group in groups:
            kind = edges if group.servers[0] in edges else clouds
            assert len(group.servers) < len(kind)
            assert group.servers == kind[: len(group.servers)]
    assert {group.servers[0] for groups in listed for group in groups} == {edges[0], clouds[0]}
