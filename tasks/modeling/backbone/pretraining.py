"""Pretraining: training all layers of a backbone from scratch on small pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.modeling.backbone.backbone import Backbone, random_backbone
from tasks.modeling.determinism import SEED, configure_tensorflow

if TYPE_CHECKING:
    import keras

# With Keras's 0.99 the moving averages, which inference uses, need hundreds of steps to leave their initial values.
_MOMENTUM = 0.9
_BATCH, _PEAK_RATE, _WARM_UP = 32, 2e-3, 0.1
# Without seeds of their own, layers draw from Python's global random generator, which Prefect's threads use as well.
# These are the seeds that it gave when the demo's weights were trained.
_FLIP_SEED, _SHIFT_SEED, _CLASSIFIER_SEED, _DROPOUT_SEED = 862407392, 583031025, 481003666, 97942385


@dataclass(frozen=True)
class Pictures:
    """Pictures with their classes.

    Attributes:
        pixels: Model input of shape (n_images, size, size, 3).
        truth: The index of each picture's class, of shape (n_images,).
    """

    pixels: NDArray[np.uint8]
    truth: NDArray[np.int64]


def train_backbone(
    cut: str, train: Pictures, validation: Pictures, epochs: int, on_epoch: Callable[[int, dict[str, float]], None]
) -> Backbone:
    """Train InceptionV3 up to a cut, with a classifier on top that is thrown away afterwards.

    Args:
        cut: The layer at which the network ends.
        train: The pictures to learn from.
        validation: The pictures to evaluate each epoch on.
        epochs: The number of epochs.
        on_epoch: Called with the number and the metrics of each epoch.

    Returns:
        The trained backbone.
    """
    configure_tensorflow()
    import keras

    keras.utils.set_random_seed(SEED)
    backbone = random_backbone(cut, train.pixels.shape[1])
    model = _with_classifier(backbone, classes=int(train.truth.max()) + 1)
    steps = epochs * -(-len(train.truth) // _BATCH)
    warm_up = int(_WARM_UP * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        _PEAK_RATE / 100, steps - warm_up, warmup_target=_PEAK_RATE, warmup_steps=warm_up
    )
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        train.pixels,
        train.truth,
        validation_data=(validation.pixels, validation.truth),
        batch_size=_BATCH,
        epochs=epochs,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: on_epoch(epoch, dict(logs)))],
        verbose=0,
    )
    return backbone


def _with_classifier(backbone: Backbone, classes: int) -> "keras.Model":
    """Put the backbone's layers between random changes of the picture and a classifier, and make them trainable.

    Returns:
        A model from bytes (n, size, size, 3) to probabilities (n, n_classes).
    """
    import keras

    body = next(layer for layer in backbone.model.layers if isinstance(layer, keras.Model))
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _MOMENTUM
    pixels = keras.Input(backbone.model.input_shape[1:], dtype="uint8")
    augmented = keras.layers.RandomFlip("horizontal", seed=_FLIP_SEED)(pixels)
    augmented = keras.layers.RandomTranslation(0.08, 0.08, fill_mode="nearest", seed=_SHIFT_SEED)(augmented)
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(augmented)
    pooled = keras.layers.GlobalAveragePooling2D()(body(scaled))
    regularized = keras.layers.Dropout(0.3, seed=_DROPOUT_SEED)(pooled)
    initializer = keras.initializers.GlorotUniform(_CLASSIFIER_SEED)
    probabilities = keras.layers.Dense(classes, activation="softmax", kernel_initializer=initializer)(regularized)
    return keras.Model(pixels, probabilities)
