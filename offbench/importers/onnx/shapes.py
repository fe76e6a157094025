"""The shapes of a model's tensors, by the onnx package; what a hostile file asks for without end is ended.

Values that shapes follow from are worked out as well, and functions written out: both may take any time and memory,
and listen to no signal. So that is done in a process of its own, which is this file, where plain inference leaves
shapes open.
"""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

AT_MOST_S, AT_MOST_MB = 30.0, 1500
"""of that process; its memory beside that of the model itself"""
# No shape follows from as many bytes, and inference copies them several times.
_WEIGHTS_BYTES = 100_000


def worked_out(model: "onnx.ModelProto") -> "onnx.ModelProto":
    """Return a model with its tensors' shapes as far as they can be told, and without functions of its own.

    The values of its larger weights are left out, of *model* too.

    Raises
    ------
    ValueError
        If shapes contradict one another, or take too much time or memory; the message says what.
    """
    for weights in model.graph.initializer:
        if len(weights.raw_data) > _WEIGHTS_BYTES:
            weights.ClearField("raw_data")
    if not model.functions:
        found = _inferred(model, by_values=False)
        if _all_known(found):
            return found
    return _in_a_process(model)


def _all_known(model: "onnx.ModelProto") -> bool:
    graph = model.graph
    known = {
        one.name
        for one in (*graph.value_info, *graph.output)
        if all(dim.HasField("dim_value") for dim in one.type.tensor_type.shape.dim) and one.type.HasField("tensor_type")
        and one.type.tensor_type.HasField("shape")
    }  # fmt: skip
    return all(name in known for node in graph.node for name in filter(None, node.output))


def _inferred(model: "onnx.ModelProto", by_values: bool) -> "onnx.ModelProto":
    from onnx import shape_inference

    try:
        return shape_inference.infer_shapes(model, data_prop=by_values)
    except MemoryError:
        raise
    except Exception as error:  # onnx raises a RuntimeError or an InferenceError of its own
        raise ValueError((str(error).strip().splitlines() or [type(error).__name__])[0]) from None


def _in_a_process(model: "onnx.ModelProto") -> "onnx.ModelProto":
    import os

    import onnx

    given = model.SerializeToString()
    most = int(AT_MOST_MB * 1e6) + 8 * len(given)
    # It looks for modules where onnx is, and not in the current folder.
    command = [sys.executable, "-P", str(Path(__file__)), str(most)]
    environment = {**os.environ, "PYTHONPATH": str(Path(onnx.__file__).parents[1])}
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, timeout=AT_MOST_S, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        raise ValueError(f"that takes more than {AT_MOST_S:g} s") from None
    if done.returncode == 0:
        found = onnx.ModelProto()
        found.ParseFromString(done.stdout)
        return found
    said = done.stderr.decode(errors="replace").strip().splitlines()
    raise ValueError(said[-1] if said and done.returncode > 0 else f"that takes more than {AT_MOST_MB} MB, or fails")


def main() -> None:
    """Read a model from stdin, and write it with shapes to stdout."""
    with suppress(ImportError, ValueError, OSError):  # not on this system
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]),) * 2)
        # Also where nobody is there any more to end it.
        resource.setrlimit(resource.RLIMIT_CPU, (int(2 * AT_MOST_S),) * 2)
    import onnx
    from onnx import inliner

    try:
        model = onnx.ModelProto.FromString(sys.stdin.buffer.read())
        model = inliner.inline_local_functions(model) if model.functions else model
        sys.stdout.buffer.write(_inferred(model, by_values=True).SerializeToString())
    except MemoryError:
        sys.exit("that takes too much memory")
    except Exception as error:
        sys.exit(" ".join(str(error).split()) or type(error).__name__)


if __name__ == "__main__":
    main()
