"""TensorFlow as the engine of a backbone: the Keras network, traced for one picture a call, or for a fixed batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.modeling.backbone.serialization import hash_weights, to_bytes
from tasks.modeling.determinism import describe_engine

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@dataclass(frozen=True)
class TensorFlowEngine:
    """A Keras network that computes features.

    Attributes:
        model: The network, from bytes (n, size, size, 3) to features (n, width).
        batch: Pictures of one call, whatever number of them is there: zeros fill the others up.
        computing: The precision of products and sums; weights are kept in float32.
    """

    model: "keras.Model"
    batch: int = 1
    computing: str = "float32"

    @property
    def width(self) -> int:
        """Return the number of features of a picture."""
        return int(self.model.output_shape[-1])

    @property
    def facts(self) -> Mapping[str, str]:
        """Return what of the weights and of TensorFlow decides the features' bits."""
        facts = {"weights": hash_weights(self.model.get_weights()), "engine": describe_engine()}
        batch = {} if self.batch == 1 else {"batch": str(self.batch)}
        return facts | batch | ({} if self.computing == "float32" else {"computing": self.computing})

    def embed(self, square: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the features of a picture.

        Args:
            square: The picture's pixels, of shape (size, size, 3); several threads may each bring one.

        Returns:
            The features, of shape (width,).
        """
        features: NDArray[np.float32] = self.embed_batch(square[None])[0]
        return features

    def embed_batch(self, squares: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the features of as many pictures as a batch has, or fewer.

        Args:
            squares: The pictures' pixels, of shape (n_squares, size, size, 3).

        Returns:
            The features, of shape (n_squares, width).
        """
        if len(squares) < self.batch:
            filled = np.zeros((self.batch, *squares.shape[1:]), np.uint8)
            filled[: len(squares)] = squares
            return self.embed_batch(filled)[: len(squares)]
        features: NDArray[np.float32] = self._traced(squares).numpy()
        return features

    def to_bytes(self) -> bytes:
        """Return the weights as one file."""
        return to_bytes(self.model.get_weights())

    @cached_property
    def _traced(self) -> "Callable[[NDArray[np.uint8]], tf.Tensor]":
        import tensorflow as tf

        set_computing(self.model, self.computing)

        @tf.function(
            input_signature=[tf.TensorSpec((self.batch, *self.model.input_shape[1:]), tf.uint8)], autograph=False
        )
        def call(pixels: tf.Tensor) -> tf.Tensor:
            return self.model(pixels, training=False)

        traced: Callable[[NDArray[np.uint8]], tf.Tensor] = call
        return traced


def set_computing(model: "keras.Model", computing: str) -> None:
    """Set the precision in which the layers of a network compute, from the first convolution to the last.

    Args:
        model: The network from pixels to features; pixels are scaled and outputs averaged in float32.
        computing: float32, float16 or bfloat16; weights are float32 in all of them.
    """
    import keras

    policy = keras.DTypePolicy(computing if computing == "float32" else f"mixed_{computing}")
    for body in (layer for layer in model.layers if isinstance(layer, keras.Model)):
        for layer in body.layers:
            layer.dtype_policy = policy
