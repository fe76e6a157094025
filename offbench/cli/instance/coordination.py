"""The reading of H that `--indicators` and `--root` name."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from offbench.model.instance import Instance


def with_coordination(instance: "Instance", indicators: str | None, root: int | None) -> "Instance":
    """Return the instance with what is named of its coordination instead.

    Raises
    ------
    OffbenchError
        If there is no such reading.
    """
    from offbench.files.json import check
    from offbench.model.instance import Coordination

    given = {name: value for name, value in (("indicators", indicators), ("root", root)) if value is not None}
    made = check(Coordination, instance.coordination.model_dump() | given, "coordination")
    return instance.model_copy(update={"coordination": made})
