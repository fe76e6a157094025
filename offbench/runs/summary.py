"""Results as tables for people; rich renderables, and their text and HTML."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from math import inf
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from offbench.evaluation.client_only import elsewhere_note, marked
from offbench.evaluation.gaps import contradict
from offbench.files.escaping import in_terminal

if TYPE_CHECKING:
    from offbench.evaluation.evaluator import Evaluation
    from offbench.model.instance import Instance
    from offbench.model.placement import Placement
    from offbench.runs.solution_facts import SolutionFacts

_ROWS = (
    ("delay", "delay_s", "s"),
    ("energy", "energy_j", "J"),
    ("cost", "cost_usd", "$"),
    ("score SC", "score", ""),
    ("coordination H", "coordination", ""),
    ("balance Z", "balance", ""),
    ("objective Q", "objective", ""),
)
_COLOURS = {"client": ("green",), "edge": ("cyan", "blue"), "cloud": ("magenta", "red")}
_STRIPS_AT_MOST = 12


def summary(solution: SolutionFacts) -> RenderableType:
    """Return what `offbench solve` prints."""
    if solution.placement is None or solution.evaluation is None:
        why = solution.reason or f"the run ended ({solution.stopped}) before the solver proposed one"
        return Text(f"{solution.solver} on {solution.instance.name} ({solution.problem}): no placement: {why}")
    head = Text.assemble(
        (solution.solver, "bold"), " in two steps" if solution.stages else "", " on ", (solution.instance.name, "bold"),
        f" ({solution.problem}): {solution.status}, ended by {_ending(solution.stopped)} after "
        f"{solution.seconds:.2f} s and {solution.evaluations:,} evaluations, seed {solution.seed}",
    )  # fmt: skip
    lines = (
        _elsewhere(solution.instance),
        solution.reason,
        _bound(solution),
        _known(solution),
        _trained(solution),
        _finish(solution),
    )
    return Group(
        head,
        *stages(solution),
        comparison(
            {solution.solver: solution.evaluation, marked("client-only", solution.instance): solution.client_only}
        ),
        *(Text(line) for line in lines if line),
        whereabouts(solution.instance, solution.placement, solution.evaluation),
        *(Text(f"warning: {warning}", style="yellow") for warning in solution.warnings),
    )


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
            f"{found.seconds:.2f}", f"{found.evaluations:,}", f"{found.objective:.6g}",
            "none" if bound == -inf else f"{bound:.6g}", f"{stage.objective:.6g}",
        )  # fmt: skip
    yield table
    if len(solution.stages) > 1 and solution.stages[-1].solution.lower_bound > -inf:
        last = solution.stages[-1].solution
        yield f"what is pinned in the {solution.stages[-1].name} problem leaves no Q below {last.lower_bound:.6g}"


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
    if reference is not None:
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
    return ", ".join(parts)


def _finish(solution: SolutionFacts) -> str:
    p2 = solution.p2
    if p2 is None:
        return ""
    after = p2.objective_before - p2.gain
    return f"dispatch order by {p2.solver} (P2): Q {p2.objective_before:.6g} -> {after:.6g}, gain {p2.gain:.4g}"


def comparison(evaluations: dict[str, Evaluation]) -> Table:
    """Return indicators as rows, placements as columns, and the change from the last to the first."""
    table = Table("indicator", title=None)
    for name in evaluations:
        table.add_column(name, justify="right")
    first, *_, last = evaluations.values()
    compare = len(evaluations) > 1
    if compare:
        table.add_column("change", justify="right")
    for label, name, unit in _ROWS:
        values = [getattr(evaluation, name) for evaluation in evaluations.values()]
        cells = [f"{value:.6g}" for value in values]
        if compare:
            here, there = getattr(first, name), getattr(last, name)
            # A ratio to a number that may be negative or zero misleads; Q's change is told as a difference.
            ratio = f"{here / there - 1:+.1%}" if there > 0 and name != "objective" else f"{here - there:+.4g}"
            cells.append(ratio)
        style = "bold" if name == "objective" else None
        table.add_row(f"{label} ({unit})" if unit else label, *cells, style=style)
    return table


def whereabouts(instance: Instance, placement: Placement, evaluation: Evaluation) -> RenderableType:
    """Return how much each server got, and a coloured strip of each task's layers."""
    parts = evaluation.parts
    counts = [int((placement.servers == s).sum()) for s in range(len(instance.servers))]
    table = Table("server", "", "layers", "share", "busy s", "waiting s", title=None)
    for column in table.columns[2:]:
        column.justify = "right"
    letters = server_letters(instance)
    for s, server in enumerate(instance.servers):
        if counts[s] == 0:
            continue
        here = placement.servers == s
        table.add_row(
            Text(f"{letters[s][0]} {server.name}", style=letters[s][1]),
            Text("█" * max(1, round(20 * counts[s] / max(counts))), style=letters[s][1]),
            str(counts[s]),
            f"{counts[s] / instance.subtasks:.0%}",
            f"{parts[here, 1].sum():.4g}",
            f"{parts[here, 3].sum():.4g}",
        )
    unused = [server.name for s, server in enumerate(instance.servers) if counts[s] == 0]
    lines: list[RenderableType] = [table]
    if unused:
        lines.append(Text(f"not used: {', '.join(unused)}", style="dim"))
    lines += _strips(instance, placement, letters)
    return Group(*lines)


def server_letters(instance: Instance) -> list[tuple[str, str]]:
    """Return a character and a colour for each server: 0 client, 1-9 and a-z the others of its kind."""
    seen = {"client": 0, "edge": 0, "cloud": 0}
    symbols = {"client": "L", "edge": "123456789", "cloud": "abcdefghijklmnopqrstuvwxyz"}
    letters = []
    for server in instance.servers:
        number = seen[server.kind]
        seen[server.kind] += 1
        alphabet, colours = symbols[server.kind], _COLOURS[server.kind]
        symbol = alphabet[number] if number < len(alphabet) else "+"
        letters.append((symbol, colours[number % len(colours)]))
    return letters


def _strips(instance: Instance, placement: Placement, letters: list[tuple[str, str]]) -> Iterator[RenderableType]:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    first = 0
    for task in instance.tasks[:_STRIPS_AT_MOST]:
        strip = Text()
        for s in placement.servers[first : first + len(task.layers)]:
            strip.append(*letters[s])
        grid.add_row(Text(task.name), strip)
        first += len(task.layers)
    yield grid
    if len(instance.tasks) > _STRIPS_AT_MOST:
        yield Text(f"... and {len(instance.tasks) - _STRIPS_AT_MOST} tasks more", style="dim")


def as_text(solution: SolutionFacts, width: int = 110) -> str:
    """Return the summary as plain text."""
    console = Console(file=StringIO(), width=width, color_system=None, force_jupyter=False, markup=False, emoji=False)
    console.print(in_terminal(summary(solution)))
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue().rstrip()


def as_html(solution: SolutionFacts, width: int = 110) -> str:
    """Return the summary as HTML for notebooks."""
    console = Console(file=StringIO(), width=width, record=True, force_jupyter=False, markup=False, emoji=False)
    console.print(in_terminal(summary(solution)))
    return console.export_html(
        inline_styles=True, code_format='<pre style="line-height:1.2;font-family:monospace">{code}</pre>'
    )
