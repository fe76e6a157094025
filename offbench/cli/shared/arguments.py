"""Arguments that several verbs have."""

from pathlib import Path
from typing import Annotated

import typer

from offbench.errors import OffbenchError

InstanceArgument = Annotated[
    str,
    typer.Argument(metavar="INSTANCE", help="An instance file, - for stdin, or the name of a shipped one: alexnet."),
]
ObjectiveOption = Annotated[
    str | None,
    typer.Option(
        metavar="paper|benefits|score|latency|energy|cost",
        help="What counts, instead of the instance's own weights: the paper's objective, that with H of benefits, "
        "delay, energy and cost without H and Z, or one of these three alone.",
    ),
]
WeightsOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=W,...",
        help="Weights that add up to 1, such as delay=0.7,energy=0.3; of score, coordination and balance likewise.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PARAMETER=VALUE", help="A parameter of the solver; repeatable."),
]
SeedOption = Annotated[int, typer.Option(metavar="N", help="Seed of the solver's random numbers.")]
JobsOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Runs at once; by default one for each core here, as many as fit on a cluster.",
    ),
]
LogDirOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Write what a learning solver tells of itself here, for TensorBoard.")
]


def jobs_here(jobs: int | None) -> int:
    """Return how many runs are made at once here: as many as are wanted, or as there are cores that may be used.

    Raises
    ------
    OffbenchError
        If it is no number of runs.
    """
    if jobs is not None and jobs < 1:
        raise OffbenchError(f"--jobs: must be at least 1, not {jobs}")
    if jobs is not None:
        return jobs
    from joblib import cpu_count

    return int(cpu_count(only_physical_cores=True))


def parse_settings(settings: list[str] | None) -> dict[str, str]:
    """Turn ``["lr=0.1"]`` into ``{"lr": "0.1"}``; the solver checks names and values.

    Raises
    ------
    OffbenchError
        If one has no ``=``, or a parameter is given twice.
    """
    parameters: dict[str, str] = {}
    for setting in settings or []:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise OffbenchError(f"--set {setting}: must be PARAMETER=VALUE")
        if name in parameters:
            raise OffbenchError(f"--set {setting}: '{name}' is given twice")
        parameters[name] = value
    return parameters
