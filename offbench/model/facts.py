"""The things that a file tells of: servers, links, tasks, layers, weights (MODEL.md sections 1 and 8).

What a field alone shows is checked here; the rules that span fields are in `rules`.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag, model_validator

Kind = Literal["client", "edge", "cloud"]
KINDS: tuple[Kind, ...] = ("client", "edge", "cloud")

Name = Annotated[str, StringConstraints(min_length=1)]
NonNegative = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, strict=True)]


class Fact(BaseModel):
    """A frozen record that refuses fields it doesn't know."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_by_name=True, serialize_by_alias=True
    )


class Radio(Fact):
    """The radio of a remote server, for links whose rate follows Shannon (Eq. 2)."""

    channel: Annotated[int, Field(strict=True)]
    """servers on the same channel disturb one another"""
    power_w: Positive
    """transmission power q, W"""
    gain: Positive
    """channel gain g between the server and the base station"""


class Server(Fact):
    """A place where subtasks run."""

    name: Name
    kind: Kind
    compute_ghz: Positive
    """computing power, 10^9 cycles/s (Eq. 1)"""
    price_per_hour: NonNegative
    """price of running a subtask, $/h (Eq. 7)"""
    client_power_w: NonNegative
    """what the client draws while a subtask runs here, W: computing power on itself, idle power elsewhere"""
    pool: Count
    """how many subtasks it runs at once (Eq. 14)"""
    radio: Radio | None = None
    memory_mb: Positive | None = None
    """format 2: how much weight it holds, MB; any if absent"""
    idle_power_w: NonNegative | None = None
    """format 2, of a client: what it draws while a remote server computes for it, W; else that server says it"""


class Shannon(Fact):
    """A wireless channel whose rate follows from the remote end's radio (Eq. 2)."""

    bandwidth_mhz: Positive
    noise_w: Positive


class Link(Fact):
    """A connection between two servers or two kinds of server, of both directions or of one."""

    between: tuple[Name, Name] | None = None
    """both directions: two server names, or two kinds; names win over kinds"""
    from_: Annotated[Name | None, Field(alias="from")] = None
    """format 2, in place of *between*: where this direction starts"""
    to: Name | None = None
    """format 2: where it ends; one direction wins over both, where both are of names or both of kinds"""
    rate_mb_per_s: Positive | None = None
    """data rate, MB/s (Eq. 3); either this or *shannon*"""
    shannon: Shannon | None = None
    latency_s: NonNegative = 0.0
    """format 2: what each transfer takes longer, s, also one of 0 MB"""
    price_per_gb: NonNegative
    """price of a transfer, $/GB with 1 GB = 1000 MB (Eq. 8)"""
    transmit_power_w: NonNegative = 0.0
    """what the client draws while it sends or receives, W; 0 unless a client is an end"""

    @property
    def ends(self) -> tuple[str, str]:
        """The two ends, as stated: where it starts and where it ends, if it is of one direction."""
        if self.between is not None:
            return self.between
        assert self.from_ is not None
        assert self.to is not None
        return self.from_, self.to

    @property
    def directed(self) -> bool:
        """Whether it is of one direction."""
        return self.between is None

    @model_validator(mode="after")
    def _two_ends(self) -> Self:
        if self.between is not None and (self.from_ is not None or self.to is not None):
            raise ValueError("has 'between' and 'from' or 'to'; needs either 'between', or 'from' and 'to'")
        if self.between is None and (self.from_ is None or self.to is None):
            missing = "'to'" if self.from_ is not None else "'from'" if self.to is not None else "'between'"
            raise ValueError(f"{missing} is missing; needs either 'between', or 'from' and 'to'")
        return self

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if (self.rate_mb_per_s is None) == (self.shannon is None):
            raise ValueError("needs either 'rate_mb_per_s' or 'shannon'")
        return self


class LayerOutput(Fact):
    """An input of which the reader gets another size than the layer's `Layer.output_mb` (format 2)."""

    layer: Name
    """an earlier layer of the same task"""
    mb: NonNegative
    """size of what this reader gets, MB"""


class TaskInput(Fact):
    """An input that is a part of the task's own, from its client (format 2)."""

    input_mb: NonNegative
    """size, MB"""


def _sort_of_input(value: Any) -> str:
    if isinstance(value, str):
        return "a name"
    if isinstance(value, TaskInput) or (isinstance(value, dict) and "input_mb" in value and "layer" not in value):
        return "an input"
    return "an output" if isinstance(value, dict | LayerOutput) else "a name"


Input = Annotated[
    Annotated[Name, Tag("a name")] | Annotated[LayerOutput, Tag("an output")] | Annotated[TaskInput, Tag("an input")],
    Discriminator(_sort_of_input),
]


class Layer(Fact):
    """A subtask: one layer of a neural network."""

    name: Name
    gcycles: NonNegative | None = None
    """work, 10^9 cycles (Eq. 1); needed but where *seconds* names every server that the task may use"""
    seconds: dict[Name, NonNegative] | None = None
    """format 2: execution time as measured, s, by server name or kind; a name wins over a kind, both over gcycles"""
    output_mb: NonNegative
    """size of what it hands to each reader, MB (Eq. 3)"""
    inputs: tuple[Input, ...]
    """earlier layers of the same task whose output it reads; none: the task's input, at the client"""
    allowed: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """the servers it may run on; all of them if absent"""
    weights_mb: NonNegative = 0.0
    """format 2: size of its weights, MB, which its server must hold"""
    weights_id: Name | None = None
    """format 2: layers that name the same hold the same weights, once on a server"""

    @property
    def sources(self) -> tuple[str, ...]:
        """The layers that it reads, by name."""
        return tuple(
            each if isinstance(each, str) else each.layer for each in self.inputs if not isinstance(each, TaskInput)
        )


class Task(Fact):
    """One inference of one network, its layers in topological order."""

    name: Name
    client: Name | None = None
    """format 2: which client it is of; needed where there are several"""
    arrival_s: NonNegative = 0.0
    deadline_s: Positive | None = None
    """format 2: how long after its arrival it must be complete, s"""
    input_mb: NonNegative
    """data that waits at the client, MB"""
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]

    @property
    def is_chain(self) -> bool:
        """Whether every layer but the first reads the one before and nothing else, and the first one input."""
        return len(self.layers[0].inputs) <= 1 and all(
            len(layer.inputs) == 1 and layer.sources == (before.name,) for before, layer in pairwise(self.layers)
        )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [("name", self.name), ("layers", len(self.layers))]  # they are many

    def __repr__(self) -> str:
        return f"<Task {self.name!r}: {counted(len(self.layers), 'layer')}>"

    __str__ = __repr__


class Weights(Fact):
    """Weights of the objective (Eq. 15-18): each triple sums to 1."""

    delay: Share
    energy: Share
    cost: Share
    score: Share
    coordination: Share
    balance: Share

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        for triple in (("delay", "energy", "cost"), ("score", "coordination", "balance")):
            total = sum(getattr(self, name) for name in triple)
            if abs(total - 1) > 1e-9:
                raise ValueError(f"{' + '.join(triple)} must be 1, not {total:.12g}")
        return self


class Coordination(Fact):
    """Which reading of the coupling coordination degree counts (Eq. 10, 11; docs/model.md, section 4)."""

    indicators: Literal["costs", "benefits"] = "costs"
    root: Literal[2, 3] = 2
    lambdas: tuple[NonNegative, NonNegative, NonNegative] = (0.33, 0.33, 0.34)


class Scales(Fact):
    """What each indicator is divided by; an indicator whose scale is 0 contributes 0."""

    delay_s: NonNegative
    energy_j: NonNegative
    cost_usd: NonNegative
    balance: NonNegative


class Limits(Fact):
    """What totals must not exceed (format 2)."""

    delay_s: Positive | None = None
    """of D, s"""
    energy_j: Positive | None = None
    """of the energy of all subtasks, J"""
    cost_usd: Positive | None = None
    """of the cost of all subtasks, $"""


def counted(count: int, what: str) -> str:
    """Return ``1 task``, ``2,000 tasks``."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def some(names: Sequence[str], most: int = 3) -> str:
    """Return the first of some names."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")
