"""Training of a head: fitted to its optimum, with a weight decay and a calibration from held-out images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.domain.training import calibration
from tasks.modeling.head.cross_fitting import (
    STRENGTHS,
    FitOptions,
    FoldedImages,
    OnStep,
    assign_folds,
    build_sample,
    cross_fit,
    softmax,
)
from tasks.modeling.head.head import Head, Scaler, check_features, fit_scaler
from tasks.modeling.head.softmax_regression import fit_softmax

if TYPE_CHECKING:
    from configs import schema


@dataclass(frozen=True)
class Examples:
    """The images that a head learns from.

    Attributes:
        features: Features of shape (n_images, width), as they come from the backbone.
        truth: The index of each image's class.
        groups: The near-duplicate group of each image; views of an image share its group.
        originals: The number of images at the beginning that are no views. The views that follow are learned from, and
            not scored.
    """

    features: NDArray[np.float32]
    truth: Sequence[int]
    groups: Sequence[str]
    originals: int


@dataclass(frozen=True)
class HeldOut:
    """Predictions for images that a head was not fitted on.

    Attributes:
        logits: Logits of shape (n_images, n_classes), before the temperature.
        truth: The index of each image's class, of shape (n_images,).
        groups: The near-duplicate group of each image.
    """

    logits: NDArray[np.float64]
    truth: NDArray[np.int64]
    groups: Sequence[str]


def build_fit_options(settings: "schema.Training") -> FitOptions:
    """Build the options for fitting heads from the settings."""
    strengths = (settings.l2,) if settings.l2 else STRENGTHS
    return FitOptions(settings.balance != "none", settings.label_smoothing, strengths, settings.seed)


def train_head(
    classes: Sequence[str], examples: Examples, options: FitOptions, on_step: OnStep = lambda _number, _figures: None
) -> tuple[Head, HeldOut]:
    """Choose a weight decay by cross-validation over groups, and fit a head with it to all images.

    Args:
        classes: The names of the classes, in the order of their indices; each has an image.
        examples: The images.
        options: How heads are fitted.
        on_step: Called with the number of each weight decay and its metrics on held-out images.

    Returns:
        The head, not calibrated yet, and predictions of heads with the same decay for images that they were not fitted
        on.

    Raises:
        PedigreeError: There are no images, features are no numbers or never vary, or nothing can be held out.
    """
    check_examples(examples)
    truth, scaler = np.asarray(examples.truth, np.int64), fit_scaler(examples.features)
    check_varies(scaler)
    folded = FoldedImages(
        scaler.transform(examples.features),
        truth,
        assign_folds(truth, examples.groups, options.seed),
        examples.originals,
    )
    crossed = cross_fit(folded, options, on_step)
    theta = fit_softmax(
        build_sample(folded.features, truth, options), crossed.strength, options.smoothing, crossed.mean_theta
    )
    groups = [examples.groups[index] for index in np.flatnonzero(crossed.scored).tolist()]
    held = HeldOut(crossed.logits[crossed.scored], truth[crossed.scored], groups)
    return Head(tuple(classes), *scaler.unscale_weights(theta)), held


def calibrate(head: Head, held: HeldOut, sure_precision: float) -> tuple[Head, dict[str, float]]:
    """Calibrate a head on held-out images: its temperature and the threshold of confident predictions.

    Args:
        head: The head.
        held: Predictions for images that the head, or heads like it, were not fitted on.
        sure_precision: The share of confident predictions that is to be correct.

    Returns:
        The calibrated head and its figures: the temperature, the threshold, the number of held-out groups, and the
        expected calibration error on these images before and after.
    """
    temperature = calibration.fit_temperature(held.logits, held.truth)
    before, after = (softmax(held.logits / divisor).astype(np.float32) for divisor in (1.0, temperature))
    threshold = calibration.find_threshold(after, held.truth, sure_precision, held.groups)
    return replace(head, temperature=temperature, threshold=threshold), {
        "temperature": temperature,
        "threshold": threshold,
        "held_out_groups": float(len(set(held.groups))),
        "validation_ece_uncalibrated": calibration.calibration_error(before, held.truth),
        "validation_ece": calibration.calibration_error(after, held.truth),
    }


def check_varies(scaler: Scaler) -> None:
    """Check that features vary.

    Args:
        scaler: The scaling of the features.

    Raises:
        PedigreeError: All images have the same features.
    """
    if not scaler.varies:
        raise PedigreeError(
            "All photographs have the same features, which tell no class from another: take another backbone.cut or"
            " other weights. No model was made."
        )


def check_examples(examples: Examples) -> None:
    """Check that there is something to learn from.

    Args:
        examples: The images.

    Raises:
        PedigreeError: There are no images, or features are no numbers.
    """
    if not len(examples.truth):
        raise PedigreeError(
            "No photograph is there to learn from: add some, a share of them will go to the training split."
        )
    check_features(examples.features)
