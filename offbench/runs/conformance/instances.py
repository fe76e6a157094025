"""What solvers are tried on: small instances whose optimum can be enumerated, and larger ones."""

from offbench.model.composition import compose
from offbench.model.instance import Instance, Layer, LayerOutput, Limits, Link, Server, Task, TaskInput, Weights, load
from offbench.model.objectives import with_objective

LARGE = 5_000
"""subtasks of the largest"""


def one_chain(layers: int = 4, edges: int = 2, clouds: int = 2) -> Instance:
    """Return the first layers of a network in the paper's environment."""
    task = load("alexnet").tasks[0]
    return _composed(task.model_copy(update={"layers": task.layers[:layers]}), edges, clouds)


def one_graph() -> Instance:
    """Return a fork and a join in the paper's environment."""
    return _composed(_graph(), edges=1, clouds=1)


def score_alone() -> Instance:
    """Return `one_graph` with an objective of delay, energy and cost."""
    return with_objective(one_graph(), "score").model_copy(update={"name": "graph of 5, score alone"})


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


def phones(memory_mb: float | None = None, deadline_s: float | None = None, limits: Limits | None = None) -> Instance:
    """Return two phones that share an edge and a cloud: directed links, latency, what is measured and what is not.

    The phones' networks have the same head, whose weights are the same.

    Parameters
    ----------
    memory_mb
        Of the edge; a phone has half of it.
    deadline_s
        Of each task.
    limits
        Of the totals.
    """
    half_mb = None if memory_mb is None else memory_mb / 2
    servers = (
        Server(
            name="phone-1", kind="client", compute_ghz=1, price_per_hour=0, client_power_w=4, pool=1,
            idle_power_w=0.9, memory_mb=half_mb,
        ),
        Server(
            name="edge", kind="edge", compute_ghz=8, price_per_hour=2, client_power_w=1, pool=1, memory_mb=memory_mb
        ),
        Server(
            name="phone-2", kind="client", compute_ghz=2, price_per_hour=0, client_power_w=6, pool=1, memory_mb=half_mb
        ),
        Server(name="cloud", kind="cloud", compute_ghz=40, price_per_hour=8, client_power_w=1, pool=2),
    )  # fmt: skip
    links = (
        Link(from_="client", to="edge", rate_mb_per_s=2.5, latency_s=0.012, price_per_gb=0.1, transmit_power_w=2),
        Link(from_="edge", to="client", rate_mb_per_s=11, latency_s=0.012, price_per_gb=0.1, transmit_power_w=1),
        Link(between=("client", "cloud"), rate_mb_per_s=0.5, latency_s=0.05, price_per_gb=0.8, transmit_power_w=2),
        Link(from_="phone-2", to="cloud", rate_mb_per_s=1, latency_s=0.07, price_per_gb=0.8, transmit_power_w=2),
        Link(between=("edge", "cloud"), rate_mb_per_s=5, latency_s=0.02, price_per_gb=0.4),
    )
    head = {"output_mb": 0.01, "weights_mb": 20.0, "weights_id": "head"}
    chain = (
        Layer(
            name="conv", seconds={"phone-1": 0.4, "edge": 0.05, "cloud": 0.01}, output_mb=0.6, inputs=(), weights_mb=4
        ),
        Layer(name="pool", gcycles=0.1, output_mb=0.2, inputs=("conv",)),
        Layer(name="head", seconds={"client": 0.3, "cloud": 0.02}, gcycles=0.8, inputs=("pool",), **head),
    )
    graph = (
        Layer(name="stem", gcycles=0.5, output_mb=0.7, inputs=(TaskInput(input_mb=0.3),), weights_mb=6),
        Layer(name="left", gcycles=0.9, output_mb=0.2, inputs=(LayerOutput(layer="stem", mb=0.4),), weights_mb=9),
        Layer(name="right", seconds=dict.fromkeys(("client", "edge", "cloud"), 0.0), output_mb=0.1,
              inputs=("stem", TaskInput(input_mb=0.1))),
        Layer(name="head", gcycles=0.8, inputs=("left", "right"), **head),
    )  # fmt: skip
    tasks = (
        Task(name="chain", client="phone-1", deadline_s=deadline_s, input_mb=0.5, layers=chain),
        Task(name="graph", client="phone-2", arrival_s=0.1, deadline_s=deadline_s, input_mb=0.4, layers=graph),
    )
    return Instance(
        format="offbench/2", name="two phones", servers=servers, links=links, tasks=tasks, limits=limits,
        weights=Weights(delay=0.5, energy=0.3, cost=0.2, score=0.6, coordination=0.2, balance=0.2),
    )  # fmt: skip


def binding() -> Instance:
    """Return `phones` with memories, deadlines and a limit that one placement in twenty keeps."""
    return phones(40, 0.7, Limits(energy_j=2.5)).model_copy(update={"name": "two phones, tight"})


def infeasible() -> Instance:
    """Return `phones` with constraints that no placement keeps, though each of them alone is kept by some."""
    return phones(26, 0.45, Limits(cost_usd=4e-4)).model_copy(update={"name": "two phones, in vain"})


def nothing_weighs() -> Instance:
    """Return `phones` where Q counts the balance alone, so that many placements are alike; the edge holds little."""
    balance = Weights(delay=1, energy=0, cost=0, score=0, coordination=0, balance=1)
    return phones(16).model_copy(update={"name": "two phones, weights of 0", "weights": balance})


def _composed(task: Task, edges: int = 2, clouds: int = 2) -> Instance:
    name = f"{task.name} of {len(task.layers)}, {edges} edges, {clouds} clouds"
    return compose(name, [_network(task)], [0.0], edges, clouds)


def _network(task: Task) -> Instance:
    return load("alexnet").model_copy(update={"name": task.name, "tasks": (task,)})
