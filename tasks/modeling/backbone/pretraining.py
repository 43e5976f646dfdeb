"""Training a whole backbone: all of its layers, from scratch, on small pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.modeling.backbone.backbone import Backbone, random_backbone
from tasks.modeling.determinism import SEED, configure_tensorflow

if TYPE_CHECKING:
    import keras

# Keras's 0.99 needs hundreds of steps before the moving averages, which inference uses, leave their starting values.
_MOMENTUM = 0.9
_BATCH, _PEAK_RATE, _WARM_UP = 32, 2e-3, 0.1
# Without seeds of their own, layers ask Python's one source of chance, which Prefect's threads use too. These are what
# it gave when the demo's weights were made and no other thread was there.
_FLIPPED, _MOVED, _CLASSIFIED, _DROPPED = 862407392, 583031025, 481003666, 97942385


@dataclass(frozen=True)
class Pictures:
    """Model input of shape (images, size, size, 3), and each picture's class as an index."""

    pixels: NDArray[np.uint8]
    truth: NDArray[np.int64]


def train_backbone(
    cut: str, train: Pictures, validation: Pictures, epochs: int, on_epoch: Callable[[int, dict[str, float]], None]
) -> Backbone:
    """Train InceptionV3 up to a cut, with a throw-away classifier on top, and return it without that classifier."""
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
    """Put the backbone's own layers, free to learn, between small random changes of the picture and a classifier."""
    import keras

    body = next(layer for layer in backbone.model.layers if isinstance(layer, keras.Model))
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = _MOMENTUM
    pixels = keras.Input(backbone.model.input_shape[1:], dtype="uint8")
    changed = keras.layers.RandomFlip("horizontal", seed=_FLIPPED)(pixels)
    changed = keras.layers.RandomTranslation(0.08, 0.08, fill_mode="nearest", seed=_MOVED)(changed)
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(changed)
    pooled = keras.layers.GlobalAveragePooling2D()(body(scaled))
    regularized = keras.layers.Dropout(0.3, seed=_DROPPED)(pooled)
    drawn = keras.initializers.GlorotUniform(_CLASSIFIED)
    predicted = keras.layers.Dense(classes, activation="softmax", kernel_initializer=drawn)(regularized)
    return keras.Model(pixels, predicted)
