"""Classifiers of other families as networks with gradients, to measure methods behind them.

The files are those of https://github.com/google-coral/test_data (TensorFlow Lite; Apache License 2.0) and
https://github.com/songhan/SqueezeNet-Deep-Compression (BSD). Put them into the current directory, and install the
package ``tflite``, which reads TensorFlow Lite files:

    make universality IMAGES=DIR MODEL=tests/benchmarks/other_classifiers.py:mobilenet_v2

The stored weights are 8-bit integers. They are converted to floating point, and all computation is in floating point.
"""

from pathlib import Path
from typing import Any

import numpy as np
import tflite
import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torchvision.models import squeezenet1_0

NAMES = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
TYPES = {tflite.TensorType.UINT8: np.uint8, tflite.TensorType.INT8: np.int8, tflite.TensorType.INT32: np.int32}
CONVOLUTIONS = {"CONV_2D": tflite.Conv2DOptions, "DEPTHWISE_CONV_2D": tflite.DepthwiseConv2DOptions}
UNCHANGED = ("SOFTMAX", "QUANTIZE")


class Graph:
    """The operators and constants of a file."""

    def __init__(self, file: Path) -> None:
        self._model = tflite.Model.GetRootAsModel(file.read_bytes(), 0)
        self._graph = self._model.Subgraphs(0)
        self.operators = [self._graph.Operators(index) for index in range(self._graph.OperatorsLength())]

    def name(self, operator: Any) -> str:
        """Return the name of an operator. Older files have its code in another field."""
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        return NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]

    def constant(self, index: int) -> Tensor:
        """Return a constant tensor as real numbers."""
        tensor = self._graph.Tensors(index)
        stored = self._model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        values = np.frombuffer(stored, TYPES[tensor.Type()]).reshape(tensor.ShapeAsNumpy())
        scale, zero = tensor.Quantization().ScaleAsNumpy(), tensor.Quantization().ZeroPointAsNumpy()
        if len(scale) > 1:
            shape = np.where(np.arange(values.ndim) == tensor.Quantization().QuantizedDimension(), -1, 1)
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        return torch.from_numpy(((values.astype(np.float64) - zero) * scale).astype(np.float32))

    def limits(self, operator: Any) -> tuple[float, float]:
        """Return the range of an operator's output. It acts as ReLU6 where the network has one."""
        tensor = self._graph.Tensors(operator.Outputs(0))
        low, high = np.iinfo(TYPES[tensor.Type()]).min, np.iinfo(TYPES[tensor.Type()]).max
        scale, zero = float(tensor.Quantization().Scale(0)), int(tensor.Quantization().ZeroPoint(0))
        return (low - zero) * scale, (high - zero) * scale


class Convolution(nn.Sequential):
    """A convolution with TensorFlow's padding, whose output is limited to a range."""

    def __init__(self, graph: Graph, operator: Any) -> None:
        name = graph.name(operator)
        depthwise, options = name == "DEPTHWISE_CONV_2D", CONVOLUTIONS[name]()
        options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
        weight, bias = graph.constant(operator.Inputs(1)), graph.constant(operator.Inputs(2))
        weight = weight.permute(3, 0, 1, 2) if depthwise else weight.permute(0, 3, 1, 2)
        groups = len(weight) if depthwise else 1
        convolution = nn.Conv2d(
            weight.shape[1] * groups, len(weight), weight.shape[2:], options.StrideH(), groups=groups
        )
        convolution.weight.data, convolution.bias.data = weight.contiguous(), bias
        super().__init__(convolution, nn.Hardtanh(*graph.limits(operator)))
        self._same = options.Padding() == tflite.Padding.SAME

    def forward(self, x: Tensor) -> Tensor:
        """Return the output, B x C x H x W."""
        side, stride = self[0].kernel_size[0], self[0].stride[0]
        total = max((-(-x.shape[-1] // stride) - 1) * stride + side - x.shape[-1], 0) if self._same else 0
        return super().forward(pad(x, (total // 2, total - total // 2) * 2))


class TFLiteClassifier(nn.Module):
    """The network of one file, or of several that follow one another, such as features and head.

    Images are in [0, 1] and are normalised to [-1, 1]. The output has 1000 logits; the files' first class is none of
    ImageNet's.
    """

    def __init__(self, *files: str, size: int = 224) -> None:
        super().__init__()
        half = (0.5, 0.5, 0.5)
        self.pretrained_cfg = {"input_size": (3, size, size), "crop_pct": 0.875, "interpolation": "bilinear"}
        self.pretrained_cfg |= {"mean": half, "std": half}
        self.layers, self._steps = nn.ModuleList(), []
        for number, file in enumerate(files):
            graph = Graph(Path(file))
            for operator in graph.operators:
                name = graph.name(operator)
                if name in CONVOLUTIONS:
                    self.layers.append(Convolution(graph, operator))
                inputs = [(number, int(index)) for index in operator.InputsAsNumpy()]
                self._steps.append((name, inputs, (number, operator.Outputs(0)), len(self.layers) - 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, B x 1000, for B x 3 x H x W images."""
        values: dict[tuple[int, int], Tensor] = {}
        for name, inputs, output, layer in self._steps:
            first = values.get(inputs[0], x)
            if name in CONVOLUTIONS:
                x = self.layers[layer](first)
            elif name == "ADD":
                x = first + values[inputs[1]]
            elif name in ("AVERAGE_POOL_2D", "MEAN"):
                x = first.mean((2, 3), keepdim=True)
            elif name == "RESHAPE":
                x = first.flatten(1)
            elif name not in UNCHANGED:
                raise ValueError(f"operator {name} is not supported")
            values[output] = x
        return x[:, 1:]


def squeezenet() -> nn.Module:
    """Return SqueezeNet 1.0 (arXiv 1602.07360), 227 x 227 pixels.

    The file (arXiv 1510.00149) holds for each layer a table of 256 values, the biases, and the nonzero weights. A
    weight is stored as an index into the table and as the number of zeros before it, which has 4 bits.
    """
    network = squeezenet1_0(weights=None)
    network.classifier[1].padding = (1, 1)  # as in the network's description
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    with Path("compressed_SqueezeNet.net").open("rb") as file:
        for layer, nonzero in zip(layers, np.fromfile(file, np.uint32, len(layers)), strict=True):
            table, bias = np.fromfile(file, np.float32, 256), np.fromfile(file, np.float32, layer.out_channels)
            values, pairs = np.fromfile(file, np.uint8, nonzero), np.fromfile(file, np.uint8, (int(nonzero) + 1) // 2)
            gaps = np.stack([pairs % 16, pairs // 16], axis=1).reshape(-1)[:nonzero].astype(np.int64)
            numbers = np.zeros(layer.weight.numel(), np.uint8)
            numbers[np.cumsum(gaps + 1) - 1] = values
            layer.weight.data = torch.from_numpy(table[numbers].reshape(layer.weight.shape))
            layer.bias.data = torch.from_numpy(bias)
    layers[0].weight.data = layers[0].weight.data.flip(1)  # its input was BGR
    mean, std = (123 / 255, 117 / 255, 104 / 255), (1 / 255,) * 3
    network.pretrained_cfg = {"input_size": (3, 227, 227), "crop_mode": "squash", "interpolation": "bilinear"}
    network.pretrained_cfg |= {"mean": mean, "std": std}
    return network


def mobilenet_v1() -> nn.Module:
    """Return MobileNetV1 (arXiv 1704.04861), 224 x 224 pixels."""
    return TFLiteClassifier(
        "mobilenet_v1_1.0_224_quant_embedding_extractor.tflite", "mobilenet_quant_v1_224_head_layers.tflite"
    )


def mobilenet_v2() -> nn.Module:
    """Return MobileNetV2 (arXiv 1801.04381), 224 x 224 pixels."""
    return TFLiteClassifier("mobilenet_v2_1.0_224_quant.tflite")
