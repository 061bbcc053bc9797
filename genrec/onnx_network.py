"""Convert an exported int8 network from a LiteRT file to ONNX, with the same weights and scales.

Each quantised tensor becomes a pair of QuantizeLinear and DequantizeLinear, which ONNX Runtime
fuses with the operators between them (quantise and dequantise, the ONNX form of the scheme of Jacob
et al. 2018). Activations become unsigned bytes, weights stay signed. The extra ``onnxruntime`` has
the library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as litert
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[Any]
Kernel = NDArray[np.int8]

IMAGES, OUTPUTS = "images", ("embedding", "logits")
_OPSET, _IR_VERSION = 17, 9  # QuantizeLinear per channel; read by ONNX Runtime from 1.15 on
_DTYPES = {
    litert.TensorType.INT8: np.int8,
    litert.TensorType.INT32: np.int32,
    litert.TensorType.FLOAT32: np.float32,
}
_OPERATORS = {
    code: name for name, code in vars(litert.BuiltinOperator).items() if isinstance(code, int)
}


def to_onnx(network: Path) -> tuple[bytes, dict[str, Kernel]]:
    """Return an exported network as an ONNX model without its kernels, and the kernels.

    Parameters
    ----------
    network
        An int8 LiteRT file of `genrec export`.

    Returns
    -------
    model
        Serialised model from ``images``, float32 (n, height, width, 3), to ``embedding`` and
        ``logits``, float32, n free. Its kernels are external data, which saves three copies.
    kernels
        int8 arrays by the name of their initialiser.

    Raises
    ------
    ValueError
        The network has an operator, or a tensor, that the conversion does not know.
    """
    root = litert.Model.GetRootAsModel(network.read_bytes(), 0)
    conversion = _Conversion(litert.ModelT.InitFromObj(root))
    return bytes(conversion.model().SerializeToString()), conversion.kernels


class _Conversion:
    """One conversion: nodes and constants so far, and the ONNX name of each tensor."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._graph = model.subgraphs[0]
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._names: dict[int, str] = {}
        self.kernels: dict[str, Kernel] = {}

    def model(self) -> onnx.ModelProto:
        """Return the converted model."""
        (entry,) = self._graph.inputs
        self._names[int(entry)] = self._node("Transpose", [IMAGES], "nchw", perm=[0, 3, 1, 2])
        for place, operator in enumerate(self._graph.operators):
            self._operator(f"{place}", operator)
        outputs = {
            output.name.decode(): int(output.tensorIndex)
            for output in self._model.signatureDefs[0].outputs
        }
        for name in OUTPUTS:
            self._node("Identity", [self._names[outputs[name]]], name)
        shape = self._tensor(entry).shape
        lengths = [int(self._tensor(outputs[name]).shape[-1]) for name in OUTPUTS]
        graph = helper.make_graph(
            self._nodes,
            "genrec",
            [_value(IMAGES, [int(size) for size in shape[1:]])],
            [_value(name, [length]) for name, length in zip(OUTPUTS, lengths, strict=True)],
            self._constants,
        )
        opset = [helper.make_opsetid("", _OPSET)]
        return helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION)

    def _operator(self, tag: str, operator: Any) -> None:
        """Convert one operator, its fused activation, and the quantisation of its output."""
        code = self._model.operatorCodes[operator.opcodeIndex]
        name = _OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]
        if name not in _CONVERTERS:
            raise ValueError(f"operator {name}: expected one of {', '.join(_CONVERTERS)}")
        (output,) = operator.outputs
        result = _CONVERTERS[name](self, tag, operator)
        fused = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
        if fused == litert.ActivationFunctionType.RELU:
            result = self._node("Relu", [result], f"{tag}.relu")
        elif fused:
            raise ValueError(f"activation {fused} of {name}: expected none or RELU")
        tensor = self._tensor(output)
        if tensor.type == litert.TensorType.INT8:
            result = self._requantise(f"{tag}.output", result, tensor)
        self._names[int(output)] = result

    def _requantise(self, tag: str, value: str, tensor: Any) -> str:
        """Round a value to the bytes of a tensor: LiteRT's -128..127 are ONNX's 0..255."""
        scale, zero = _scale(tensor), np.uint8(int(tensor.quantization.zeroPoint[0]) + 128)
        parameters = [
            self._constant(f"{tag}.scale", scale[0]),
            self._constant(f"{tag}.zero", zero),
        ]
        rounded = self._node("QuantizeLinear", [value, *parameters], f"{tag}.bytes")
        return self._node("DequantizeLinear", [rounded, *parameters], tag)

    def convolution(self, tag: str, operator: Any) -> str:
        """Convert CONV_2D."""
        source, kernel, bias = (self._tensor(index) for index in operator.inputs)
        weights = self._weights(tag, kernel, bias, source, axes=(0, 3, 1, 2))
        options = operator.builtinOptions
        if (options.dilationHFactor, options.dilationWFactor) != (1, 1):
            raise ValueError("dilation of a convolution: expected 1")
        out = self._tensor(operator.outputs[0]).shape[1:3]
        strides = (options.strideH, options.strideW)
        pads = [0, 0, 0, 0]
        if options.padding == litert.Padding.SAME:
            pads = _same(source.shape[1:3], out, kernel.shape[1:3], strides)
        inputs = [self._input(operator, 0), *weights]
        return self._node("Conv", inputs, f"{tag}.sum", strides=list(strides), pads=pads)

    def dense(self, tag: str, operator: Any) -> str:
        """Convert FULLY_CONNECTED."""
        source, kernel, bias = (self._tensor(index) for index in operator.inputs)
        weights = self._weights(tag, kernel, bias, source, axes=(0, 1))
        return self._node("Gemm", [self._input(operator, 0), *weights], f"{tag}.sum", transB=1)

    def _weights(
        self, tag: str, kernel: Any, bias: Any, source: Any, axes: Sequence[int]
    ) -> list[str]:
        """Add the int8 weights and int32 biases of a layer; return their dequantised names."""
        scale = np.broadcast_to(_scale(kernel), kernel.shape[:1])
        products = (scale * _scale(source)[0]).astype(np.float32)
        values = np.ascontiguousarray(self._values(kernel).transpose(axes), dtype=np.int8)
        quantised = self._kernel(f"{tag}.kernel.integers", values)
        integers = self._constant(f"{tag}.bias.integers", self._values(bias))
        return [
            self._dequantise(f"{tag}.kernel", quantised, scale, np.int8),
            self._dequantise(f"{tag}.bias", integers, products, np.int32),
        ]

    def _dequantise(self, tag: str, integers: str, scale: Array, dtype: Any) -> str:
        """Multiply integers by the scale of their output channel."""
        inputs = [
            integers,
            self._constant(f"{tag}.scale", scale),
            self._constant(f"{tag}.zero", np.zeros(scale.size, dtype)),
        ]
        return self._node("DequantizeLinear", inputs, tag, axis=0)

    def add(self, tag: str, operator: Any) -> str:
        """Convert ADD."""
        return self._node("Add", [self._input(operator, 0), self._input(operator, 1)], f"{tag}.sum")

    def max_pool(self, tag: str, operator: Any) -> str:
        """Convert MAX_POOL_2D."""
        options = operator.builtinOptions
        size = [options.filterHeight, options.filterWidth]
        strides = [options.strideH, options.strideW]
        source = self._tensor(operator.inputs[0]).shape[1:3]
        pads = [0, 0, 0, 0]
        if options.padding == litert.Padding.SAME:
            pads = _same(source, self._tensor(operator.outputs[0]).shape[1:3], size, strides)
        inputs = [self._input(operator, 0)]
        return self._node(
            "MaxPool", inputs, f"{tag}.max", kernel_shape=size, strides=strides, pads=pads
        )

    def mean(self, tag: str, operator: Any) -> str:
        """Convert the MEAN over an image."""
        axes = self._values(self._tensor(operator.inputs[1]))
        if sorted(axes.ravel().tolist()) != [1, 2]:
            raise ValueError(f"axes {axes.ravel().tolist()} of a mean: expected 1 and 2")
        pooled = self._node("GlobalAveragePool", [self._input(operator, 0)], f"{tag}.mean")
        return self._node("Flatten", [pooled], f"{tag}.flat")

    def pad(self, tag: str, operator: Any) -> str:
        """Convert PAD."""
        before, after = self._values(self._tensor(operator.inputs[1]))[[0, 3, 1, 2]].T
        amounts = np.concatenate([before, after]).astype(np.int64)
        inputs = [self._input(operator, 0), self._constant(f"{tag}.amounts", amounts)]
        return self._node("Pad", inputs, f"{tag}.padded")

    def same(self, _: str, operator: Any) -> str:
        """Convert QUANTIZE or DEQUANTIZE: the tensors on both sides say it already."""
        return self._input(operator, 0)

    def _node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, values: Any) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def _kernel(self, name: str, values: Kernel) -> str:
        """Add a kernel as external data."""
        external = onnx.TensorProto(
            name=name,
            dims=values.shape,
            data_type=onnx.TensorProto.INT8,
            data_location=onnx.TensorProto.EXTERNAL,
        )
        external.external_data.add(key="location", value=name)
        self._constants.append(external)
        self.kernels[name] = values
        return name

    def _input(self, operator: Any, place: int) -> str:
        return self._names[int(operator.inputs[place])]

    def _tensor(self, index: int) -> Any:
        return self._graph.tensors[index]

    def _values(self, tensor: Any) -> Array:
        """Return the numbers of a constant tensor."""
        data = self._model.buffers[tensor.buffer].data
        if data is None or tensor.type not in _DTYPES:
            raise ValueError(f"tensor {tensor.name!r}: expected constant int8, int32 or float32")
        return np.frombuffer(data.tobytes(), _DTYPES[tensor.type]).reshape(tensor.shape)


_CONVERTERS: dict[str, Callable[[_Conversion, str, Any], str]] = {
    "ADD": _Conversion.add,
    "CONV_2D": _Conversion.convolution,
    "DEQUANTIZE": _Conversion.same,
    "FULLY_CONNECTED": _Conversion.dense,
    "MAX_POOL_2D": _Conversion.max_pool,
    "MEAN": _Conversion.mean,
    "PAD": _Conversion.pad,
    "QUANTIZE": _Conversion.same,
}


def _scale(tensor: Any) -> NDArray[np.float32]:
    """Return the quantisation scales of a tensor: one, or one for each output channel."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None:
        raise ValueError(f"tensor {tensor.name!r}: expected an int8 network")
    return np.asarray(quantization.scale, dtype=np.float32)


def _same(source: Any, out: Any, size: Any, strides: Sequence[int]) -> list[int]:
    """Return the padding of ``SAME``, in ONNX's order: top, left, bottom, right."""
    total = np.maximum((np.array(out) - 1) * strides + size - np.array(source), 0)
    return [int(pad) for pad in (*(total // 2), *(total - total // 2))]


def _value(name: str, shape: Sequence[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", *shape])
