"""The head: a linear classifier on features, as plain arrays; serving and evaluation call the same function."""

import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of
from tasks.modeling.backbone.serialization import DAMAGE, weights_hash

# So many images are turned into float64 at once: what bounds memory.
_BLOCK = 1024


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
        plain = [list(self.classes), weights_hash([self.weights, self.bias])]
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

    def sure(self, probability: float) -> bool:
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
