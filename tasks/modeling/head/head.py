"""The head: a linear classifier on features, as plain arrays; serving and evaluation call the same function."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of
from tasks.modeling.backbone.serialization import DAMAGE, hash_weights

# So many images are turned into float64 at once: what bounds memory.
_BLOCK = 1024
# So many images are looked at together: what bounds memory.
# A spread of less than this share of the mean, or of one, is rounding, which nobody should blow up to a spread of one.
_HARDLY = 1e-6
# No network that was trained gives features beyond this; with them the head's own numbers would overflow.
_LARGEST = 1e9
Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """Weights of shape (width, classes) and a bias of shape (classes,), both float32.

    Logits are divided by the temperature; an answer whose probability is below the threshold means I don't know.
    """

    classes: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    temperature: float = 1.0
    threshold: float = 0.0

    @cached_property
    def name(self) -> str:
        """Name the head by the hash of its classes, weights and calibration: 64 hex digits.

        A head from before there was a calibration keeps its name.
        """
        plain = [list(self.classes), hash_weights([self.weights, self.bias])]
        calibration = [self.temperature.hex(), self.threshold.hex()]
        return sha256_of(plain if (self.temperature, self.threshold) == (1.0, 0.0) else [*plain, calibration])

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Turn features of shape (images, width) into logits of shape (images, classes), before the temperature.

        Every row is multiplied on its own and in float64, so that an image's answer never depends on its neighbours.
        """
        logits = np.empty((len(features), len(self.classes)))
        weights = self.weights.astype(np.float64)
        for start in range(0, len(features), _BLOCK):
            rows = features[start : start + _BLOCK, None, :].astype(np.float64)
            logits[start : start + _BLOCK] = np.matmul(rows, weights)[:, 0] + self.bias
        return logits

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn features of shape (images, width) into probabilities of shape (images, classes)."""
        logits = self.logits(features) / self.temperature
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)

    def is_confident(self, probability: float) -> bool:
        """Tell whether an answer of this probability is one, and not I don't know."""
        return probability >= self.threshold

    def to_bytes(self) -> bytes:
        """Write the head as one .npz file."""
        sink = io.BytesIO()
        calibration = np.array([self.temperature, self.threshold])
        np.savez(sink, classes=np.array(self.classes), weights=self.weights, bias=self.bias, calibration=calibration)
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Head":
        """Read what ``to_bytes`` wrote; raise PedigreeError when it is damaged."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                calibration = map(float, file["calibration"]) if "calibration" in file else ()
                return cls(tuple(map(str, file["classes"])), file["weights"], file["bias"], *calibration)
        except (*DAMAGE, TypeError, AttributeError) as error:
            raise PedigreeError("A stored head is damaged: train again with --force.") from error


@dataclass(frozen=True)
class Scaler:
    """Each feature's mean and standard deviation over the images to learn from, both of shape (width,).

    ``varies`` tells whether any feature does.
    """

    mean: Numbers
    scale: Numbers
    varies: bool

    def transform(self, features: Numbers) -> Numbers:
        """Scale features of shape (n_images, width); they stay as they are, and a copy is returned."""
        copy = features - self.mean
        copy /= self.scale
        return copy

    def unscale_weights(self, theta: NDArray[np.float64]) -> tuple[Numbers, Numbers]:
        """Turn weights, with the bias as their last row, for scaled features into those for features as they are."""
        raw = theta[:-1] / self.scale[:, None].astype(np.float64)
        bias = theta[-1] - (self.mean[:, None].astype(np.float64) * raw).sum(axis=0)
        return raw.astype(np.float32), bias.astype(np.float32)


def fit_scaler(features: Numbers) -> Scaler:
    """Measure features of shape (images, width); one that hardly varies is left as it is."""
    count = len(features)
    mean, squares = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for block in iterate_blocks(features):
        mean += block.sum(axis=0, dtype=np.float64) / count
    for block in iterate_blocks(features):
        squares += np.square(block - mean).sum(axis=0) / count
    deviation = np.sqrt(squares)
    varies = deviation > _HARDLY * np.maximum(np.abs(mean), 1)
    return Scaler(mean.astype(np.float32), np.where(varies, deviation, 1).astype(np.float32), bool(varies.any()))


def check_features(features: Numbers) -> None:
    """Raise PedigreeError where features are no numbers, or larger than any trained network makes them."""
    # A comparison with NaN is false, so this refuses it too.
    if not all((np.abs(block) < _LARGEST).all() for block in iterate_blocks(features)):
        raise PedigreeError("Features are beyond all bounds, or no numbers at all: take another weights file.")


def iterate_blocks(features: Numbers) -> Iterator[Numbers]:
    """Go through features of shape (images, width), some images at a time."""
    return (features[start : start + _BLOCK] for start in range(0, len(features), _BLOCK))
