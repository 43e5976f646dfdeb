"""Loading: the backbone that the settings name, from Keras, from a file, from the demo, or from chance."""

from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from configs.errors import PedigreeError, SettingsError
from tasks.domain.hashing import sha256_of, sha256_of_bytes
from tasks.domain.images.preprocessing import CONTRACT
from tasks.modeling.backbone import serialization as files
from tasks.modeling.backbone.backbone import (
    Backbone,
    backbone_from_network,
    backbone_from_weights,
    random_backbone,
    with_batch,
    with_engine,
)
from tasks.modeling.backbone.inception import check_size
from tasks.modeling.backbone.onnx_engine import describe_onnxruntime
from tasks.modeling.determinism import count_cards, describe_engine

if TYPE_CHECKING:
    from configs import schema

DEMO_WEIGHTS = Path(__file__).with_name("demo_weights.npz")
DEMO_SHA256 = "c268ae0475690fd95673edbe3ff2084789bbc82f2e4cef3aabe294d8b4bf2365"
DEMO_CUT = "mixed2"
# A card is busy with so many pictures at 299 px, and the last batch of a run costs no more than a fraction of a second.
_CARD_BATCH = 64


def load_backbone(settings: "schema.Backbone", data: bytes | None = None) -> Backbone:
    """Build the backbone that the settings name, on TensorFlow.

    Args:
        settings: Which weights, cut, size and precision.
        data: The weights file, where the settings name a path or an address.

    Returns:
        The backbone.

    Raises:
        SettingsError: The cut does not suit the size or the weights.
        PedigreeError: The weights are missing, damaged, or others than expected.
    """
    check_cut(settings)
    backbone = replace(_build(settings, data or b""), precision=settings.precision)
    return with_batch(backbone, choose_batch(settings), settings.computing)


def check_cut(settings: "schema.Backbone") -> None:
    """Check that the cut suits the size of pictures and the weights, of which a file is not looked into.

    Args:
        settings: Which weights, cut and size.

    Raises:
        SettingsError: The cut does not suit them; the sentence says what to set.
    """
    if settings.weights == "demo" and settings.cut != DEMO_CUT:
        raise SettingsError(f"backbone.weights is demo, which ends at {DEMO_CUT}: set backbone.cut to {DEMO_CUT}.")
    check_size(settings.cut, settings.size)


def choose_batch(settings: "schema.Backbone") -> int:
    """Return the pictures of one call: one on a processor, many on a graphics card, unless the settings say a number.

    Args:
        settings: The engine, and the number or 0.

    Returns:
        The number.
    """
    if settings.engine == "onnxruntime":
        return 1
    return settings.batch or (_CARD_BATCH if count_cards() else 1)


def load_on_engine(settings: "schema.Backbone", data: bytes | None = None) -> Backbone:
    """Build the backbone that the settings name, on the engine that they name.

    Args:
        settings: Which weights, cut, size, precision and engine.
        data: The weights file, where the settings name a path or an address.

    Returns:
        The backbone.
    """
    return with_engine(load_backbone(settings, data), settings.engine)


def name_remembered_weights(settings: "schema.Backbone") -> str | None:
    """Return a hash that identifies a backbone before its weights are loaded; None where they must be.

    A store that holds this name needs neither a download nor the file any more, and with ONNX Runtime no TensorFlow.

    Args:
        settings: Which weights, cut, size, precision and engine.

    Returns:
        64 hex digits, or None for weights that Pedigree brings and TensorFlow computes with.
    """
    brought = {"demo": DEMO_SHA256, "random": f"keras {metadata.version('keras')}"}
    if settings.engine == "tensorflow" and settings.weights in brought:
        return None
    chosen = settings.model_dump(include={"cut", "size", "precision"})
    if settings.engine == "tensorflow" and (choose_batch(settings), settings.computing) != (1, "float32"):
        chosen |= {"batch": choose_batch(settings), "computing": settings.computing}
    weights = brought.get(settings.weights) or settings.sha256 or settings.weights
    return sha256_of({**chosen, "weights": weights, "pixels": CONTRACT, "engine": _describe_engine(settings.engine)})


def check_weights_file(settings: "schema.Backbone", data: bytes) -> None:
    """Check that a weights file is the one that the settings mean.

    Args:
        settings: Its path or address, and its SHA-256.
        data: What it holds.

    Raises:
        PedigreeError: It has another SHA-256.
    """
    sha256 = sha256_of_bytes(data)
    if sha256 != settings.sha256:
        raise PedigreeError(
            f"The weights file {settings.weights} has SHA-256 {sha256}, not backbone.sha256: correct backbone.sha256, "
            "or fetch the file again."
        )


def _describe_engine(engine: str) -> str:
    return describe_engine() if engine == "tensorflow" else describe_onnxruntime()


def _build(settings: "schema.Backbone", data: bytes) -> Backbone:
    cut, size = settings.cut, settings.size
    if settings.weights == "imagenet":
        from tasks.modeling.backbone.keras_weights import load_imagenet

        network, origin = load_imagenet(settings.sha256)
        return replace(backbone_from_network(network, cut, size), origin=origin)
    if settings.weights == "random":
        return random_backbone(cut, size)
    if settings.weights == "demo":
        return _demo(cut, size)
    return replace(_from_file(data, settings), origin=settings.sha256)


def _demo(cut: str, size: int) -> Backbone:
    data = DEMO_WEIGHTS.read_bytes()
    if sha256_of_bytes(data) != DEMO_SHA256:
        raise PedigreeError(f"The demo's backbone {DEMO_WEIGHTS} is damaged: install Pedigree again.")
    return backbone_from_weights(data, cut, size, DEMO_WEIGHTS.name)


def _from_file(data: bytes, settings: "schema.Backbone") -> Backbone:
    from tasks.modeling.backbone.keras_weights import load_keras_file

    check_weights_file(settings, data)
    if files.is_weights_file(data):
        return backbone_from_weights(data, settings.cut, settings.size, settings.weights)
    return backbone_from_network(load_keras_file(data, settings.weights), settings.cut, settings.size)
