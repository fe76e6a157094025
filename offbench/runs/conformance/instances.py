"""What solvers are tried on: small instances whose optimum can be enumerated, and larger ones."""

from offbench.model.composition import compose
from offbench.model.instance import Instance, Layer, Task, load

LARGE = 5_000
"""subtasks of the largest"""


def one_chain(layers: int = 4, edges: int = 2, clouds: int = 2) -> Instance:
    """Return the first layers of a network in the paper's environment."""
    task = load("alexnet").tasks[0]
    return _composed(task.model_copy(update={"layers": task.layers[:layers]}), edges, clouds)


def one_graph() -> Instance:
    """Return a fork and a join in the paper's environment."""
    return _composed(_graph(), edges=1, clouds=1)


def _graph() -> Task:
    branches = {"stem": (), "left": ("stem",), "right": ("stem",), "concat": ("left", "right"), "fc": ("concat",)}
    layers = [
        Layer(name=name, gcycles=0.4 + 0.3 * (j % 3), output_mb=0.7 - 0.2 * (j % 3), inputs=inputs)
        for j, (name, inputs) in enumerate(branches.items())
    ]
    return Task(name="graph", input_mb=0.574, layers=tuple(layers))


def long_chain(layers: int = LARGE) -> Instance:
    """Return one chain in the paper's environment."""
    made = [
        Layer(
            name=f"layer-{j}", gcycles=0.1 + 0.1 * (j % 7), output_mb=0.1 * (j % 5),
            inputs=(f"layer-{j - 1}",) if j else (),
        )
        for j in range(layers)
    ]  # fmt: skip
    return _composed(Task(name="chain", input_mb=0.574, layers=tuple(made)))


def queues() -> Instance:
    """Return three networks, one of them a graph, on servers that run one layer at a time.

    Too large for two runs to meet in the optimum by chance; so what isn't drawn from the seed comes out.
    """
    networks = [load("alexnet"), load("vgg19"), _network(_graph())]
    composed = compose("three networks, queues", networks, [0.0, 0.1, 0.2], 2, 2)
    return composed.model_copy(
        update={"servers": tuple(server.model_copy(update={"pool": 1}) for server in composed.servers)}
    )


def _composed(task: Task, edges: int = 2, clouds: int = 2) -> Instance:
    name = f"{task.name} of {len(task.layers)}, {edges} edges, {clouds} clouds"
    return compose(name, [_network(task)], [0.0], edges, clouds)


def _network(task: Task) -> Instance:
    return load("alexnet").model_copy(update={"name": task.name, "tasks": (task,)})
