"""The networks that the `onnx` package ships, with random weights: its own have the same number everywhere."""

from pathlib import Path

import numpy as np


def light_networks() -> dict[str, Path]:
    """Return the model files by name."""
    import onnx

    folder = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
    return {path.stem.removeprefix("light_"): path for path in sorted(folder.glob("*.onnx"))}


def weighted(path: Path, into: Path, seed: int = 0) -> Path:
    """Write a network with weights drawn as He et al. (2015) do, so that numbers neither vanish nor explode.

    Parameters
    ----------
    path
        A model whose weights are made by ConstantOfShape.
    into
        The file to write.
    seed
        Of the weights.
    """
    import onnx
    from onnx import numpy_helper

    model, random = onnx.load(path), np.random.default_rng(seed)
    stored = {one.name: one for one in model.graph.initializer}
    kept, drawn = [], {}
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape":
            kept.append(node)
            continue
        shape = tuple(numpy_helper.to_array(stored.pop(node.input[0])).tolist())
        if len(shape) > 1:
            values = random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        else:  # a bias, or a scale or a variance, which must be positive
            values = random.uniform(0.5, 1.5, shape)
        drawn[node.output[0]] = numpy_helper.from_array(values.astype(np.float32), node.output[0])
    weights = {**stored, **drawn}
    given = [one for one in model.graph.input if one.name not in weights and not one.name.endswith("__SHAPE")]
    for field, new in (("node", kept), ("initializer", list(weights.values())), ("input", given)):
        model.graph.ClearField(field)
        getattr(model.graph, field).extend(new)
    model.ir_version = 8  # from 4 on weights needn't be listed among the inputs
    onnx.save(model, into)
    return into
