"""One softmax classifier that learns: its weights, and the step that makes them better."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.modeling.scaling import Numbers, Scaling

if TYPE_CHECKING:
    import tensorflow as tf

    from configs import schema

Step = Callable[[Numbers, NDArray[np.int64], Numbers], "tf.Tensor"]


@dataclass(frozen=True)
class Learner:
    """Variables of shape (width, classes) and (classes,) for scaled features, and what computes with them.

    ``step`` takes features of shape (images, width), classes and weights of shape (images,), learns from them, and
    returns the mean loss, without the weight decay, and the share of right answers. ``logits`` takes such features.
    """

    weights: "tf.Variable"
    bias: "tf.Variable"
    step: Step
    logits: Callable[[Numbers], "tf.Tensor"]


def learner(start: tuple[Numbers, Numbers], scaling: Scaling, settings: "schema.Training") -> Learner:
    """Prepare Adam on a weights matrix and a bias that begin with these values; batches are scaled as they come."""
    import keras
    import tensorflow as tf

    weights, bias = (tf.Variable(values) for values in start)
    mean, scale = tf.constant(scaling.mean), tf.constant(scaling.scale)
    adam = keras.optimizers.Adam(settings.learning_rate)
    adam.build([weights, bias])
    width = len(scaling.mean)
    images = tf.TensorSpec((None, width), tf.float32)

    numbers = [tf.TensorSpec((None,), tf.int64), tf.TensorSpec((None,), tf.float32)]

    @tf.function(input_signature=[images, *numbers], autograph=False)
    def step(features: tf.Tensor, truth: tf.Tensor, say: tf.Tensor) -> tf.Tensor:
        seen = _dropped((features - mean) / scale, settings, adam.iterations)
        wanted = _smoothed(tf.one_hot(truth, len(start[1])), settings.label_smoothing)
        with tf.GradientTape() as tape:
            guess = seen @ weights + bias
            loss = tf.reduce_mean(say * tf.nn.softmax_cross_entropy_with_logits(wanted, guess))
            total = loss + 2 * settings.l2 * tf.nn.l2_loss(weights)
        adam.apply_gradients(zip(tape.gradient(total, [weights, bias]), [weights, bias], strict=True))
        right = tf.argmax(guess, axis=1) == truth
        return tf.stack([loss, tf.reduce_mean(tf.cast(right, tf.float32))])

    @tf.function(input_signature=[images], autograph=False)
    def logits(features: tf.Tensor) -> tf.Tensor:
        return (features - mean) / scale @ weights + bias

    # Traced once and for all: TensorFlow takes many learners for one function that is traced too often, and warns.
    return Learner(weights, bias, step.get_concrete_function(), logits.get_concrete_function())


def _dropped(scaled: "tf.Tensor", settings: "schema.Training", number: "tf.Variable") -> "tf.Tensor":
    """Leave out some features of each image, others in each step, and make up for them by the rest."""
    import tensorflow as tf

    if not settings.dropout:
        return scaled
    seed = tf.stack([tf.constant(settings.seed, tf.int64), tf.cast(number, tf.int64)])
    return tf.nn.experimental.stateless_dropout(scaled, settings.dropout, seed)


def _smoothed(wanted: "tf.Tensor", share: float) -> "tf.Tensor":
    """Spread this share of certainty evenly over all classes."""
    import tensorflow as tf

    return wanted * (1 - share) + share / tf.cast(tf.shape(wanted)[1], tf.float32)
