"""Results as tables for people; rich renderables, and their text and HTML."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from math import inf
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from offbench.evaluation.breaches import verdict
from offbench.evaluation.client_only import elsewhere_note, marked
from offbench.evaluation.gaps import contradict
from offbench.files.escaping import in_terminal
from offbench.runs import cuts
from offbench.runs.in_words import addends
from offbench.runs.whereabouts import whereabouts

if TYPE_CHECKING:
    from offbench.evaluation.evaluator import Evaluation
    from offbench.model.instance import Instance
    from offbench.model.placement import Placement
    from offbench.model.problem import Problem
    from offbench.runs.solution_facts import SolutionFacts

_ROWS = (
    ("delay", "delay_s", "s"),
    ("energy", "energy_j", "J"),
    ("cost", "cost_usd", "$"),
    ("score SC", "score", ""),
    ("coordination H", "coordination", ""),
    ("balance Z", "balance", ""),
)
_OBJECTIVE = ("objective Q", "objective", "")
_TASKS_AT_MOST = 12
_RATIOS = ("delay_s", "energy_j", "cost_usd", "score", "coordination", "balance")
# Parts of the violation; shown where there is some.
_VIOLATIONS = (
    ("violation", "violation", ""),
    ("of memories", "memory_violation", ""),
    ("of deadlines", "deadline_violation", ""),
    ("of limits", "limit_violation", ""),
)


def summary(solution: SolutionFacts) -> RenderableType:
    """Return what `offbench solve` prints."""
    which = f"{solution.solver} on {solution.instance.name} ({solution.problem})"
    if solution.placement is None or solution.evaluation is None:
        if solution.infeasible:
            return Text(f"{which}: infeasible: {in_vain(solution)}: {solution.reason}")
        why = solution.reason or f"the run ended ({solution.stopped}) before the solver proposed one"
        return Text(f"{which}: no placement: {why}")
    head = Text.assemble(
        (solution.solver, "bold"), " in two steps" if solution.stages else "", " on ", (solution.instance.name, "bold"),
        f" ({solution.problem}): {_status(solution)}, ended by {_ending(solution.stopped)} after "
        f"{solution.seconds:.2f} s and {solution.evaluations:,} evaluations, seed {solution.seed}",
    )  # fmt: skip
    reason = f"{in_vain(solution)}: {solution.reason}" if solution.infeasible else solution.reason
    found = (_bound(solution), _known(solution)) if solution.feasible else (reason, _known(solution))
    single = solution.best_single
    lines = (
        _elsewhere(solution.instance),
        f"* {single.note}" if single is not None and single.note else "",
        solution.reason if solution.feasible else "",
        *found,
        _trained(solution),
        _finish(solution),
    )
    label = marked("client-only", solution.instance)
    return Group(
        *(Text(line) for line in verdict(solution.instance, solution.placement, solution.evaluation)),
        *told(solution.in_words, solution.bought),
        head,
        *stages(solution),
        comparison(solution.instance, *_columns(solution, label)),
        *(Text(line) for line in lines if line),
        *where_to_cut(solution.free_problem, solution.placement),
        whereabouts(solution.instance, solution.placement, solution.evaluation),
        *(Text(f"warning: {warning}", style="yellow") for warning in solution.warnings),
    )


def told(words: str, bought: str) -> Iterator[Text]:
    """Yield what a placement means, and, so that nobody misses it, what bought its Q."""
    yield Text(words.removesuffix(bought).strip(), style="bold")
    if bought:
        yield Text(bought, style="bold red")


def where_to_cut(problem: Problem, placement: Placement) -> Iterator[Text]:
    """Yield a line for each of the first tasks: its stretches of layers on one server, and what is sent between."""
    for number, line in enumerate(cuts.told(problem, placement)):
        if number == _TASKS_AT_MOST:
            yield Text(f"... and {problem.n_tasks - _TASKS_AT_MOST:,} tasks more", style="dim")
            return
        yield Text(line)


def _columns(solution: SolutionFacts, client: str) -> list[tuple[str, Evaluation]]:
    assert solution.evaluation is not None
    single = solution.best_single
    beside = [] if single is None else [(single.label, single.evaluation)]
    return [(solution.solver, solution.evaluation), *beside, (client, solution.client_only)]


def in_a_line(solution: SolutionFacts) -> str:
    """Say of a run without a feasible placement how it ended, and what breaks most."""
    head = f"{solution.solver} on {solution.instance.name} ({solution.problem}): {solution.status}"
    why = f"{in_vain(solution)}: {solution.reason}" if solution.infeasible else solution.reason
    least = "" if solution.violation is None else f"least violation {solution.violation:.4g}"
    worst = f"most: {solution.breaches[0]}" if solution.breaches else ""
    return f"{head}: {'; '.join(filter(None, (why, least, worst)))}"


def in_vain(solution: SolutionFacts) -> str:
    """Say what is proven where nothing is feasible."""
    which = "no placement" if solution.problem == "P1" else "no dispatch order for these servers"
    return f"{which} keeps all constraints"


def _status(solution: SolutionFacts) -> str:
    if solution.feasible:
        return solution.status
    return f"{solution.status}: none found that keeps all constraints; this is the one that breaks them least"


def _elsewhere(instance: Instance) -> str:
    """Tell what is no "everything on the client", which missed improvement and certified count from."""
    note = elsewhere_note(instance)
    return f"* {note}; missed improvement and certified count from there" if note else ""


def _ending(stopped: str) -> str:
    words = {"finished": "itself", "interrupted": "a signal (Ctrl-C, or SIGTERM)", "optimal": "proof"}
    return words.get(stopped, f"its {stopped}")


def stages(solution: SolutionFacts) -> Iterator[RenderableType]:
    """Yield a row for each stage of two-step offloading, and what its last bound says."""
    if not solution.stages:
        return
    table = Table("stage", "solver", "places", "budget", "s", "evaluations", "its Q", "its bound", "full graph's Q")
    for column in table.columns[2:]:
        column.justify = "right"
    for stage in solution.stages:
        found = stage.solution
        budgets = (
            "" if stage.time_limit is None else f"{stage.time_limit:.4g} s",
            "" if stage.max_evaluations is None else f"{stage.max_evaluations:,}",
        )
        bound = found.lower_bound
        table.add_row(
            stage.name, found.solver, f"{stage.free} of {found.instance.subtasks}", ", ".join(filter(None, budgets)),
            f"{found.seconds:.2f}", f"{found.evaluations:,}", _q(found.objective),
            "none" if bound == -inf else f"{bound:.6g}", _q(stage.objective),
        )  # fmt: skip
    yield table
    if len(solution.stages) > 1 and solution.stages[-1].solution.lower_bound > -inf:
        last = solution.stages[-1].solution
        yield f"what is pinned in the {solution.stages[-1].name} problem leaves no Q below {last.lower_bound:.6g}"


def _q(objective: float) -> str:
    return "not feasible" if objective == inf else f"{objective:.6g}"


def _bound(solution: SolutionFacts) -> str:
    if len(solution.stages) > 1:
        return "lower bound: none on the full graph (a stage's is about the problem of that stage)"
    if solution.lower_bound == -inf:
        return "lower bound: none (this solver proves nothing)"
    gap = "" if solution.gap is None else f", relative gap {solution.gap:.3%}"
    return f"lower bound: {solution.lower_bound:.6g}{gap}"


def _trained(solution: SolutionFacts) -> str:
    if solution.trained is None:
        return ""
    checkpoint = solution.trained.checkpoint
    met = "met" if solution.trained.met else "not met"
    count = len(checkpoint.instances)
    on = f"{count} instance{'s' if count > 1 else ''}"
    return (
        f"policy of {solution.trained.folder}: this instance was {met} in training; trained for "
        f"{checkpoint.seconds:.1f} s on {on}, inference {solution.trained.inference_s:.3f} s"
    )


def _known(solution: SolutionFacts) -> str:
    """Tell how far the run is from what is known of the instance (MODEL.md section 9)."""
    parts = []
    reference = solution.reference
    if reference is not None and reference.best_objective is not None:
        state = "proven optimal" if reference.proven else "not proven optimal"
        parts.append(f"best known Q: {reference.best_objective:.6g} ({state})")
        client_only = solution.client_only.objective
        if reference.best_bound is not None and contradict(
            solution.objective, reference.best_bound, client_only=client_only
        ):
            parts.append(f"this run is below its bound, {reference.best_bound:.6g}: one of them is wrong")
        elif contradict(reference.best_objective, solution.lower_bound, client_only=client_only):
            parts.append("this run's bound lies above it: one of them is wrong")
        elif solution.objective < reference.best_objective:
            parts.append("this run is better")
        if solution.missed_improvement is not None:
            parts.append(f"missed improvement {solution.missed_improvement:z.2%}")
    if solution.certified is not None:
        parts.append(f"certified {solution.certified:z.2%}")
    if (solution.missed_improvement, solution.certified) != (None, None) and not solution.client_only.feasible:
        parts.append("counted from client-only, though that breaks constraints")
    return ", ".join(parts)


def _finish(solution: SolutionFacts) -> str:
    p2 = solution.p2
    if p2 is None:
        return ""
    by = f"dispatch order by {p2.solver} (P2)"
    if p2.objective_before is None or p2.gain is None:
        return f"{by}: {'feasible by that' if solution.feasible else 'still not feasible'}"
    after = p2.objective_before - p2.gain
    return f"{by}: Q {p2.objective_before:.6g} -> {after:.6g}, gain {p2.gain:.4g}"


def comparison(instance: Instance, *named: tuple[str, Evaluation]) -> Table:
    """Return indicators and Q's addends as rows, placements with their names as columns, the change to the first.

    Of a placement that isn't feasible the objective is told, but compared with nothing; then the violation is a row,
    and its parts.
    """
    table = Table("indicator", title=None)
    for name, _ in named:
        table.add_column(name, justify="right")
    table.add_column("change", justify="right")
    evaluations = [evaluation for _, evaluation in named]
    first, last = evaluations[0], evaluations[-1]
    parts = [{f"of Q: {name}": value for name, value in addends(instance, each).items()} for each in evaluations]
    for label, name, unit in (*_ROWS, *_addends(instance), _OBJECTIVE, *_violations(evaluations)):
        values = [
            part[name] if name in part else getattr(evaluation, name)
            for part, evaluation in zip(parts, evaluations, strict=True)
        ]
        cells = [f"{value:.6g}" for value in values]
        here, there = values[0], values[-1]
        # A ratio to a number that may be negative or zero misleads; Q's change is told as a difference.
        ratio = f"{here / there - 1:+.1%}" if there > 0 and name in _RATIOS else f"{here - there:+.4g}"
        comparable = name != "objective" or (first.feasible and last.feasible)
        cells.append(ratio if comparable else "not comparable")
        style = "bold" if name == "objective" else None
        table.add_row(f"{label} ({unit})" if unit else label, *cells, style=style)
    return table


def _addends(instance: Instance) -> list[tuple[str, str, str]]:
    """Return the rows of Q's addends; none where Q is the score."""
    w = instance.weights
    if w.coordination == w.balance == 0:
        return []
    weighed = {"score": f"{w.score:g} SC", "H": f"-{w.coordination:g} H", "Z": f"{w.balance:g} Z"}
    return [(f"  of Q: {label}", f"of Q: {name}", "") for name, label in weighed.items()]


def _violations(found: list[Evaluation]) -> list[tuple[str, str, str]]:
    """Return the rows of the violation, those that anything is in."""
    if all(evaluation.feasible for evaluation in found):
        return []
    return [row for row in _VIOLATIONS if any(getattr(evaluation, row[1]) > 0 for evaluation in found)]


def as_text(solution: SolutionFacts, width: int = 110) -> str:
    """Return the summary as plain text."""
    console = Console(file=StringIO(), width=width, color_system=None, force_jupyter=False, markup=False, emoji=False)
    console.print(in_terminal(summary(solution)))
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue().rstrip()


def as_html(solution: SolutionFacts) -> str:
    """Return the summary as HTML for notebooks."""
    from offbench.runs.html import as_page

    return as_page(in_terminal(summary(solution)))
