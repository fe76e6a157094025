"""A memory that holds all the weights that there are is no constraint for a solver."""

from offbench import P1, load, solve, with_objective
from offbench.model.instance import Instance


def with_memory(instance: Instance, mb: float) -> Instance:
    servers = tuple(server.model_copy(update={"memory_mb": mb}) for server in instance.servers)
    return instance.model_copy(update={"format": "offbench/2", "servers": servers})


def test_memory_that_holds_everything_binds_nothing() -> None:
    instance = with_objective(load("alexnet"), "score")
    layers = tuple(layer.model_copy(update={"weights_mb": 10.0}) for layer in instance.tasks[0].layers)
    task = instance.tasks[0].model_copy(update={"layers": layers})
    heavy = instance.model_copy(update={"format": "offbench/2", "tasks": (task,)})
    assert not P1(with_memory(heavy, 111.0)).constrained
    tight = P1(with_memory(heavy, 109.0))
    assert tight.constrained and tight.arrays.memory_mb.max() == 109
    roomy = solve(with_memory(heavy, 111.0), "graph-exact", time_limit=20)
    assert roomy.status == "optimal" and roomy.feasible and roomy.breaches == []
    assert roomy.objective == solve(instance, "graph-exact", time_limit=20).objective
