"""Features as a head learns from them: centred and of unit spread, batch by batch, never all of them at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError

# So many images are looked at together: what bounds memory.
_BLOCK = 1024
# A spread of less than this share of the mean, or of one, is rounding, which nobody should blow up to a spread of one.
_HARDLY = 1e-6
# No network that was trained gives features beyond this; with them the head's own numbers would overflow.
_LARGEST = 1e9

Numbers = NDArray[np.float32]


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
    for block in blocks(features):
        mean += block.sum(axis=0, dtype=np.float64) / count
    for block in blocks(features):
        squares += np.square(block - mean).sum(axis=0) / count
    deviation = np.sqrt(squares)
    varies = deviation > _HARDLY * np.maximum(np.abs(mean), 1)
    return Scaler(mean.astype(np.float32), np.where(varies, deviation, 1).astype(np.float32), bool(varies.any()))


def check_features(features: Numbers) -> None:
    """Raise PedigreeError where features are no numbers, or larger than any trained network makes them."""
    # A comparison with NaN is false, so this refuses it too.
    if not all((np.abs(block) < _LARGEST).all() for block in blocks(features)):
        raise PedigreeError("Features are beyond all bounds, or no numbers at all: take another weights file.")


def blocks(features: Numbers) -> Iterator[Numbers]:
    """Go through features of shape (images, width), some images at a time."""
    return (features[start : start + _BLOCK] for start in range(0, len(features), _BLOCK))
