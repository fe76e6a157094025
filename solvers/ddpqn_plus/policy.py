"""The policy that a shared network is, for any number of servers and any length of task."""

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from offbench import P1, OffbenchError, Search
from offbench.environment import Episodes
from offbench.solvers._shared.moves import start

from .features import ProblemFeatures, ServerObserver
from .learner import values
from .network import Shape

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

# The coldest temperature that isn't 0, over the hottest.
_COLDEST = 0.02


class SharedPolicy:
    """A network that has learnt.

    Parameters
    ----------
    shape
        Of the network.
    weights
        Flat.
    """

    def __init__(self, shape: Shape, weights: Floats32) -> None:
        self.shape, self.weights = shape, weights

    def place(self, problem: P1, rollouts: int, rng: np.random.Generator) -> Ints:
        """Return placements, shape ``(rollouts, n_subtasks)``: the greedy one, then sampled ones."""
        facts = ProblemFeatures(problem, start(problem, Search(problem)))
        observer = ServerObserver([problem], self.shape.constrained)
        episodes = Episodes(problem, rollouts, penalty=facts.penalty)
        temperature = ladder(rollouts, 1.0)
        for _ in problem.free:
            q = values(self.shape, self.weights, facts.observe(episodes, observer))
            episodes.step(draw(q, episodes.masks(), temperature, rng))
        return episodes.servers

    def save(self, file: BinaryIO) -> None:
        """Write what `load` reads."""
        from offbench.solvers.dqn.states import write

        write({"shape": list(self.shape), "weights": self.weights}, file)

    @classmethod
    def load(cls, file: BinaryIO) -> "SharedPolicy":
        """Read what `save` wrote.

        Raises
        ------
        OffbenchError
            If it isn't that: its parts don't fit one another, or a weight isn't finite.
        """
        from offbench.solvers.dqn.states import read

        kept = read(file)
        shape, weights = Shape(*kept["shape"]), np.ascontiguousarray(kept["weights"].numpy())
        # Compiled code believes the shape.
        fits = [type(part) for part in shape] == [int, int, bool, bool] and weights.dtype == np.float32
        if not fits or not 0 < min(shape[:2]) <= max(shape[:2]) <= weights.size or weights.shape != (shape.size,):
            raise OffbenchError("can't be read: its weights are none of a network of its shape")
        if not np.isfinite(weights).all():
            raise OffbenchError("can't be read: a weight isn't a finite number")
        return cls(shape, weights)


def ladder(rows: int, hottest: float) -> NDArray[np.float64]:
    """Return a temperature for each row: 0, then ever higher ones, shape ``(rows, 1)``."""
    return np.append(0.0, np.geomspace(_COLDEST * hottest, hottest, rows - 1))[:, None]


def draw(q: Floats32, masks: Mask, temperature: NDArray[np.float64], rng: np.random.Generator) -> Ints:
    """Draw an allowed action of each row by the softmax of its values over their deviation and the temperature."""
    known = np.where(masks, q, np.nan)
    deviation = np.nanstd(known, axis=1, keepdims=True)
    # The largest of values with Gumbel noise is a draw from their softmax.
    noisy = q + temperature * deviation * rng.gumbel(size=q.shape)
    drawn: Ints = np.where(masks, noisy, -np.inf).argmax(axis=1)
    return drawn
