"""The surrogate as an ONNX graph, in double precision, written node by node.

The usual converter computes in single precision, in which the variance c − |L⁻¹k|² loses all
its digits near the design points, and knows no Matérn kernel; so the graph is built here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from multiscale.analysis import Surrogate
from multiscale.errors import InputError, describe

NAMES = {
    "temperature": "temperature_K",
    "grain_size": "grain_size_m",
    "volume_fraction": "volume_fraction",
}
OPSET = 18


def as_onnx(surrogate: Surrogate) -> bytes:
    """Write a surrogate as ONNX.

    Parameters
    ----------
    surrogate : Surrogate
        Fitted.

    Returns
    -------
    bytes
        A model with an input ``(n,)`` of doubles for each quantity that varies, and the
        outputs ``log10_diffusivity``, ``law_sd``, ``sample_sd`` (doubles) and
        ``extrapolated`` (booleans), all ``(n,)``.

    Raises
    ------
    InputError
        If the extra ``onnx`` is not installed.
    """
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError:
        remedy = "pip install 'multiscale[onnx]'"
        raise InputError(describe("--to onnx", "the extra 'onnx'", "none", remedy)) from None
    graph = _Graph(onnx)
    double = TensorProto.DOUBLE
    columns, inside = [], []
    for place, name in enumerate(surrogate.inputs):
        given = NAMES[name]
        low, high = surrogate.low[place] * (1 - 1e-9), surrogate.high[place] * (1 + 1e-9)
        below = graph.node("Less", given, graph.number(low))
        above = graph.node("Greater", given, graph.number(high))
        inside.append(graph.node("Or", below, above))
        value = given
        if name == "temperature":
            value = graph.node("Div", graph.number(1000.0), given)
        elif name == "grain_size":
            value = graph.node("Mul", graph.node("Log", given), graph.number(1 / math.log(10)))
        value = graph.node("Sub", value, graph.number(surrogate.centre[place]))
        width = surrogate.scale[place] * surrogate.lengths[place]
        value = graph.node("Div", value, graph.number(width))
        columns.append(graph.node("Unsqueeze", value, graph.whole([1])))
    feature = columns[0]
    if len(columns) > 1:
        feature = graph.node("Concat", *columns, axis=1)
    left = graph.node("Unsqueeze", feature, graph.whole([1]))
    right = graph.array((surrogate.points / surrogate.lengths)[None])
    difference = graph.node("Sub", left, right)
    squares = graph.node("Mul", difference, difference)
    distance = graph.node("ReduceSum", squares, graph.whole([2]), keepdims=0)
    reach = graph.node("Mul", graph.node("Sqrt", distance), graph.number(math.sqrt(5.0)))
    third = graph.node("Div", graph.node("Mul", reach, reach), graph.number(3.0))
    rise = graph.node("Add", graph.node("Add", reach, third), graph.number(1.0))
    cross = graph.node("Mul", rise, graph.node("Exp", graph.node("Neg", reach)))
    cross = graph.node("Mul", cross, graph.number(surrogate.amplitude))
    weighed = graph.node("MatMul", cross, graph.array(surrogate.weights))
    scaled = graph.node("Mul", weighed, graph.number(surrogate.unit))
    graph.node("Add", scaled, graph.number(surrogate.offset), output="log10_diffusivity")
    solved = graph.node("MatMul", cross, graph.array(surrogate.factor.T.copy()))
    lost = graph.node("ReduceSum", graph.node("Mul", solved, solved), graph.whole([1]), keepdims=0)
    rest = graph.node("Sub", graph.number(surrogate.amplitude), lost)
    rest = graph.node("Max", rest, graph.number(0.0))
    law = graph.node("Mul", rest, graph.number(surrogate.unit**2))
    graph.node("Sqrt", law, output="law_sd")
    both = graph.node("Add", law, graph.number(surrogate.spread**2))
    graph.node("Sqrt", both, output="sample_sd")
    outside = inside[0]
    for one in inside[1:]:
        outside = graph.node("Or", outside, one)
    graph.node("Identity", outside, output="extrapolated")
    made = helper.make_graph(
        graph.nodes,
        "multiscale_surrogate",
        [helper.make_tensor_value_info(NAMES[name], double, ["n"]) for name in surrogate.inputs],
        [
            *(
                helper.make_tensor_value_info(name, double, ["n"])
                for name in ("log10_diffusivity", "law_sd", "sample_sd")
            ),
            helper.make_tensor_value_info("extrapolated", TensorProto.BOOL, ["n"]),
        ],
        graph.constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 9
    model.producer_name = "multiscale"
    facts = {
        "study_hash": surrogate.study_hash,
        "title": surrogate.title,
        "ensemble": surrogate.ensemble,
        "unit": "log10 of m2/s; standard deviations in decades",
        **{f"fixed_{name}": f"{value:.9g}" for name, value in surrogate.fixed.items()},
        **{
            f"range_{NAMES[name]}": f"{surrogate.low[place]:.9g} {surrogate.high[place]:.9g}"
            for place, name in enumerate(surrogate.inputs)
        },
    }
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


class _Graph:
    """Nodes and constants under names of their own."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def array(self, values: Any) -> str:
        name = f"constant_{len(self.constants)}"
        made = np.ascontiguousarray(np.asarray(values))
        self.constants.append(self.onnx.numpy_helper.from_array(made, name))
        return name

    def number(self, value: float) -> str:
        return self.array(np.float64(value))

    def whole(self, values: list[int]) -> str:
        return self.array(np.array(values, dtype=np.int64))
