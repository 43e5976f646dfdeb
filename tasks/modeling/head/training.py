"""Training a head on features: fitted to its optimum, with a weight decay and a calibration from images held out."""

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
from tasks.modeling.head.head import Head, check_features, fit_scaler
from tasks.modeling.head.softmax_regression import fit_softmax

if TYPE_CHECKING:
    from configs import schema


@dataclass(frozen=True)
class Examples:
    """Images to learn from.

    Attributes:
        features: Of shape (n_images, width), as they come from the backbone.
        truth: The index of each image's class.
        groups: The near-duplicate group of each image; views of one image share its group.
        originals: So many come first, as they are; the others are views of these, which are learned from and not
            judged.
    """

    features: NDArray[np.float32]
    truth: Sequence[int]
    groups: Sequence[str]
    originals: int


@dataclass(frozen=True)
class HeldOut:
    """What a head says of images that it was not fitted on.

    Attributes:
        logits: Of shape (n_images, n_classes), before the temperature.
        truth: The index of each image's class, of shape (n_images,).
        groups: The near-duplicate group of each image.
    """

    logits: NDArray[np.float64]
    truth: NDArray[np.int64]
    groups: Sequence[str]


def build_fit_options(settings: "schema.Training") -> FitOptions:
    """Fit heads as the settings say."""
    strengths = (settings.l2,) if settings.l2 else STRENGTHS
    return FitOptions(settings.balance != "none", settings.label_smoothing, strengths, settings.seed)


def train_head(
    classes: Sequence[str], examples: Examples, recipe: FitOptions, on_step: OnStep = lambda _number, _figures: None
) -> tuple[Head, HeldOut]:
    """Choose a weight decay by cross-validation over groups, and fit a head of that decay to all images.

    Args:
        classes: The names of the classes, in the order of their indices; each has an image.
        examples: The images.
        recipe: How heads are fitted.
        on_step: Is called with the number of each weight decay and its figures on images held out.

    Returns:
        The head, not calibrated yet, and what heads of the same decay say of images that they were not fitted on.

    Raises:
        PedigreeError: Where there are no images, features are no numbers or never vary, or nothing can be held out.
    """
    check_examples(examples)
    truth, scaler = np.asarray(examples.truth, np.int64), fit_scaler(examples.features)
    if not scaler.varies:
        raise PedigreeError(
            "All photographs have the same features, which tell no class from another: take another backbone.cut or"
            " other weights. No model was made."
        )
    folded = FoldedImages(
        scaler.transform(examples.features),
        truth,
        assign_folds(truth, examples.groups, recipe.seed),
        examples.originals,
    )
    crossed = cross_fit(folded, recipe, on_step)
    theta = fit_softmax(
        build_sample(folded.features, truth, recipe), crossed.strength, recipe.smoothing, crossed.mean_theta
    )
    groups = [examples.groups[index] for index in np.flatnonzero(crossed.scored).tolist()]
    held = HeldOut(crossed.logits[crossed.scored], truth[crossed.scored], groups)
    return Head(tuple(classes), *scaler.unscale_weights(theta)), held


def calibrate(head: Head, held: HeldOut, sure_precision: float) -> tuple[Head, dict[str, float]]:
    """Give a head the temperature and the threshold that fit images held out, and say how well they fit.

    Args:
        head: The head.
        held: What it, or heads like it, say of images that they were not fitted on.
        sure_precision: The share of answers above the threshold that is to be right.

    Returns:
        The head, and figures: the temperature, the threshold, how many groups were held out, and the expected
        calibration error on these images, before and after.
    """
    temperature = calibration.fit_temperature(held.logits, held.truth)
    before, after = (softmax(held.logits / heat).astype(np.float32) for heat in (1.0, temperature))
    threshold = calibration.find_threshold(after, held.truth, sure_precision, held.groups)
    return replace(head, temperature=temperature, threshold=threshold), {
        "temperature": temperature,
        "threshold": threshold,
        "held_out_groups": float(len(set(held.groups))),
        "validation_ece_uncalibrated": calibration.calibration_error(before, held.truth),
        "validation_ece": calibration.calibration_error(after, held.truth),
    }


def check_examples(examples: Examples) -> None:
    """Raise PedigreeError where there is nothing to learn from, or features are no numbers."""
    if not len(examples.truth):
        raise PedigreeError(
            "No photograph is there to learn from: add some, a share of them will go to the training split."
        )
    check_features(examples.features)
