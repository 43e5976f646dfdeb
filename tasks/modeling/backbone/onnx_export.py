"""Export: a Keras network written as an ONNX graph, whose bytes follow from its layers and weights alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from configs.errors import PedigreeError
from tasks.modeling.backbone.inception import pool_output

if TYPE_CHECKING:
    import keras
    import onnx

# The names of the graph's input, bytes of shape (1, size, size, 3), and of its output, features of shape (1, width).
_INPUT, _OUTPUT = "pixels", "features"
# Fixed, so that a newer onnx writes the same bytes.
_OPERATORS, _FILE_FORMAT = 17, 8
# Keras has the channels last and ONNX has them second; the axes of a picture come after them there.
_CHANNELS, _PICTURE = 1, [2, 3]
_TO_ONNX = (0, 3, 1, 2)


Names = Sequence[str]


class _Graph:
    """The nodes and weights that were written, and the name that stands for each tensor of Keras."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.names: dict[int, str] = {}

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - what the operator takes
        """Add a node, and return the name of what it computes."""
        from onnx import helper

        name = f"tensor_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def weight(self, values: object) -> str:
        """Add a weight, and return its name."""
        from onnx import numpy_helper

        name = f"weight_{len(self.weights)}"
        array = np.ascontiguousarray(np.asarray(values, dtype=np.float32))
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def to_bytes(self, output: str, size: int, width: int) -> bytes:
        """Return the file of the graph whose features have this name."""
        from onnx import TensorProto, helper

        pixels = helper.make_tensor_value_info(_INPUT, TensorProto.UINT8, [1, size, size, 3])
        features = helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, [1, width])
        nodes = [*self.nodes, helper.make_node("Identity", [output], [_OUTPUT])]
        model = helper.make_model(
            helper.make_graph(nodes, "backbone", [pixels], [features], self.weights),
            producer_name="pedigree",
            opset_imports=[helper.make_opsetid("", _OPERATORS)],
            ir_version=_FILE_FORMAT,
        )
        return bytes(model.SerializeToString(deterministic=True))


Writer = Callable[[_Graph, Any, Names], str]


def export_network(model: "keras.Model") -> bytes:
    """Write the network of a backbone as an ONNX file; the same layers and weights give the same bytes.

    Args:
        model: The network, from bytes (n, size, size, 3) to features (n, width), as ``truncate_network`` builds it.

    Returns:
        The file.

    Raises:
        PedigreeError: The network has a layer that has no counterpart here.
    """
    import keras

    _, scaling, body, *_ = model.layers
    # The same layers once more without the frame around them, so that each tensor has one name.
    flat = keras.Model(body.input, pool_output(body.output))
    graph = _Graph()
    graph.names[id(flat.input)] = _scale(graph, scaling)
    for layer in flat.layers[1:]:
        kind = type(layer).__name__
        if kind not in _WRITERS:
            raise PedigreeError(f"The layer {layer.name} of kind {kind} cannot be written for ONNX Runtime.")
        tensors = layer.input if isinstance(layer.input, list) else [layer.input]
        graph.names[id(layer.output)] = _WRITERS[kind](graph, layer, [graph.names[id(tensor)] for tensor in tensors])
    return graph.to_bytes(graph.names[id(flat.output)], model.input_shape[1], model.output_shape[-1])


def _scale(graph: _Graph, scaling: "keras.layers.Rescaling") -> str:
    """Write what turns bytes into numbers around 0, in the very operations of Keras."""
    from onnx import TensorProto

    numbers = graph.add("Cast", _INPUT, to=TensorProto.FLOAT)
    scaled = graph.add("Mul", numbers, graph.weight(scaling.scale))
    shifted = graph.add("Add", scaled, graph.weight(scaling.offset))
    return graph.add("Transpose", shifted, perm=_TO_ONNX)


def _convolution(graph: _Graph, layer: Any, names: Names) -> str:  # noqa: ANN401 - a layer of Keras, as below
    kernel = graph.weight(np.transpose(layer.kernel, (3, 2, 0, 1)))
    window = {"kernel_shape": layer.kernel_size, "strides": layer.strides, "pads": _pads(layer, layer.kernel_size)}
    return graph.add("Conv", *names, kernel, **window)


def _normalization(graph: _Graph, layer: Any, names: Names) -> str:  # noqa: ANN401
    mean, variance = layer.moving_mean, layer.moving_variance
    scale = layer.gamma if layer.scale else np.ones(mean.shape, np.float32)
    offset = layer.beta if layer.center else np.zeros(mean.shape, np.float32)
    weights = [graph.weight(values) for values in (scale, offset, mean, variance)]
    return graph.add("BatchNormalization", *names, *weights, epsilon=layer.epsilon)


def _activation(graph: _Graph, layer: Any, names: Names) -> str:  # noqa: ANN401
    if layer.activation.__name__ != "relu":
        raise PedigreeError(f"The activation of {layer.name} cannot be written for ONNX Runtime.")
    return graph.add("Relu", *names)


def _pooling(operator: str) -> Writer:
    """Return the writer of a pooling; as in Keras, an average leaves out what lies beyond the picture's edge."""

    def write(graph: _Graph, layer: Any, names: Names) -> str:  # noqa: ANN401
        window = {"kernel_shape": layer.pool_size, "strides": layer.strides, "pads": _pads(layer, layer.pool_size)}
        return graph.add(operator, *names, **window)

    return write


def _pads(layer: Any, window: Sequence[int]) -> list[int]:  # noqa: ANN401
    """Return how many pixels are added at the top, left, bottom and right."""
    if layer.padding == "valid":
        return [0, 0, 0, 0]
    if set(layer.strides) != {1} or any(side % 2 == 0 for side in window):
        raise PedigreeError(f"The window of {layer.name} cannot be written for ONNX Runtime.")
    return [(side - 1) // 2 for side in (*window, *window)]


def _mean(graph: _Graph, _layer: Any, names: Names) -> str:  # noqa: ANN401
    return graph.add("ReduceMean", *names, axes=_PICTURE, keepdims=0)


def _concatenation(graph: _Graph, _layer: Any, names: Names) -> str:  # noqa: ANN401
    return graph.add("Concat", *names, axis=_CHANNELS)


# What writes a layer: it gets the graph, the layer and the names of its inputs, and returns the name of its output.
_WRITERS: Mapping[str, Writer] = {
    "Conv2D": _convolution,
    "BatchNormalization": _normalization,
    "Activation": _activation,
    "MaxPooling2D": _pooling("MaxPool"),
    "AveragePooling2D": _pooling("AveragePool"),
    "GlobalAveragePooling2D": _mean,
    "Concatenate": _concatenation,
}
