"""The backbone: InceptionV3 up to its cut, which turns a picture into features."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError, SettingsError
from tasks.domain.hashing import sha256_of, sha256_of_bytes
from tasks.domain.images.preprocessing import CONTRACT
from tasks.modeling.backbone import serialization as files
from tasks.modeling.backbone.inception import build_untrained, check_size, truncate_network
from tasks.modeling.determinism import describe_engine

if TYPE_CHECKING:
    import keras

    from configs import schema

DEMO_WEIGHTS = Path(__file__).with_name("demo_weights.npz")
DEMO_SHA256 = "c268ae0475690fd95673edbe3ff2084789bbc82f2e4cef3aabe294d8b4bf2365"
DEMO_CUT = "mixed2"

Pixels = NDArray[np.uint8]
Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Backbone:
    """A network that turns pictures into features.

    Attributes:
        cut: The layer at which the network ends, or two layers such as mixed8+mixed9.
        size: The side of a picture in pixels.
        model: The Keras model, from bytes (n, size, size, 3) to features (n, width).
        precision: The precision to which features are rounded.
        origin: SHA-256 of the file that the weights came from; empty where they came from none.
        reference: The hash of the reference pictures' features, where unlike machines are kept apart; else empty.
    """

    cut: str
    size: int
    model: "keras.Model"
    precision: str = "float32"
    #: SHA-256 of the file that the weights came from, where they came from one.
    origin: str = ""
    reference: str = ""

    @property
    def width(self) -> int:
        """Return the number of features of a picture."""
        return int(self.model.output_shape[-1])

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Return all that decides features: weights, cut, size, precision, pixel contract, engine and machine."""
        facts = {
            "weights": files.hash_weights(self.model.get_weights()),
            "cut": self.cut,
            "size": self.size,
            "precision": self.precision,
            "pixels": CONTRACT,
            "engine": describe_engine(),
        }
        return facts | ({"reference": self.reference} if self.reference else {})

    @cached_property
    def fingerprint(self) -> str:
        """Return the hash of the facts, which identifies the backbone: 64 hex digits."""
        return sha256_of(self.facts)

    @cached_property
    def network(self) -> Callable[[Pixels], Vector]:
        """Return the traced network for one picture a call, (size, size, 3) to (width,); threads may share it."""
        import tensorflow as tf

        @tf.function(input_signature=[tf.TensorSpec((1, self.size, self.size, 3), tf.uint8)], autograph=False)
        def call(pixels: tf.Tensor) -> tf.Tensor:
            return self.model(pixels, training=False)

        return lambda pixels: _round(call(pixels[None]).numpy()[0], self.precision)

    def to_bytes(self) -> bytes:
        """Return the weights as one file."""
        return files.to_bytes(self.model.get_weights())


def load_backbone(settings: "schema.Backbone", data: bytes | None = None) -> Backbone:
    """Build the backbone that the settings name.

    Args:
        settings: Which weights, cut, size and precision.
        data: The weights file, where the settings name a path or an address.

    Returns:
        The backbone.

    Raises:
        SettingsError: The cut does not suit the size or the weights.
        PedigreeError: The weights are missing, damaged, or others than expected.
    """
    check_size(settings.cut, settings.size)
    return replace(_build(settings, data or b""), precision=settings.precision)


def name_external_weights(settings: "schema.Backbone") -> str | None:
    """Return a hash that identifies a backbone from external weights; None for weights that Pedigree brings.

    A store that holds this name needs neither a download nor the file any more.

    Args:
        settings: Which weights, cut, size and precision.

    Returns:
        64 hex digits, or None.
    """
    if settings.weights in {"random", "demo"}:
        return None
    chosen = settings.model_dump(include={"cut", "size", "precision"})
    return sha256_of(
        {**chosen, "weights": settings.sha256 or settings.weights, "pixels": CONTRACT, "engine": describe_engine()}
    )


def random_backbone(cut: str, size: int) -> Backbone:
    """Build an untrained backbone, the same one in every process.

    Args:
        cut: The layer at which the network ends.
        size: The side of a picture in pixels.

    Returns:
        The backbone.
    """
    return Backbone(cut, size, truncate_network(build_untrained(), cut, size))


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
    arrays = files.from_bytes(data, origin)
    backbone = random_backbone(cut, size)
    try:
        backbone.model.set_weights(arrays)
    except ValueError as error:
        message = f"The weights file {origin} does not fit InceptionV3 cut at {cut}: correct backbone.cut or the file."
        raise PedigreeError(message) from error
    return backbone


def restore_backbone(data: bytes, facts: Mapping[str, Any]) -> Backbone:
    """Build a backbone from the store.

    Args:
        data: The weights file.
        facts: What identifies the backbone, as in ``Backbone.facts``.

    Returns:
        The backbone.

    Raises:
        PedigreeError: The weights are not those that the facts name.
    """
    backbone = backbone_from_weights(
        data, facts["cut"], facts["size"], f"of the stored backbone {facts['weights'][:12]}"
    )
    if backbone.facts["weights"] != facts["weights"]:
        raise PedigreeError(f"The stored backbone {facts['weights'][:12]} is damaged: its weights have another hash.")
    precision, reference = facts.get("precision", "float32"), facts.get("reference", "")
    return replace(backbone, precision=precision, reference=reference)


def _build(settings: "schema.Backbone", data: bytes) -> Backbone:
    cut, size = settings.cut, settings.size
    if settings.weights == "imagenet":
        # What is served never reads Keras's files, and does not carry what does.
        from tasks.modeling.backbone.keras_weights import load_imagenet

        network, origin = load_imagenet(settings.sha256)
        return Backbone(cut, size, truncate_network(network, cut, size), origin=origin)
    if settings.weights == "random":
        return random_backbone(cut, size)
    if settings.weights == "demo":
        return _demo(cut, size)
    return replace(_from_file(data, settings), origin=settings.sha256)


def _demo(cut: str, size: int) -> Backbone:
    if cut != DEMO_CUT:
        raise SettingsError(f"backbone.weights is demo, which ends at {DEMO_CUT}: set backbone.cut to {DEMO_CUT}.")
    data = DEMO_WEIGHTS.read_bytes()
    if sha256_of_bytes(data) != DEMO_SHA256:
        raise PedigreeError(f"The demo's backbone {DEMO_WEIGHTS} is damaged: install Pedigree again.")
    return backbone_from_weights(data, cut, size, DEMO_WEIGHTS.name)


def _from_file(data: bytes, settings: "schema.Backbone") -> Backbone:
    from tasks.modeling.backbone.keras_weights import load_keras_file

    sha256 = sha256_of_bytes(data)
    if sha256 != settings.sha256:
        raise PedigreeError(
            f"The weights file {settings.weights} has SHA-256 {sha256}, not backbone.sha256: fetch it again."
        )
    if files.is_weights_file(data):
        return backbone_from_weights(data, settings.cut, settings.size, settings.weights)
    network = load_keras_file(data, settings.weights)
    return Backbone(settings.cut, settings.size, truncate_network(network, settings.cut, settings.size))


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
