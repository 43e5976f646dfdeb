"""Predictions of a model, scored against the true classes, and the sums from which every figure is computed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tasks.domain.significance import Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csr_array

#: Bins of equal width by the largest probability, for calibration.
BINS = 15
#: Two probabilities that differ by no more count as those of the same model, for example on another processor.
TOLERANCE = 1e-3
_TOP = 3
# A probability of 0 would make the log loss infinite; this is the smallest step of a float32 near 1.
_LEAST = float(np.finfo(np.float32).eps)
# The columns before the bins: images, correct, in the top 3, log loss, confident, confident and correct.
_PLAIN = 6


@dataclass(frozen=True, slots=True)
class Predictions:
    """What one model predicts for some images.

    Attributes:
        classes: The model's classes.
        probabilities: Probabilities of shape (n_images, n_classes).
        threshold: The probability from which on the model is confident.
        merged: Those names that stand for several of the model's own classes.
    """

    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]
    threshold: float = 0.0
    merged: frozenset[str] = frozenset()

    def labels(self) -> list[str]:
        """Return the likeliest class of each image."""
        return [self.classes[index] for index in self.probabilities.argmax(axis=1)]

    def rename_classes(self, classes: Sequence[str]) -> "Predictions":
        """Return the predictions under other names of the classes.

        Args:
            classes: The new name of each class, in their order. Classes of the same name become one, and their
                probabilities are added.

        Returns:
            The renamed predictions.
        """
        names = tuple(dict.fromkeys(classes))
        sums = np.zeros((len(self.probabilities), len(names)), np.float32)
        for name, column in zip(classes, self.probabilities.T, strict=True):
            sums[:, names.index(name)] += column
        merged = {name for name, number in Counter(classes).items() if number > 1}
        renamed = {name for original, name in zip(self.classes, classes, strict=True) if original in self.merged}
        return Predictions(names, sums, self.threshold, frozenset(merged | renamed))

    def select(self, images: NDArray[np.bool_]) -> "Predictions":
        """Return the predictions for some of the images.

        Args:
            images: A mask of shape (n_images,), or the indices of the images.

        Returns:
            Their predictions, in the order of the mask or the indices.
        """
        return Predictions(self.classes, self.probabilities[images], self.threshold, self.merged)


@dataclass(frozen=True, slots=True)
class ScoredPredictions:
    """A model's predictions beside the true classes, one entry an image; all arrays have the shape (n_images,).

    Attributes:
        classes: The classes that indices count.
        truth: The index of the true class.
        predicted: The index of the likeliest class, -1 where it is none of ``classes``.
        confidence: The largest probability.
        loss: Minus the logarithm of the true class's probability, in nats.
        in_top_3: Whether fewer than three classes are likelier than the true one.
        confident: Whether the largest probability reaches the model's threshold.
    """

    classes: tuple[str, ...]
    truth: Ints
    predicted: Ints
    confidence: Floats
    loss: Floats
    in_top_3: NDArray[np.bool_]
    confident: NDArray[np.bool_]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Return whether each image is predicted correctly, of shape (n_images,)."""
        return np.asarray(self.truth == self.predicted)


def score_predictions(predictions: Predictions, truth: Sequence[str], classes: Sequence[str]) -> ScoredPredictions:
    """Score predictions against the true classes.

    Args:
        predictions: What the model says.
        truth: The true class of each image. A class that the model does not know has the probability 0.
        classes: The classes that the scores count; they include every true class.

    Returns:
        The scores of all images.
    """
    index_of = {name: index for index, name in enumerate(classes)}
    column_of = {name: index for index, name in enumerate(predictions.classes)}
    rows = np.arange(len(truth))
    columns = np.array([column_of.get(label, -1) for label in truth], np.int64)
    given = np.where(columns >= 0, predictions.probabilities[rows, columns], 0.0).astype(np.float64)
    largest = predictions.probabilities.max(axis=1).astype(np.float64)
    likelier = (predictions.probabilities > given[:, None]).sum(axis=1)
    return ScoredPredictions(
        classes=tuple(classes),
        truth=np.array([index_of[label] for label in truth], np.int64),
        predicted=np.array([index_of.get(name, -1) for name in predictions.classes], np.int64)[
            predictions.probabilities.argmax(axis=1)
        ],
        confidence=largest,
        loss=-np.log(np.maximum(given, _LEAST)),
        in_top_3=likelier < _TOP,
        confident=largest >= predictions.threshold,
    )


def compute_summands(scored: ScoredPredictions) -> "csr_array":
    """Compute what each image adds to the sums from which figures are computed.

    Args:
        scored: The scored predictions.

    Returns:
        CSR matrix of shape (n_images, 6 + n_bins + 3 * n_classes): six plain sums, calibration bins, then three counts
        of each class.
    """
    from scipy.sparse import csr_array

    images, classes = len(scored.truth), len(scored.classes)
    rows, correct = np.arange(images), scored.correct.astype(np.float64)
    in_classes = scored.predicted >= 0
    bins = np.minimum((scored.confidence * BINS).astype(np.int64), BINS - 1)
    plain = (np.ones(images), correct, scored.in_top_3, scored.loss, scored.confident, scored.confident * correct)
    first = _PLAIN + BINS
    entries = [
        *((rows, np.full(images, number), values) for number, values in enumerate(plain)),
        (rows, _PLAIN + bins, correct - scored.confidence),
        (rows, first + scored.truth, np.ones(images)),
        (rows, first + classes + scored.truth, correct),
        (rows[in_classes], first + 2 * classes + scored.predicted[in_classes], np.ones(int(in_classes.sum()))),
    ]
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    return csr_array((value.astype(np.float64), (row, column)), shape=(images, first + 3 * classes))


def figures_from_sums(sums: Floats) -> dict[str, Floats]:
    """Compute figures from sums.

    Macro F1 is the mean of 2 TP / (2 TP + FP + FN) over the classes that occur among truths or predictions. The
    expected calibration error is that of Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks",
    ICML 2017.

    Args:
        sums: Summed columns of ``compute_summands``, of shape (..., n_columns).

    Returns:
        Figures of shape (...) under the names that ``configs.gate_rules`` knows. ``coverage`` is the share of confident
        predictions, and ``precision_when_sure`` the selective accuracy: the accuracy of these.
    """
    images, correct, in_top_3, loss, confident, confident_correct = np.moveaxis(sums[..., :_PLAIN], -1, 0)
    truth, hits, predicted = split_class_counts(sums)
    occurring = truth + predicted
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "accuracy": correct / images,
            "top_3": in_top_3 / images,
            "macro_f1": np.nanmean(2 * hits / np.where(occurring > 0, occurring, np.nan), axis=-1),
            "log_loss": loss / images,
            "ece": np.abs(sums[..., _PLAIN : _PLAIN + BINS]).sum(axis=-1) / images,
            "coverage": confident / images,
            "precision_when_sure": confident_correct / confident,
        }


def split_class_counts(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the counts of each class from sums.

    Args:
        sums: Summed columns of ``compute_summands``, of shape (..., n_columns).

    Returns:
        The images of each class, those of them that are predicted correctly, and the predictions of it, each of shape
        (..., n_classes).
    """
    truth, hits, predicted = np.split(sums[..., _PLAIN + BINS :], 3, axis=-1)
    return truth, hits, predicted
