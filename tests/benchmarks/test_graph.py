"""Modules and contraction of graphs with ten thousand layers of every shape that could be slow."""

from collections.abc import Callable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from offbench.model.instance import Instance, Layer, load
from offbench.model.modules import Nesting

N = 10_000
Inputs = Callable[[int], list[int]]

# The inputs of layer k, by shape; for Inception modules how far before it these are, by its place in one.
_INCEPTION = ((7, 5, 3, 1), (1,), (2,), (1,), (4,), (1,), (6,), (1,))
SHAPES: dict[str, Inputs] = {
    "chain": lambda k: [k - 1],
    "inception": lambda k: [k - before for before in _INCEPTION[k % 8]],
    "skips of one layer": lambda k: [k - 1, k - 2] if k > 1 else [k - 1],
    "u-net": lambda k: [k - 1, N - 1 - k] if k > N // 2 else [k - 1],
    "the last reads all": lambda k: list(range(k)) if k == N - 1 else [k - 1],
    "two far apart": lambda k: [k - N // 2, 0] if k > N // 2 else [k - 1],
}


def shaped(inputs: Inputs) -> Instance:
    """Return ten thousand layers in the paper's environment."""
    layers = tuple(
        Layer(name=f"l{k}", gcycles=1, output_mb=1, inputs=tuple(f"l{j}" for j in inputs(k)) if k else ())
        for k in range(N)
    )
    full = load("alexnet")
    return full.model_copy(update={"tasks": (full.tasks[0].model_copy(update={"layers": layers}),)})


@pytest.mark.parametrize("shape", SHAPES)
def test_modules_and_contraction(benchmark: BenchmarkFixture, shape: str) -> None:
    """Find the modules, contract the graph and work out its scales."""
    instance = shaped(SHAPES[shape])

    def find() -> int:
        nesting = Nesting(instance)
        return len(nesting.modules[0]) + nesting.contract().subtasks

    assert benchmark(find) >= 2
