"""Everything on the client: the placement that gaps are measured from (MODEL.md section 9).

What may not run there stands where it first may; then nobody should call it "everything" without saying so.
"""

from offbench.evaluation.evaluator import Evaluation, evaluate
from offbench.model.instance import Instance
from offbench.model.problem import P1, P2, Problem


def client_only(problem: Problem) -> Evaluation:
    """Return the evaluation of everything on the client, whatever servers a P2 gives."""
    free = P1(problem.instance) if isinstance(problem, P2) else problem
    return evaluate(free, free.everything_on(free.arrays.client))


def elsewhere(instance: Instance, server: int | None = None) -> int:
    """Return how many subtasks may not run at a place, their client without one, by their `allowed`."""
    place = instance.places.index(instance.client) if server is None else server
    return sum(
        layer.allowed is not None and instance.server_at(i, place).name not in layer.allowed
        for i, task in enumerate(instance.tasks)
        for layer in task.layers
    )


def elsewhere_note(instance: Instance) -> str:
    """Tell how much of "everything on the client" isn't there; empty where it all is."""
    name = instance.servers[instance.client].name if len(instance.clients) == 1 else "its own client"
    return note_of(name, elsewhere(instance))


def note_of(server: str, count: int) -> str:
    """Tell that *count* layers may not run on a server where everything is said to; empty for none."""
    if count == 0:
        return ""
    layers = f"{count:,} layer{'s' if count > 1 else ''}"
    return f"not everything on {server}: {layers} may not run there ('allowed') and stand elsewhere"


def marked(label: str, instance: Instance) -> str:
    """Return a label such as "client-only", with an asterisk where `elsewhere_note` has something to say."""
    return f"{label}*" if elsewhere(instance) else label
