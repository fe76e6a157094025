"""`offbench train`: train a solver once, for many instances."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.shared.arguments import (
    Json,
    LogDirOption,
    ObjectiveOption,
    SeedOption,
    SettingsOption,
    WeightsOption,
    parse_settings,
)
from offbench.cli.shared.errors import say
from offbench.cli.shared.interrupt import one_interrupt

if TYPE_CHECKING:
    from offbench.learning.checkpoint import Checkpoint
    from offbench.learning.train import Watched


def train(
    instances: Annotated[
        list[str], typer.Argument(metavar="INSTANCE...", help="What it learns from: files, or names of shipped ones.")
    ],
    solver: Annotated[str, typer.Option(metavar="NAME", help="A solver that can be trained, such as ddpqn.")],
    output: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the policy and all that it takes to go on.")],
    objective: ObjectiveOption = None,
    weights: WeightsOption = None,
    settings: SettingsOption = None,
    seed: SeedOption = 0,
    steps: Annotated[
        int | None, typer.Option(metavar="N", help="Layers to place; the same number gives the same policy.")
    ] = None,
    time_limit: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds of training; 60 if no budget is given.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the folder's training, given as it was begun.")
    ] = False,
    save_every: Annotated[float, typer.Option(metavar="S", help="Seconds between checkpoints.")] = 30.0,
    log_dir: LogDirOption = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no summary.")] = False,
) -> None:
    """Train a solver on some instances; `offbench solve --policy DIR` then solves others.

    Ctrl-C ends the training with a checkpoint. With --resume it goes on from the last one, whatever ended it, and
    ends exactly where it would have ended.
    """
    from offbench.cli.shared.console import load_evaluator, prints_apart
    from offbench.cli.shared.files import check_folder
    from offbench.cli.shared.given import check_stdin_once, instance_from

    check_stdin_once(*instances)
    parameters = parse_settings(settings)
    for folder in filter(None, (output, log_dir)):
        check_folder(folder)
    loaded = [instance_from(instance, objective, weights) for instance in instances]
    load_evaluator(quiet)

    from offbench.cli.shared.progress import bar
    from offbench.cli.shared.tensorboard import logging
    from offbench.learning.train import train as run

    watched: list[Watched] = []

    def stop() -> None:
        if not watched:
            raise KeyboardInterrupt
        watched[0].stop = True

    with one_interrupt(stop) as ending, prints_apart(), logging(log_dir) as listener, bar(solver, quiet) as progress:

        def watch(now: "Watched") -> None:
            watched.append(now)
            if listener is not None:
                now.diary.listeners.append(listener)
            if progress is not None:
                progress.follow(partial(_state, now))

        checkpoint = run(
            loaded, solver, output, parameters=parameters, seed=seed, steps=steps, time_limit=time_limit,
            resume=resume, save_every_s=save_every, on_start=watch,
        )  # fmt: skip
    interrupted = watched[0].stop
    _print(checkpoint, output, interrupted, json, quiet)
    if interrupted:
        say(f"interrupted; the same command with --resume goes on from step {checkpoint.steps:,}")
        raise typer.Exit(ending.exit_code)


def _state(now: "Watched") -> tuple[float, str]:
    from offbench.cli.shared.state import learning_state

    best = [f"best Q {now.diary.latest['best Q']:.6g}"] if "best Q" in now.diary.latest else []
    steps = f"{now.training.steps:,}" + (f" of {now.steps:,}" if now.steps else "") + " steps"
    time = f"{now.seconds:.1f}" + (f" of {now.time_limit:g}" if now.time_limit else "") + " s"
    return min(1.0, now.progress), ", ".join([*best, steps, time, *learning_state(now.diary)])


def _print(checkpoint: "Checkpoint", output: Path, interrupted: bool, json: bool, quiet: bool) -> None:
    from offbench.cli.shared.console import plural, show, show_json
    from offbench.search.metrics import Diary, diverged

    diary = Diary()
    diary.load(checkpoint.diary)
    if json:
        facts: dict[str, Any] = checkpoint.model_dump(mode="json", exclude={"diary", "policy", "training", "seconds"})
        facts |= {"training_seconds": checkpoint.seconds, "interrupted": interrupted, "folder": str(output)}
        show_json(facts | {"curves": diary.points(), "not_finite": diary.not_finite()})
    elif not quiet:
        from offbench.search.registry import is_path

        named = f"--solver {checkpoint.solver} " if is_path(checkpoint.solver) else ""
        show(
            f"{checkpoint.solver}: trained for {checkpoint.seconds:.1f} s, {checkpoint.steps:,} steps, on "
            f"{plural(len(checkpoint.instances), 'instance')}; policy in {output}",
            f"solve with it: offbench solve {named}--policy {output} INSTANCE",
            *(f"warning: {warning}" for warning in diverged(diary.not_finite())),
        )
