"""What a problem is in arrays (MODEL.md sections 1-4): by what a placement is scored.

Units are those of the names. Nothing here depends on a placement. A subtask chooses among *places*: the client of its
own task, which is one place whatever the task, and the remote servers (`Instance.places`). With one client these are
the servers. So arrays grow with the remote servers, not with the clients.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.uint32]
Ints = NDArray[np.int64]


class Indicator(NamedTuple):
    """Where the indicators stand in `Arrays.lambdas`; the scales and weights begin alike."""

    delay: int = 0
    energy: int = 1
    cost: int = 2


class Scale(NamedTuple):
    """Where the scales stand in `Arrays.scale`."""

    delay: int = 0
    energy: int = 1
    cost: int = 2
    balance: int = 3


class Weight(NamedTuple):
    """Where the weights stand in `Arrays.weights`: those of the score (Eq. 15-17), then of the objective (Eq. 18)."""

    delay: int = 0
    energy: int = 1
    cost: int = 2
    score: int = 3
    coordination: int = 4
    balance: int = 5


class LinkFact(NamedTuple):
    """Where the facts of a link stand in the last axis of `Arrays.link`."""

    rate_mb_per_s: int = 0
    power_w: int = 1
    usd_per_gb: int = 2
    latency_s: int = 3


INDICATOR, SCALE, WEIGHT, LINK = Indicator(), Scale(), Weight(), LinkFact()


class Arrays(NamedTuple):
    """A problem as arrays.

    Subtasks are numbered tasks in order, layers in order; places as in `Instance.places`. The source of an input is a
    subtask, or ``subtasks + i`` for the input of task i. What runs at the same *station* shares its slots and its
    memory: the stations are the places, that of the client for the first client, and then the other clients.
    """

    client: int
    """the place that is the client of a subtask's own task"""
    root: int
    """2 or 3 (Eq. 11)"""
    benefits: bool
    """whether the coordination is one of benefits instead of costs"""
    constrained: bool
    """whether there is a memory, a deadline or a limit that a placement can exceed"""
    task_start: Indices
    """subtasks of task i are ``task_start[i]:task_start[i + 1]``"""
    waits_for: Indices
    """how many subtasks each subtask reads"""
    input_start: Indices
    """inputs of subtask k stand at ``input_start[k]:input_start[k + 1]``"""
    input_of: Indices
    """the source of each input"""
    reader_start: Indices
    """readers of subtask k stand at ``reader_start[k]:reader_start[k + 1]``"""
    reader_of: Indices
    """the subtasks that read each output"""
    slot_start: Indices
    """slots of station s are ``slot_start[s]:slot_start[s + 1]``: as many as its pool, but no more than subtasks"""
    kind: Indices
    """0 client, 1 edge, 2 cloud, for each place"""
    peers: Indices
    """for each kind, how many others of it a server is balanced against (Eq. 12); none for the client"""
    own_station: Indices
    """of each subtask, the station that the client of its task is"""
    links_of: Indices
    """of each subtask, which of the tables in *link* it goes by"""
    weighed: Indices
    """the subtasks that have weights, those that hold the same weights together; none where no memory is limited"""
    weights_of: Indices
    """of each of these, which weights it holds"""
    gcycles: Floats
    """work of each subtask; where it is not stated, what its own client does in its measured seconds"""
    arrival_s: Floats
    """arrival of each task"""
    input_mb: Floats
    """size of each input"""
    input_gb: Floats
    """the same in GB"""
    execution_s: Floats
    """how long each subtask runs at each place, shape ``(subtasks, places)``"""
    run_energy_j: Floats
    """what the client of each subtask draws while it runs at each place, shape ``(subtasks, places)``"""
    run_usd: Floats
    """what running it costs, shape ``(subtasks, places)``"""
    execution_rest_s: Floats
    """what the exact execution time is above *execution_s*, to 32 digits"""
    client_power_w: Floats
    """what each client draws while a subtask of it runs at each place, shape ``(clients, places)``"""
    usd_per_h: Floats
    """price of each place for each client as it is stated, shape ``(clients, places)``"""
    link: Floats
    """`LINK` from place to place; infinite, 0, 0, 0 from one to itself; shape ``(tables, places, places, 4)``

    Clients whose links say the same share a table.
    """
    scale: Floats
    """`SCALE`; infinite for an indicator that cannot occur"""
    weights: Floats
    """`WEIGHT`"""
    lambdas: Floats
    """of each `INDICATOR` in the coordination (Eq. 11)"""
    scale_rest: Floats
    """what the exact scale of each `INDICATOR` is above `scale`; 0 where that is no matter"""
    weights_mb: Floats
    """size of the weights of each subtask"""
    memory_mb: Floats
    """how much weight each station holds; infinite without a limit, and where all the weights that there are fit"""
    deadline_s: Floats
    """of each task, counted from its arrival; infinite without one"""
    limit: Floats
    """of each `INDICATOR`'s total; infinite without one"""


_SCALARS = 4
_INTEGERS = Arrays._fields.index("gcycles") - _SCALARS


def pack(arrays: Arrays) -> tuple[Indices, Floats]:
    """Lay the arrays end to end, behind a header that says where each ends (`evaluation.workspace.unpack`)."""
    fields = [np.ravel(field) for field in arrays]
    scalars, integers, numbers = fields[:_SCALARS], fields[_SCALARS:][:_INTEGERS], fields[_SCALARS + _INTEGERS :]
    header = len(fields)
    ends = [
        *(header + np.cumsum([len(field) for field in integers])),
        *np.cumsum([len(field) for field in numbers]),
    ]
    ints = np.concatenate([*scalars, ends, *integers]).astype(np.uint32)
    # What running amounts to side by side, for it is read together.
    first = Arrays._fields.index("execution_s") - _SCALARS - _INTEGERS
    run = np.stack((arrays.execution_s, arrays.run_energy_j, arrays.run_usd), axis=-1)
    return ints, np.concatenate([*numbers[:first], run.ravel(), *numbers[first + 3 :]])
