"""Windows: what is kept of the counts of subtasks on each server, for bounds that see the balance (Eq. 12).

Z depends on the *differences* between the counts of a group (the edges, or the clouds). A window keeps
the differences to the group's smallest count, and of those beyond its width only that they are at
least the width. A state stands for all the counts that look alike so; its imbalance is the smallest
of theirs, and a step leads to every state that one of theirs can lead to. So whatever happens to the
counts happens in the window too, at most as dear. All of it is in whole numbers.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.compiled import compiled, inlined
from offbench.model.arrays import Arrays

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def"

# Differences beyond this are not told apart.
_WIDEST = 60


@dataclass(frozen=True)
class Group:
    """Servers of one kind, and how far their counts are told apart."""

    servers: tuple[int, ...]
    width: int

    @property
    def states(self) -> int:
        """How many vectors of differences there are: one is 0, none above the width."""
        size = len(self.servers)
        return int((self.width + 1) ** size - self.width**size)


class Window:
    """The states of one or several groups together, and the steps between them.

    Parameters
    ----------
    arrays
        The problem.
    groups
        Disjoint groups of two servers or more, each of one kind.
    """

    def __init__(self, arrays: Arrays, groups: tuple[Group, ...]) -> None:
        self.groups = groups
        n_servers = len(arrays.kind)
        self.width = np.zeros(n_servers, np.int64)
        """of the group that each server belongs to; 0 for a server in none"""
        self.radix = np.zeros(n_servers, np.int64)
        """``sum(min(difference, width) * radix)`` over the servers is a state's code"""
        member = np.zeros((len(groups), n_servers), np.bool_)
        size = 1
        for g, group in enumerate(groups):
            for server in group.servers:
                self.width[server] = group.width
                self.radix[server] = size
                member[g, server] = True
                size *= group.width + 1
        self.state_of, self.imbalance, self.next_start, self.next_of = _build(member, self.width, self.radix, size)

    @property
    def n_states(self) -> int:
        """How many states there are; 0 is the one with all counts equal."""
        return len(self.imbalance)

    @cached_property
    def name(self) -> str:
        """Such as ``5x4+5x1``: five servers to a difference of 4, and five others to one of 1."""
        return "+".join(f"{len(group.servers)}x{group.width}" for group in self.groups) or "none"


def balanced_groups(arrays: Arrays) -> list[tuple[int, ...]]:
    """Return the servers that are balanced against each other, a tuple for each kind with two or more."""
    kinds = (np.flatnonzero(arrays.kind == kind) for kind in (1, 2))
    return [tuple(map(int, servers)) for servers in kinds if len(servers) > 1]


def widest(arrays: Arrays, states: int) -> list[tuple[Group, ...]]:
    """Return the groups of every window that can't be wider in either kind with at most so many *states*.

    Of a kind with too many servers for any window, only the first ones are balanced: leaving pairs out
    of Z makes placements cheaper, never dearer. Even ones come first.
    """
    kinds = [kind[: max(2, states.bit_length() - 1)] for kind in balanced_groups(arrays)]
    if not kinds:
        return [()]
    found = []
    first = kinds[0]
    for width in range(_WIDEST + 1):
        size = Group(first, width).states
        if size > states:
            break
        other = 0
        if len(kinds) == 2:
            while other < _WIDEST and Group(kinds[1], other + 1).states * size <= states:
                other += 1
        found.append((width, other))
    maximal = [pair for pair, following in zip(found, [*found[1:], (0, -1)], strict=True) if pair[1] != following[1]]
    maximal.sort(key=lambda pair: (-min(pair) if len(kinds) == 2 else 0, -sum(pair)))
    return [
        tuple(Group(kind, width) for kind, width in zip(kinds, pair, strict=False) if width > 0) for pair in maximal
    ]


def alone(arrays: Arrays, states: int) -> list[Group]:
    """Return the widest group of each kind with at most so many *states*; of too many servers, the first ones."""
    found = []
    for kind in balanced_groups(arrays):
        servers = kind[: max(2, states.bit_length() - 1)]
        wide = [width for width in range(1, _WIDEST + 1) if Group(servers, width).states <= states]
        found.append(Group(servers, max(wide, default=1)))
    return found


def narrowed(wide: Window, narrow: Window) -> NDArray[np.int32]:
    """Return the state of the *narrow* window that each state of the *wide* one, of the same servers, is in."""
    codes = np.flatnonzero(wide.state_of >= 0)
    code = np.zeros_like(codes)
    for group in narrow.groups:
        for server in group.servers:
            difference = codes // wide.radix[server] % (wide.width[server] + 1)
            code += np.minimum(difference, group.width) * narrow.radix[server]
    found: NDArray[np.int32] = narrow.state_of[code]
    return found


@compiled
def _build(member, width, radix, size):
    """List the states, and where a step on each server leads from each."""
    n_groups, n_servers = member.shape
    digits = np.zeros(n_servers, np.int64)
    state_of = np.full(size, -1, np.int32)
    n = 0
    for code in range(size):
        _digits(code, width, radix, digits)
        valid = True
        for g in range(n_groups):
            smallest = 1 << 60
            for s in range(n_servers):
                if member[g, s]:
                    smallest = min(smallest, digits[s])
            valid = valid and smallest == 0
        if valid:
            state_of[code] = n
            n += 1
    imbalance = np.zeros(n, np.int64)
    next_start = np.zeros(n * n_servers + 1, np.int64)
    for fill in range(2):
        next_of = np.empty(next_start[-1] if fill else 0, np.int32)
        at = np.int64(0)
        for code in range(size):
            state = state_of[code]
            if state < 0:
                continue
            _digits(code, width, radix, digits)
            for g in range(n_groups):
                for a in range(n_servers):
                    for b in range(a):
                        if not fill and member[g, a] and member[g, b]:
                            imbalance[state] += abs(digits[a] - digits[b])
            for s in range(n_servers):
                at = _steps(code, state_of, s, member, width, radix, digits, fill, next_of, at)
                if not fill:
                    next_start[state * n_servers + s + 1] = at
    return state_of, imbalance, next_start, next_of


@inlined
def _steps(code, state_of, server, member, width, radix, digits, fill, next_of, at):
    """List the states after one more subtask on *server*; returns where the list goes on."""
    n_groups, n_servers = member.shape
    group = -1
    for g in range(n_groups):
        if member[g, server]:
            group = g
    first = code
    unsure = np.empty(n_servers, np.int64)
    n_unsure = 0
    if group >= 0:
        alone = digits[server] == 0
        for s in range(n_servers):
            if member[group, s] and s != server and digits[s] == 0:
                alone = False
        if not alone:
            first += radix[server] * (min(digits[server] + 1, width[server]) - digits[server])
        else:
            # The smallest count has grown: everybody else is one nearer to it. "At least the width" becomes
            # "at least the width less one".
            for s in range(n_servers):
                if member[group, s] and s != server:
                    first -= radix[s]
                    if digits[s] == width[s]:
                        unsure[n_unsure] = s
                        n_unsure += 1
    for choice in range(1 << n_unsure):
        if fill:
            after = first
            for i in range(n_unsure):
                if choice >> i & 1:
                    after += radix[unsure[i]]
            next_of[at] = state_of[after]
        at += 1
    return at


@inlined
def _digits(code, width, radix, digits):
    for s in range(width.size):
        digits[s] = code // radix[s] % (width[s] + 1) if radix[s] > 0 else 0
