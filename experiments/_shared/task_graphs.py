"""Random graphs of tasks on equal processors, drawn as those of the Standard Task Graph Set are described.

Tobita and Kasahara (2002), "A standard task graph set for fair evaluation of multiprocessor scheduling algorithms",
Journal of Scheduling 5: four ways to draw edges, several distributions of times, no communication. What is theirs are
the ways; parameters that the description leaves open are chosen here, so the graphs are like theirs, not theirs.
"""

from typing import Any

import numpy as np

from offbench.model.instance import Instance, parse

METHODS = ("sameprob", "samepred", "layrprob", "layrpred")
TIMES = ("uniform", "normal", "exponential")

Edges = list[list[int]]

# Mean of the times; what they are drawn from is cut at 1, and they are whole numbers.
_MEAN = 5.5


def task_graph(method: str, times: str, tasks: int, processors: int, seed: int) -> Instance:
    """Return a graph as an instance in which the delay alone counts and nothing is sent.

    Parameters
    ----------
    method
        How edges are drawn. ``sameprob``: between each two tasks with one probability, 0.1 or 0.2. ``samepred``: so
        that a task has 1, 3 or 5 predecessors in the mean. ``layrprob`` and ``layrpred``: the same, but tasks are in
        layers, of which the number is drawn first, and edges lead from layer to later layer.
    times
        Distribution of the times: ``uniform`` from 1 to 10, ``normal`` or ``exponential`` of the same mean.
    tasks, processors
        How many.
    seed
        Of the draw. The same graph comes for any number of processors.
    """
    rng = np.random.default_rng([seed, METHODS.index(method), TIMES.index(times), tasks])
    seconds, edges = _seconds(times, tasks, rng), _edges(method, tasks, rng)
    layers = [
        {"name": f"n{k}", "gcycles": float(seconds[k]), "output_mb": 0, "inputs": [f"n{u}" for u in edges[k]]}
        for k in range(tasks)
    ]
    return parse(_on_processors(f"{method}-{times}-{tasks}-{seed} on {processors}", layers, processors))


def _seconds(times: str, tasks: int, rng: np.random.Generator) -> Any:
    if times == "uniform":
        return rng.integers(1, int(2 * _MEAN), tasks)
    drawn = rng.normal(_MEAN, _MEAN / 3, tasks) if times == "normal" else rng.exponential(_MEAN, tasks)
    return np.maximum(1, drawn.round())


def _edges(method: str, tasks: int, rng: np.random.Generator) -> Edges:
    """Return the predecessors of each task."""
    layer = np.arange(tasks)
    if method.startswith("layr"):
        # As many layers as leave 2 to 10 tasks in each, in the mean; no layer is empty.
        layers = max(2, round(tasks / rng.uniform(2, 10)))
        layer = np.sort(np.concatenate((np.arange(layers), rng.integers(layers, size=tasks - layers))))
    probability, predecessors = float(rng.choice([0.1, 0.2])), float(rng.choice([1, 3, 5]))
    edges = []
    for k in range(tasks):
        before = np.flatnonzero(layer < layer[k])
        share = probability if method.endswith("prob") else min(1.0, predecessors / max(1, len(before)))
        edges.append(before[rng.random(len(before)) < share].tolist())
    return edges


def _on_processors(name: str, layers: list[dict[str, Any]], processors: int) -> dict[str, Any]:
    server = {"compute_ghz": 1, "price_per_hour": 0, "client_power_w": 0, "pool": 1}
    link = {"rate_mb_per_s": 1, "price_per_gb": 0}
    return {
        "format": "offbench/1", "name": name, "source": "drawn as Tobita and Kasahara (2002) describe",
        "servers": [
            {"name": f"p{s}", "kind": "edge" if s else "client", **server} for s in range(processors)
        ],
        "links": [{"between": ["client", "edge"], **link}, {"between": ["edge", "edge"], **link}],
        "tasks": [{"name": "graph", "input_mb": 0, "layers": layers}],
        "weights": {"delay": 1, "energy": 0, "cost": 0, "score": 1, "coordination": 0, "balance": 0},
        "scales": {"delay_s": 1, "energy_j": 1, "cost_usd": 1, "balance": 1},
    }  # fmt: skip
