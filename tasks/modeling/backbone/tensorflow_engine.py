"""TensorFlow as the engine of a backbone: the Keras network, traced for one picture a call."""

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
    """

    model: "keras.Model"

    @property
    def width(self) -> int:
        """Return the number of features of a picture."""
        return int(self.model.output_shape[-1])

    @property
    def facts(self) -> Mapping[str, str]:
        """Return what of the weights and of TensorFlow decides the features' bits."""
        return {"weights": hash_weights(self.model.get_weights()), "engine": describe_engine()}

    def embed(self, square: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute the features of a picture.

        Args:
            square: The picture's pixels, of shape (size, size, 3); several threads may each bring one.

        Returns:
            The features, of shape (width,).
        """
        features: NDArray[np.float32] = self._traced(square[None]).numpy()[0]
        return features

    def to_bytes(self) -> bytes:
        """Return the weights as one file."""
        return to_bytes(self.model.get_weights())

    @cached_property
    def _traced(self) -> "Callable[[NDArray[np.uint8]], tf.Tensor]":
        import tensorflow as tf

        @tf.function(input_signature=[tf.TensorSpec((1, *self.model.input_shape[1:]), tf.uint8)], autograph=False)
        def call(pixels: tf.Tensor) -> tf.Tensor:
            return self.model(pixels, training=False)

        traced: Callable[[NDArray[np.uint8]], tf.Tensor] = call
        return traced
