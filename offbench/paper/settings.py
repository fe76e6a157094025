"""What an experiment varies of an instance: network, weights, reading of H, servers, number of tasks."""

import math
from dataclasses import dataclass
from typing import Any

from offbench.bench.suite import Composed
from offbench.model.composition import PAPER_WEIGHTS
from offbench.model.instance import Coordination, Weights, load


def _objective(score: float, coordination: float, balance: float) -> Weights:
    changed = {"score": score, "coordination": coordination, "balance": balance}
    return PAPER_WEIGHTS.model_copy(update=changed)


def _score(delay: float, energy: float, cost: float) -> Weights:
    return PAPER_WEIGHTS.model_copy(update={"delay": delay, "energy": energy, "cost": cost})


# Section 5.1: A is the score of delay, energy and cost, B the coordination, X the balance. The paper gives
# the weights of A-B-X alone. Our reading: what is left out weighs nothing, the others keep their proportion.
ALL = "A-B-X"
WEIGHTS: dict[str, Weights] = {
    "A": _objective(1, 0, 0),
    "A-B": _objective(0.75, 0.25, 0),
    "A-X": _objective(0.75, 0, 0.25),
    ALL: PAPER_WEIGHTS,
    # delay : energy : cost (figure 7a)
    "7:2:1": _score(0.7, 0.2, 0.1),
    "1:7:2": _score(0.1, 0.7, 0.2),
    "2:1:7": _score(0.2, 0.1, 0.7),
    # score : coordination : balance (figure 7b); 6:2:2 is A-B-X
    "2:3:5": _objective(0.2, 0.3, 0.5),
    "8:1:1": _objective(0.8, 0.1, 0.1),
}

# MODEL.md, section 4, Reading b: as Eq. 11 prints it, and as the literature has it that the paper cites.
PRINTED, BENEFITS = "printed", "benefits"
READINGS: dict[str, Coordination] = {PRINTED: Coordination(), BENEFITS: Coordination(indicators="benefits", root=3)}

# Figure 12: edges and clouds.
ENVIRONMENTS = {"L-E-C": (5, 5), "L-E": (5, 0), "L-C": (0, 5)}
# Figure 13: edges and clouds with the ratios 0, 0.2, 0.6, 1, 1.8 and infinity.
RATIOS = ((0, 5), (1, 5), (3, 5), (5, 5), (9, 5), (5, 0))


@dataclass(frozen=True)
class Setting:
    """An instance of an experiment, in the terms of the paper."""

    network: str
    weights: str = ALL
    """a key of `WEIGHTS`"""
    reading: str = PRINTED
    """of H, a key of `READINGS`"""
    edges: int = 5
    clouds: int = 5
    tasks: int = 1

    @property
    def name(self) -> str:
        """The network, and what differs from the paper's setup."""
        parts = [self.network]
        parts += [self.weights] if self.weights != ALL else []
        parts += [self.reading] if self.reading != PRINTED else []
        parts += [f"e{self.edges}-c{self.clouds}"] if (self.edges, self.clouds) != (5, 5) else []
        parts += [f"x{self.tasks}"] if self.tasks > 1 else []
        return " ".join(parts)

    @property
    def is_chain(self) -> bool:
        """Whether its optimum can be proven by `chain-exact`."""
        return self.tasks == 1 and load(self.network).is_chain

    @property
    def entry(self) -> Composed:
        """What a suite says of it."""
        return Composed(
            networks=(self.network,), tasks=self.tasks, edges=self.edges, clouds=self.clouds,
            weights=WEIGHTS[self.weights], coordination=READINGS[self.reading], name=self.name,
        )  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Return what a table says of it; the columns that claims group by."""
        weights = {f"weight_{name}": value for name, value in WEIGHTS[self.weights].model_dump().items()}
        return {
            "network": self.network, "weights": self.weights, "reading": self.reading,
            "environment": "L" + "-E" * (self.edges > 0) + "-C" * (self.clouds > 0),
            "edges": self.edges, "clouds": self.clouds,
            "ratio": self.edges / self.clouds if self.clouds else math.inf, "tasks": self.tasks, **weights,
        }  # fmt: skip
