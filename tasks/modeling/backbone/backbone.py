"""The backbone: InceptionV3 up to its cut, which turns a picture into features."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of, sha256_of_bytes
from tasks.domain.images.preprocessing import CONTRACT
from tasks.modeling.backbone import serialization as files

if TYPE_CHECKING:
    import keras

Pixels = NDArray[np.uint8]
Vector = NDArray[np.float32]


class Engine(Protocol):
    """What computes the features of a picture: TensorFlow, or ONNX Runtime."""

    @property
    def width(self) -> int:
        """Return the number of features of a picture."""

    @property
    def facts(self) -> Mapping[str, str]:
        """Return what of the weights and of the engine decides the features' bits."""

    def embed(self, square: Pixels) -> Vector:
        """Compute the features of a picture of shape (size, size, 3); several threads may each bring one."""

    @property
    def batch(self) -> int:
        """Return the number of pictures of one call, which zeros fill up."""

    def embed_batch(self, squares: Pixels) -> Vector:
        """Compute the features of at most a batch of pictures.

        Args:
            squares: The pictures' pixels, of shape (n_squares, size, size, 3).

        Returns:
            The features, of shape (n_squares, width).
        """

    def to_bytes(self) -> bytes:
        """Return the file that the engine computes with."""


@dataclass(frozen=True)
class Backbone:
    """A network that turns pictures into features.

    Attributes:
        cut: The layer at which the network ends, or two layers such as mixed8+mixed9.
        size: The side of a picture in pixels.
        engine: What computes the features.
        precision: The precision to which features are rounded.
        origin: SHA-256 of the file that the weights came from; empty where they came from none.
        reference: The hash of the reference pictures' features, where unlike machines are kept apart; else empty.
    """

    cut: str
    size: int
    engine: Engine
    precision: str = "float32"
    #: SHA-256 of the file that the weights came from, where they came from one.
    origin: str = ""
    reference: str = ""

    @property
    def width(self) -> int:
        """Return the number of features of a picture."""
        return self.engine.width

    @property
    def model(self) -> "keras.Model":
        """Return the Keras network that fine-tuning starts from; raise TypeError where the engine has none."""
        from tasks.modeling.backbone.tensorflow_engine import TensorFlowEngine

        if not isinstance(self.engine, TensorFlowEngine):
            raise TypeError("only a backbone on TensorFlow has a Keras network")
        return self.engine.model

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Return all that decides features: weights, cut, size, precision, pixel contract, engine and machine."""
        chosen = {"cut": self.cut, "size": self.size, "precision": self.precision, "pixels": CONTRACT}
        return {**chosen, **self.engine.facts} | ({"reference": self.reference} if self.reference else {})

    @cached_property
    def fingerprint(self) -> str:
        """Return the hash of the facts, which identifies the backbone: 64 hex digits."""
        return sha256_of(self.facts)

    @property
    def network(self) -> Callable[[Pixels], Vector]:
        """Return the function from one picture, (size, size, 3), to its features, (width,); threads may share it."""
        return lambda pixels: _round(self.engine.embed(pixels), self.precision)

    @property
    def batch(self) -> int:
        """Return the number of pictures of one call: 1, or more on a graphics card."""
        return self.engine.batch

    def embed_batch(self, squares: Pixels) -> list[Vector]:
        """Compute the features of at most a batch of pictures.

        Args:
            squares: The pictures' pixels, of shape (n_squares, size, size, 3).

        Returns:
            The features of each picture, of shape (width,).
        """
        return [_round(vector, self.precision) for vector in self.engine.embed_batch(squares)]

    def to_bytes(self) -> bytes:
        """Return the file that the engine computes with: weights, or a graph that holds them."""
        return self.engine.to_bytes()


def with_engine(backbone: Backbone, engine: str) -> Backbone:
    """Hand a backbone over to the engine that is to compute its features.

    Args:
        backbone: A backbone on TensorFlow.
        engine: The name of the engine: tensorflow or onnxruntime.

    Returns:
        The backbone itself, or the same network exported for ONNX Runtime.
    """
    if engine == "tensorflow":
        return backbone
    # What is served computes with a graph that is there already, and does not carry what writes one.
    from tasks.modeling.backbone.onnx_engine import OnnxEngine, check_installed
    from tasks.modeling.backbone.onnx_export import export_network

    check_installed("onnx")
    exported = OnnxEngine(export_network(backbone.model), files.hash_weights(backbone.model.get_weights()))
    return replace(backbone, engine=exported)


def random_backbone(cut: str, size: int) -> Backbone:
    """Build an untrained backbone, the same one in every process.

    Args:
        cut: The layer at which the network ends.
        size: The side of a picture in pixels.

    Returns:
        The backbone.
    """
    from tasks.modeling.backbone.inception import build_untrained

    return backbone_from_network(build_untrained(cut), cut, size)


def backbone_from_network(network: "keras.Model", cut: str, size: int) -> Backbone:
    """Build a backbone from a network, on TensorFlow.

    Args:
        network: The network, up to the cut or beyond it.
        cut: The layer at which the backbone ends.
        size: The side of a picture in pixels.

    Returns:
        The backbone.
    """
    from tasks.modeling.backbone.inception import truncate_network
    from tasks.modeling.backbone.tensorflow_engine import TensorFlowEngine

    return Backbone(cut, size, TensorFlowEngine(truncate_network(network, cut, size)))


def backbone_from_weights(data: bytes, cut: str, size: int, origin: str) -> Backbone:
    """Build a backbone from a file that ``Backbone.to_bytes`` wrote.

    Args:
        data: The file.
        cut: The layer at which the network ends.
        size: The side of a picture in pixels.
        origin: The name of the file for error sentences.

    Returns:
        The backbone.

    Raises:
        PedigreeError: The file is damaged, or does not fit the cut.
    """
    from tasks.modeling.backbone.inception import build_blank

    arrays = files.from_bytes(data, origin)
    backbone = backbone_from_network(build_blank(cut), cut, size)
    try:
        backbone.model.set_weights(arrays)
    except ValueError as error:
        message = f"The weights file {origin} does not fit InceptionV3 cut at {cut}: correct backbone.cut or the file."
        raise PedigreeError(message) from error
    return backbone


def restore_backbone(data: bytes, facts: Mapping[str, Any]) -> Backbone:
    """Build a backbone from the store.

    Args:
        data: The file that its engine computes with.
        facts: What identifies the backbone, as in ``Backbone.facts``.

    Returns:
        The backbone.

    Raises:
        PedigreeError: The weights are not those that the facts name, or their engine is not installed.
    """
    if "graph" in facts:
        return _restore_graph(data, facts)
    backbone = backbone_from_weights(
        data, facts["cut"], facts["size"], f"of the stored backbone {facts['weights'][:12]}"
    )
    if backbone.facts["weights"] != facts["weights"]:
        raise PedigreeError(f"The stored backbone {facts['weights'][:12]} is damaged: its weights have another hash.")
    backbone = with_batch(backbone, int(facts.get("batch", 1)), facts.get("computing", "float32"))
    precision, reference = facts.get("precision", "float32"), facts.get("reference", "")
    return replace(backbone, precision=precision, reference=reference)


def with_batch(backbone: Backbone, batch: int, computing: str) -> Backbone:
    """Let TensorFlow compute a fixed batch of pictures in one call, and in another precision.

    Args:
        backbone: A backbone on TensorFlow.
        batch: The pictures of one call.
        computing: float32, float16 or bfloat16.

    Returns:
        The backbone, which has another fingerprint unless batch and precision are those that it had.
    """
    from tasks.modeling.backbone.tensorflow_engine import TensorFlowEngine

    return replace(backbone, engine=TensorFlowEngine(backbone.model, batch, computing))


def _restore_graph(data: bytes, facts: Mapping[str, Any]) -> Backbone:
    # What is served by TensorFlow does not carry what computes with a graph.
    from tasks.modeling.backbone.onnx_engine import OnnxEngine, check_installed

    if sha256_of_bytes(data) != facts["graph"]:
        raise PedigreeError(f"The stored backbone {facts['weights'][:12]} is damaged: its graph has another hash.")
    check_installed()
    engine, reference = OnnxEngine(data, facts["weights"]), facts.get("reference", "")
    return Backbone(facts["cut"], facts["size"], engine, facts["precision"], reference=reference)


def _round(vector: Vector, precision: str) -> Vector:
    """Round features to the stored precision, only here, so that a served model computes what was evaluated.

    Returns:
        The rounded features, as float32.

    Raises:
        PedigreeError: A feature is no number, or too large for the precision.
    """
    with np.errstate(over="ignore"):
        rounded = vector.astype(precision).astype(np.float32)
    if np.isfinite(rounded).all():
        return rounded
    if np.isfinite(vector).all():
        raise PedigreeError("The backbone's numbers are too big for float16: set backbone.precision to float32.")
    raise PedigreeError("The backbone turns a picture into values that are no numbers: use another weights file.")
