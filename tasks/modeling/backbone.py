"""InceptionV3 up to its cut layer: what turns a picture into features."""

import contextlib
import difflib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import h5py

from configs.problems import Problem, SettingsProblem
from tasks.domain.canonical import sha256_of, sha256_of_bytes
from tasks.domain.pixels import CONTRACT
from tasks.modeling import weights as files
from tasks.modeling.determinism import SEED, engine, settle

if TYPE_CHECKING:
    import keras

    from configs import schema

DEMO_WEIGHTS = Path(__file__).with_name("demo_weights.npz")


@dataclass(frozen=True)
class Backbone:
    """A network that maps (n, size, size, 3) bytes to (n, width) numbers, and what its name is made of."""

    cut: str
    size: int
    model: "keras.Model"

    @property
    def width(self) -> int:
        """Count the numbers that it makes of one picture."""
        return int(self.model.output_shape[-1])

    @cached_property
    def facts(self) -> dict[str, Any]:
        """List all that decides the features' bits: weights, cut, size, pixel contract and engine."""
        return {
            "weights": files.weights_hash(self.model.get_weights()),
            "cut": self.cut,
            "size": self.size,
            "pixels": CONTRACT,
            "engine": engine(),
        }

    @cached_property
    def fingerprint(self) -> str:
        """Name the backbone by the hash of its facts: 64 hex digits."""
        return sha256_of(self.facts)

    def to_bytes(self) -> bytes:
        """Write the weights as one file."""
        return files.to_bytes(self.model.get_weights())


def load(settings: "schema.Backbone", data: bytes | None = None) -> Backbone:
    """Build the backbone that the settings name; ``data`` is the weights file where they name a path or an address."""
    settle()
    if settings.weights == "imagenet":
        return _cut(_imagenet(settings.size), settings.cut, settings.size)
    if settings.weights == "random":
        return random_backbone(settings.cut, settings.size)
    if settings.weights == "demo":
        return from_weights(DEMO_WEIGHTS.read_bytes(), settings.cut, settings.size, "of the demo backbone")
    return _from_file(data or b"", settings)


def random_backbone(cut: str, size: int) -> Backbone:
    """Build a backbone that has learned nothing, the same one in every process."""
    settle()
    import keras  # noqa: PLC0415  - TensorFlow takes seconds to import

    keras.utils.set_random_seed(SEED)
    return _cut(_inception(size, None), cut, size)


def from_weights(data: bytes, cut: str, size: int, origin: str) -> Backbone:
    """Build a backbone from a file that ``Backbone.to_bytes`` wrote; raise Problem when it does not fit."""
    backbone = random_backbone(cut, size)
    try:
        backbone.model.set_weights(files.from_bytes(data, origin))
    except ValueError as error:
        message = f"The weights file {origin} does not fit InceptionV3 cut at {cut}: correct backbone.cut or the file."
        raise Problem(message) from error
    return backbone


def restore(data: bytes, facts: Mapping[str, Any]) -> Backbone:
    """Build a backbone from the store; raise Problem when its weights are not those that its facts name."""
    backbone = from_weights(data, facts["cut"], facts["size"], "of a stored backbone")
    if backbone.facts["weights"] != facts["weights"]:
        message = f"The stored backbone {facts['weights'][:12]} is damaged: its weights have another hash."
        raise Problem(message)
    return backbone


def _inception(size: int, weights: str | None) -> "keras.Model":
    import keras  # noqa: PLC0415

    return keras.applications.InceptionV3(include_top=False, weights=weights, input_shape=(size, size, 3))


def _cut(whole: "keras.Model", cut: str, size: int) -> Backbone:
    """Keep the network up to the cut layer, average its output over the picture, and take bytes as they are."""
    import keras  # noqa: PLC0415

    try:
        features = whole.get_layer(cut).output
    except ValueError:
        near = difflib.get_close_matches(cut, [layer.name for layer in whole.layers if "mixed" in layer.name], n=1, cutoff=0)
        message = f"InceptionV3 has no layer {cut} to cut at; the nearest is {near[0]}: correct backbone.cut."
        raise SettingsProblem(message) from None
    body = keras.Model(whole.input, features)
    pixels = keras.Input((size, size, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    pooled = keras.layers.GlobalAveragePooling2D()(body(scaled, training=False))
    return Backbone(cut, size, keras.Model(pixels, pooled))


def _imagenet(size: int) -> "keras.Model":
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return _inception(size, "imagenet")
    except Exception as error:
        message = (
            "The ImageNet weights cannot be downloaded here: either download Keras's InceptionV3 weights file (notop) "
            "elsewhere and set backbone.weights to its path or s3:// address with backbone.sha256, or set "
            "backbone.weights to demo for a first try on drawn dogs."
        )
        raise Problem(message) from error


def _from_file(data: bytes, settings: "schema.Backbone") -> Backbone:
    if not settings.sha256:
        message = f"backbone.weights is the file {settings.weights}: set backbone.sha256 to its SHA-256."
        raise SettingsProblem(message)
    found = sha256_of_bytes(data)
    if found != settings.sha256:
        message = f"The weights file {settings.weights} has SHA-256 {found}, not backbone.sha256: fetch it again."
        raise Problem(message)
    if data.startswith(b"PK"):
        return from_weights(data, settings.cut, settings.size, settings.weights)
    whole = _inception(settings.size, None)
    _load_keras_file(whole, data, settings.weights)
    return _cut(whole, settings.cut, settings.size)


def _load_keras_file(whole: "keras.Model", data: bytes, origin: str) -> None:
    """Load a file in either of Keras's two layouts; it tells them apart by the file's name, we by its content."""
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            suffix = ".h5" if "layer_names" in file.attrs else ".weights.h5"
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"inception{suffix}"
            path.write_bytes(data)
            whole.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        message = f"The weights file {origin} is damaged, or not one of InceptionV3 without its top: fetch it again."
        raise Problem(message) from error
