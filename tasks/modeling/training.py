"""Training a head with Keras: class weights, early stopping on the validation split, the same result every time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs.problems import Problem
from tasks.modeling.determinism import settle
from tasks.modeling.head import Head

if TYPE_CHECKING:
    import keras

    from configs import schema

OnEpoch = Callable[[int, Mapping[str, float]], None]
# A spread of less than this share of the mean, or of one, is rounding, which nobody should blow up to a spread of one.
_HARDLY = 1e-6
# No network that was trained gives features beyond this; with them the head's own numbers would overflow.
_LARGEST = 1e9
_NAMES = {
    "loss": "train_loss",
    "accuracy": "train_accuracy",
    "val_loss": "validation_loss",
    "val_accuracy": "validation_accuracy",
}


@dataclass(frozen=True)
class Examples:
    """Features of shape (images, width), and each image's class as an index."""

    features: NDArray[np.float32]
    truth: Sequence[int]


def train_head(
    classes: Sequence[str], train: Examples, validation: Examples, settings: "schema.Training", on_epoch: OnEpoch
) -> Head:
    """Train on one split, stop by the other, and return the head of the epoch with the best validation loss."""
    settle()
    import keras

    _check(train, validation)
    keras.utils.set_random_seed(settings.seed)
    mean, scale = _spread(train.features)
    model = _model(len(classes), train.features.shape[1], settings)
    model.fit(
        (train.features - mean) / scale,
        np.asarray(train.truth),
        validation_data=((validation.features - mean) / scale, np.asarray(validation.truth)),
        batch_size=settings.batch,
        epochs=settings.epochs,
        class_weight=_class_weights(train.truth, len(classes)),
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: on_epoch(epoch, _figures(logs))),
            keras.callbacks.EarlyStopping("val_loss", patience=settings.patience, restore_best_weights=True),
        ],
        verbose=0,
    )
    weights, bias = model.get_weights()
    return _folded(tuple(classes), weights, bias, mean, scale)


def _model(classes: int, width: int, settings: "schema.Training") -> "keras.Model":
    import keras

    regular = keras.regularizers.L2(settings.l2)
    layer = keras.layers.Dense(classes, activation="softmax", kernel_regularizer=regular, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((width,)), layer])
    optimizer = keras.optimizers.Adam(settings.learning_rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _check(train: Examples, validation: Examples) -> None:
    for name, examples in (("training", train), ("validation", validation)):
        if not len(examples.truth):
            raise Problem(f"The {name} split holds no image: add photographs, a share of them will go there.")
        # A comparison with NaN is false, so this refuses it too.
        if not (np.abs(examples.features) < _LARGEST).all():
            raise Problem(f"Features of the {name} split are beyond all bounds: take another weights file.")


def _spread(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Measure each feature's mean and standard deviation; one that hardly varies is left as it is."""
    mean, deviation = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    varies = deviation > _HARDLY * np.maximum(np.abs(mean), 1)
    return mean.astype(np.float32), np.where(varies, deviation, 1).astype(np.float32)


def _folded(
    classes: tuple[str, ...],
    weights: NDArray[np.float32],
    bias: NDArray[np.float32],
    mean: NDArray[np.float32],
    scale: NDArray[np.float32],
) -> Head:
    """Fold the scaling of the features into the weights, so that the head takes features as they are."""
    scaled = weights / scale[:, None]
    return Head(classes, scaled, bias - mean @ scaled)


def _class_weights(truth: Sequence[int], classes: int) -> dict[int, float]:
    """Let every class weigh the same in the loss, however many images it has."""
    counts = np.bincount(truth, minlength=classes)
    return {index: len(truth) / (classes * count) for index, count in enumerate(counts) if count}


def _figures(logs: Mapping[str, float]) -> dict[str, float]:
    return {_NAMES[name]: float(value) for name, value in logs.items() if name in _NAMES}
