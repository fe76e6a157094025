"""What a learning solver tells of itself, for TensorBoard."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.search.metrics import Listener


@contextmanager
def logging(folder: Path | None) -> Iterator["Listener | None"]:
    """Lend a listener that writes to a folder; None without one.

    Raises
    ------
    OffbenchError
        If TensorBoard is not installed, or the folder can't be written.
    """
    if folder is None:
        yield None
        return
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError:
        raise OffbenchError("--log-dir: needs TensorBoard: pip install 'offbench[tensorboard]'") from None
    try:
        writer = EventFileWriter(str(folder))
    except OSError as error:
        raise OffbenchError(f"{folder}: can't be written: {error.strerror}") from None

    from time import time

    def listen(name: str, step: int, value: float) -> None:
        summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
        writer.add_event(Event(wall_time=time(), step=step, summary=summary))

    try:
        yield listen
    finally:
        writer.close()
