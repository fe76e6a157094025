"""Runs of one solver on one instance in a process of their own, as `offbench bench` makes them, but with a laxer end.

Of P2 too, and twice in one process where the second run shows what remains without imports.
"""

from dataclasses import dataclass
from typing import Any

from offbench.bench.process import ONE_THREAD, Died, SolverProcess
from offbench.evaluation.evaluator import evaluate
from offbench.model.instance import Instance
from offbench.model.placement import parse_placement
from offbench.model.problem import P1
from offbench.search.registry import locate

__all__ = ["GRACE_S", "ONE_THREAD", "OneRun", "run"]

# What a solver may take beyond its time limit before it is ended.
GRACE_S = 120.0


@dataclass(frozen=True)
class OneRun:
    """What one run came to."""

    instance: str
    solver: str
    status: str
    """that of the solution, or why there is none"""
    objective: float | None = None
    bound: float | None = None
    gap: float | None = None
    """relative, MODEL.md section 9"""
    client_only: float | None = None
    seconds: float | None = None
    """the solver's own: `Solution.seconds`"""
    queueing_s: float | None = None
    """of all subtasks of the placement"""

    @property
    def proven(self) -> bool:
        """Whether the run proved its placement optimal."""
        return self.status == "optimal"


def run(
    instance: Instance,
    solver: str,
    time_limit: float,
    servers: list[int] | None = None,
    again: bool = False,
    parameters: dict[str, Any] | None = None,
) -> list[OneRun]:
    """Run a solver in a new process; *again* runs it a second time there, if the first run proved optimality.

    Parameters
    ----------
    servers
        For P2: the server of each subtask.
    parameters
        Of the solver.

    Raises
    ------
    OffbenchError
        If there is no such solver, or a library of it is not installed.
    """
    locate(solver)
    request = {
        "instance": instance.model_dump(mode="json"), "solver": solver, "seed": 0, "time_limit": time_limit,
        "max_evaluations": None, "servers": servers, "parameters": parameters or {},
    }  # fmt: skip
    rows: list[OneRun] = []
    try:
        with SolverProcess() as process:
            for _ in range(2 if again else 1):
                rows.append(_row(instance, solver, process.ask(request, 2 * time_limit + GRACE_S)))
                if not rows[0].proven:
                    break
    except TimeoutError:
        return [OneRun(instance.name, solver, "didn't end")]
    except Died as end:
        return [OneRun(instance.name, solver, str(end))]
    return rows


def _row(instance: Instance, solver: str, answer: dict[str, Any]) -> OneRun:
    if "solution" not in answer:
        return OneRun(instance.name, solver, f"{answer['status']}: {answer['message']}")
    found = answer["solution"]
    queueing_s = None
    if found["placement"] is not None:
        placement = parse_placement(found["placement"], instance, "placement")
        queueing_s = float(evaluate(P1(instance), placement).parts[:, 3].sum())
    return OneRun(
        instance.name, solver, found["status"], found["objective"], found["lower_bound"], found["gap"],
        found["client_only"]["objective"], found["seconds"], queueing_s,
    )  # fmt: skip
