"""One ONNX graph from pixels to probabilities: the backbone's own, with the head and its calibration behind it."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

import numpy as np

from configs.errors import PedigreeError
from tasks.modeling.backbone.backbone import restore_backbone, with_engine
from tasks.modeling.head.head import Head
from tasks.modeling.packaged_model import served_facts

# The names of the graph's outputs; its input is the backbone's own.
_FEATURES, _PROBABILITIES = "features", "probabilities"
# Scaled and summed as the head does it, in float64.
_ROUNDED, _WIDE, _SCALED, _LOGITS, _SOFT = "rounded_features", "wide_features", "products", "logits", "shares"


def export_backbone(network: bytes, facts: Mapping[str, Any]) -> bytes:
    """Return a backbone's ONNX graph, which TensorFlow writes where another engine than ONNX Runtime computes with it.

    Args:
        network: The file that the backbone's engine computes with.
        facts: What identifies the backbone, as in ``Backbone.facts``.

    Returns:
        The graph, from bytes of shape (1, size, size, 3) to features of shape (1, width).

    Raises:
        PedigreeError: A module is lacking that writes or runs the graph.
    """
    modules = ["onnx", "onnxruntime"] + ([] if "graph" in facts else ["tensorflow", "keras"])
    if lacking := [module for module in modules if find_spec(module) is None]:
        raise PedigreeError(
            f"The module {lacking[0]} is not installed, without which no ONNX file is written: install what "
            "pedigree model export needs with pip install 'pedigree[onnxruntime]'."
        )
    if "graph" in facts:
        return network
    return with_engine(restore_backbone(network, served_facts(facts)), "onnxruntime").to_bytes()


def join_head(backbone: bytes, head: Head, precision: str, notes: Mapping[str, str]) -> bytes:
    """Write the head behind the backbone's graph, in the very operations of ``Head.probabilities``.

    Args:
        backbone: The backbone's graph.
        head: The head.
        precision: The precision to which features are rounded: float32 or float16.
        notes: What the file says about itself, by name.

    Returns:
        A graph from bytes of shape (1, size, size, 3) to features of shape (1, width) and calibrated probabilities of
        shape (1, n_classes).
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.ModelProto.FromString(backbone)
    graph = model.graph
    if precision == "float16":
        # Features are rounded before anybody sees them, as they are stored.
        graph.node[-1].output[0] = _ROUNDED
        half = helper.make_node("Cast", [_ROUNDED], [f"{_ROUNDED}_16"], to=TensorProto.FLOAT16)
        graph.node.extend([half, helper.make_node("Cast", [f"{_ROUNDED}_16"], [_FEATURES], to=TensorProto.FLOAT)])
    weights = {"head_weights": head.weights, "head_bias": head.bias, "temperature": np.float64(head.temperature)}
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(values, np.float64), name) for name, values in weights.items()
    )
    graph.node.extend(
        [
            helper.make_node("Cast", [_FEATURES], [_WIDE], to=TensorProto.DOUBLE),
            helper.make_node("MatMul", [_WIDE, "head_weights"], [_SCALED]),
            helper.make_node("Add", [_SCALED, "head_bias"], [f"{_LOGITS}_before_calibration"]),
            helper.make_node("Div", [f"{_LOGITS}_before_calibration", "temperature"], [_LOGITS]),
            helper.make_node("Softmax", [_LOGITS], [_SOFT], axis=1),
            helper.make_node("Cast", [_SOFT], [_PROBABILITIES], to=TensorProto.FLOAT),
        ]
    )
    graph.output.append(
        helper.make_tensor_value_info(_PROBABILITIES, TensorProto.FLOAT, [1, len(head.classes)]),
    )
    helper.set_model_props(model, dict(notes))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))
