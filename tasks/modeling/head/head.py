"""The head: a linear classifier on features, and the scaling of features that it is fitted on."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of
from tasks.modeling.backbone.serialization import DAMAGE, hash_weights

# The images that are processed at once, which bounds memory.
_BLOCK = 1024
# A spread below this share of the mean, or of 1, is rounding; scaling it to a spread of 1 would blow it up.
_ROUNDING = 1e-6
# No trained network gives larger features; with them the head's own numbers would overflow.
_LARGEST = 1e9
Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class Head:
    """A linear classifier with its calibration; serving and evaluation call the same functions.

    Attributes:
        classes: The classes, in the order of the columns.
        weights: Weights of shape (width, n_classes), float32.
        bias: Of shape (n_classes,), float32.
        temperature: The number by which logits are divided.
        threshold: The probability from which on a prediction is confident; below it the answer is "I don't know".
    """

    classes: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    temperature: float = 1.0
    threshold: float = 0.0

    @cached_property
    def name(self) -> str:
        """Return the hash of classes, weights and calibration, which identifies the head: 64 hex digits.

        A head from before there was a calibration keeps its name.

        Returns:
            64 hex digits.
        """
        plain = [list(self.classes), hash_weights([self.weights, self.bias])]
        calibration = [self.temperature.hex(), self.threshold.hex()]
        return sha256_of(plain if (self.temperature, self.threshold) == (1.0, 0.0) else [*plain, calibration])

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute logits before the temperature.

        Each row is multiplied on its own and in float64, so that a prediction never depends on the other images.

        Args:
            features: Features of shape (n_images, width).

        Returns:
            Logits of shape (n_images, n_classes).
        """
        logits = np.empty((len(features), len(self.classes)))
        for start in range(0, len(features), _BLOCK):
            rows = features[start : start + _BLOCK, None, :].astype(np.float64)
            logits[start : start + _BLOCK] = np.matmul(rows, self._wide)[:, 0] + self.bias
        return logits

    @cached_property
    def _wide(self) -> NDArray[np.float64]:
        """Return the weights in float64; whoever serves multiplies by them once for each photograph."""
        return self.weights.astype(np.float64)

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute calibrated probabilities.

        Args:
            features: Features of shape (n_images, width).

        Returns:
            Probabilities of shape (n_images, n_classes).
        """
        logits = self.logits(features) / self.temperature
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)

    def is_confident(self, probability: float) -> bool:
        """Return whether a prediction of this probability is confident."""
        return probability >= self.threshold

    def to_bytes(self) -> bytes:
        """Return the head as one .npz file."""
        sink = io.BytesIO()
        calibration = np.array([self.temperature, self.threshold])
        np.savez(sink, classes=np.array(self.classes), weights=self.weights, bias=self.bias, calibration=calibration)
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Head":
        """Read the file that ``to_bytes`` wrote.

        Args:
            data: The file.

        Returns:
            The head.

        Raises:
            PedigreeError: The file is damaged.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                calibration = map(float, file["calibration"]) if "calibration" in file else ()
                return cls(tuple(map(str, file["classes"])), file["weights"], file["bias"], *calibration)
        except (*DAMAGE, TypeError, AttributeError) as error:
            raise PedigreeError("A stored head is damaged: train again with --force.") from error


@dataclass(frozen=True)
class Scaler:
    """The scaling of features to mean 0 and standard deviation 1 over the training images.

    Attributes:
        mean: The mean of each feature, of shape (width,).
        scale: Its standard deviation, of shape (width,); 1 where it hardly varies.
        varies: Whether any feature varies.
    """

    mean: Numbers
    scale: Numbers
    varies: bool

    def transform(self, features: Numbers) -> Numbers:
        """Return scaled features.

        Args:
            features: Features of shape (n_images, width), which are not changed.

        Returns:
            A scaled copy.
        """
        copy = features - self.mean
        copy /= self.scale
        return copy

    def unscale_weights(self, theta: NDArray[np.float64]) -> tuple[Numbers, Numbers]:
        """Convert weights for scaled features into weights for features as they are.

        Args:
            theta: Weights of shape (width + 1, n_classes), with the bias as the last row.

        Returns:
            Weights of shape (width, n_classes) and a bias of shape (n_classes,).
        """
        raw = theta[:-1] / self.scale[:, None].astype(np.float64)
        bias = theta[-1] - (self.mean[:, None].astype(np.float64) * raw).sum(axis=0)
        return raw.astype(np.float32), bias.astype(np.float32)


def fit_scaler(features: Numbers) -> Scaler:
    """Fit the scaling of features.

    Args:
        features: Features of shape (n_images, width).

    Returns:
        The scaling.
    """
    count = len(features)
    mean, squares = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for block in iterate_blocks(features):
        mean += block.sum(axis=0, dtype=np.float64) / count
    for block in iterate_blocks(features):
        squares += np.square(block - mean).sum(axis=0) / count
    return _build_scaler(mean, np.sqrt(squares))


def _build_scaler(mean: NDArray[np.float64], deviation: NDArray[np.float64]) -> Scaler:
    varies = deviation > _ROUNDING * np.maximum(np.abs(mean), 1)
    return Scaler(mean.astype(np.float32), np.where(varies, deviation, 1).astype(np.float32), bool(varies.any()))


def fit_scaler_of_blocks(blocks: Iterable[Numbers]) -> Scaler:
    """Fit the scaling of features in one pass over them.

    Sums of squares are merged as in Chan, Golub and LeVeque, "Algorithms for computing the sample variance", The
    American Statistician 1983, which loses nothing where the mean is far from 0.

    Args:
        blocks: Blocks of features, each of shape (n_block, width), in an order that is always the same.

    Returns:
        The scaling.
    """
    count, mean, squares = 0, np.zeros(()), np.zeros(())
    for block in (part for whole in blocks for part in iterate_blocks(whole)):
        middle = block.mean(axis=0, dtype=np.float64)
        gap, share = middle - mean, len(block) / (count + len(block))
        squares = squares + np.square(block - middle).sum(axis=0) + gap**2 * count * share
        mean, count = mean + gap * share, count + len(block)
    return _build_scaler(mean, np.sqrt(squares / count))


def check_features(features: Numbers) -> None:
    """Check that features are numbers, and not larger than any trained network makes them.

    Args:
        features: Features of shape (n_images, width).

    Raises:
        PedigreeError: They are not.
    """
    # A comparison with NaN is false, so NaN raises too.
    if not all((np.abs(block) < _LARGEST).all() for block in iterate_blocks(features)):
        raise PedigreeError("Features are beyond all bounds, or no numbers at all: take another weights file.")


def iterate_blocks(features: Numbers) -> Iterator[Numbers]:
    """Iterate over features, some images at a time.

    Args:
        features: Features of shape (n_images, width).

    Returns:
        An iterator over blocks of shape (n_block, width).
    """
    return (features[start : start + _BLOCK] for start in range(0, len(features), _BLOCK))
