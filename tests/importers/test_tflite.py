"""Profiles of TensorFlow Lite's `benchmark_model`, as CSV and as a table, of operators and of XNNPACK's."""

from pathlib import Path

import pytest

from offbench import OffbenchError
from offbench.importers.registry import import_network, read_profile
from offbench.importers.tflite import class_of

CSV = """\
Profiling Info for Benchmark Initialization:
============================== Run Order ==============================
node type, start, first, avg_ms, %, cdf%, mem KB, times called, name
AllocateTensors, 0, 3, 3, 100%, 100%, 0, 1, AllocateTensors/0

Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
node type, start, first, avg_ms, %, cdf%, mem KB, times called, name
CONV_2D, 0, 0.2, 4e-1, 40%, 40%, 0, 1, [net/relu;net/conv]:0
Convolution (NHWC, F32) DWConv, 1, 0.2, 0.1, 20%, 60%, 0, 2, Delegate/Convolution (NHWC, F32) DWConv:0
MAX_POOL_2D, 1, 0.2, 0.1, 10%, 70%, 0, 1, [net/pool]:2
FULLY_CONNECTED, 1, 0.2, 0.3, 30%, 100%, 0, 1, [a, b]:3

============================== Top by Computation Time ==============================
node type, start, first, avg_ms, %, cdf%, mem KB, times called, name
CONV_2D, 0, 0.2, 4e-1, 40%, 40%, 0, 1, [net/relu;net/conv]:0

Timings (microseconds): count=50 first=1100 curr=1000
"""
TABLE = """\
INFO: Operator-wise Profiling Info for Regular Benchmark Runs:
============================== Run Order ==============================
\t             [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t                 QUANTIZE\t    0.1\t    0.050\t  5%\t  5%\t     0.000\t        1\t[in]:0
\t    TfLiteXNNPackDelegate\t    1.0\t    0.900\t 90%\t 95%\t     0.000\t        1\t[out]:9
\t                  SOFTMAX\t    0.1\t    0.050\t  5%\t100%\t     0.000\t        1\t[soft]:10

Timings (microseconds): count=7 curr=1000

Delegate internal:
============================== Run Order ==============================
\t                         [node type]\t  [first]\t [avg ms]\t     [%]\t  [cdf%]\t  [mem KB]\t[times called]\t[Name]
\t       Convolution (NHWC, F32) IGEMM\t    0.5\t    0.600\t 75%\t 75%\t     0.000\t        1\tDelegate/Conv:0
\t         Unary Elementwise (NC)\t    0.5\t    0.200\t 25%\t100%\t     0.000\t        1\tDelegate/Unary:1

"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "bench.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_runs_are_told_and_not_the_start(tmp_path: Path) -> None:
    found = read_profile(written(tmp_path, CSV))
    assert (found.tool, found.runs, found.statistic) == ("TensorFlow Lite", 50, "mean")
    assert [(one.name, one.operator) for one in found.timed] == [
        ("net/relu", "convolution"), ("Delegate/Convolution (NHWC, F32) DWConv:0", "depthwise-convolution"),
        ("net/pool", "pooling"), ("a", "matrix-product"),
    ]  # fmt: skip
    assert [one.seconds for one in found.timed] == pytest.approx([4e-4, 2e-4, 1e-4, 3e-4])


def test_a_delegates_inside_stands_in_its_place(tmp_path: Path) -> None:
    found = read_profile(written(tmp_path, TABLE))
    assert [one.seconds for one in found.timed] == pytest.approx([5e-5, 6e-4, 2e-4, 5e-5])
    assert [one.operator for one in found.timed] == ["elementwise", "convolution", "elementwise", "softmax"]
    assert found.runs == 7


def test_seconds_go_to_the_layers_of_a_network(tmp_path: Path) -> None:
    table = tmp_path / "net.csv"
    rows = ["input,,,1", "conv,convolution,input,1", "relu,activation,conv,1", "dw,depthwise-convolution,relu,1",
            "pool,pooling,dw,1", "fc,matrix-product,pool,1"]  # fmt: skip
    table.write_text("\n".join(["name,operator,inputs,output_mb", *rows]), encoding="utf-8")
    found = import_network(table, granularity="layer", profiles={"phone": written(tmp_path, CSV)})
    assert [one.seconds and one.seconds["phone"] for one in found.network.layers] == pytest.approx(
        [4e-4, 2e-4, 1e-4, 3e-4]
    )
    assert "mean of 50 runs: 100.0% of it is given to layers (100.0% by order)" in found.coverage.told()[-1]


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(OffbenchError, match="is a profile of TensorFlow Lite, which tells no graph"):
        import_network(written(tmp_path, CSV))
    with pytest.raises(OffbenchError, match="has no table 'Run Order'"):
        read_profile(written(tmp_path, "node type, count\nCONV_2D, 1\n"))
    for wrong in ("-4e-1", "nan", "4e-"):
        with pytest.raises(OffbenchError, match=r"table 'Run Order': must have node type, .* not 'CONV_2D"):
            read_profile(written(tmp_path, CSV.replace("4e-1", wrong)))
    with pytest.raises(OffbenchError, match="has no column 'node type'"):
        read_profile(written(tmp_path, "[node type]\n=== Run Order ==="))
    with pytest.raises(OffbenchError, match="has no column 'avg ms', but node type, time, name"):
        read_profile(written(tmp_path, "=== Run Order ===\nnode type, time, name\nCONV_2D, 1, x\n"))


@pytest.mark.parametrize(
    ("kind", "operator"),
    [("DEPTHWISE_CONV_2D", "depthwise-convolution"), ("Fully Connected (NC, F32) GEMM", "matrix-product"),
     ("HardSwish (NC)", "activation"), ("RESIZE_BILINEAR", "elementwise"), ("CustomOp", None)],
)  # fmt: skip
def test_classes(kind: str, operator: str | None) -> None:
    assert class_of(kind) == operator
