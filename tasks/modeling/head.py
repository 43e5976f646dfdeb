"""The head: a linear classifier on features, as plain arrays; serving and evaluation call the same function."""

import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from configs.problems import Problem
from tasks.domain.canonical import sha256_of
from tasks.modeling.weights import DAMAGE, weights_hash


@dataclass(frozen=True)
class Head:
    """Weights of shape (width, classes) and a bias of shape (classes,), both float32."""

    classes: tuple[str, ...]
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    @cached_property
    def name(self) -> str:
        """Name the head by the hash of its classes and its weights: 64 hex digits."""
        return sha256_of([list(self.classes), weights_hash([self.weights, self.bias])])

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn features of shape (images, width) into probabilities of shape (images, classes).

        Every row is multiplied on its own and in float64, so that an image's answer never depends on its neighbours.
        """
        logits = np.matmul(features[:, None, :].astype(np.float64), self.weights.astype(np.float64))[:, 0] + self.bias
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)

    def to_bytes(self) -> bytes:
        """Write the head as one .npz file."""
        sink = io.BytesIO()
        np.savez(sink, classes=np.array(self.classes), weights=self.weights, bias=self.bias)
        return sink.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Head":
        """Read what ``to_bytes`` wrote; raise Problem when it is damaged."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                return cls(tuple(map(str, file["classes"])), file["weights"], file["bias"])
        except (*DAMAGE, TypeError, AttributeError) as error:
            raise Problem("A stored head is damaged: train again with --force.") from error
