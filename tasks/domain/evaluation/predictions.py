"""What a model answered about images whose class is known, and the sums that every figure is made of."""

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
#: So far apart may two probabilities be and still count as the same model's, on another processor say.
TOLERANCE = 1e-3
_TOP = 3
# A probability of nothing would make the log loss infinite; this is the smallest step of the float32 that it comes in.
_LEAST = float(np.finfo(np.float32).eps)
# Images, right, among the three likeliest, log loss, sure, sure and right: then the bins, then three parts a class.
_PLAIN = 6


@dataclass(frozen=True, slots=True)
class Predictions:
    """What one model says of some images: probabilities (images, classes), and from which one on it is sure.

    ``merged`` names those classes that are several of the model's own under one name.
    """

    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]
    threshold: float = 0.0
    merged: frozenset[str] = frozenset()

    def labels(self) -> list[str]:
        """Name the likeliest class of each image."""
        return [self.classes[index] for index in self.probabilities.argmax(axis=1)]

    def rename_classes(self, classes: Sequence[str]) -> "Predictions":
        """Give the classes other names, in their order; those of one name become one class, with their sum."""
        names = tuple(dict.fromkeys(classes))
        sums = np.zeros((len(self.probabilities), len(names)), np.float32)
        for name, column in zip(classes, self.probabilities.T, strict=True):
            sums[:, names.index(name)] += column
        merged = {name for name, number in Counter(classes).items() if number > 1}
        renamed = {name for original, name in zip(self.classes, classes, strict=True) if original in self.merged}
        return Predictions(names, sums, self.threshold, frozenset(merged | renamed))

    def select(self, images: NDArray[np.bool_]) -> "Predictions":
        """Keep what is said of some of the images."""
        return Predictions(self.classes, self.probabilities[images], self.threshold, self.merged)


@dataclass(frozen=True, slots=True)
class ScoredPredictions:
    """One row an image: true and guessed class as places in ``classes``, -1 for a guess outside of them."""

    classes: tuple[str, ...]
    truth: Ints
    predicted: Ints
    confidence: Floats
    loss: Floats
    in_top_3: NDArray[np.bool_]
    confident: NDArray[np.bool_]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Tell about which images the model is right."""
        return np.asarray(self.truth == self.predicted)


def score_predictions(predictions: Predictions, truth: Sequence[str], classes: Sequence[str]) -> ScoredPredictions:
    """Read what a model says of images of ``classes``; a true class that it never learned has probability nought."""
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


def compute_summands(answers: ScoredPredictions) -> "csr_array":
    """Lay out what each image adds to the sums: (images, 6 + bins + 3 classes), mostly nought."""
    from scipy.sparse import csr_array

    images, classes = len(answers.truth), len(answers.classes)
    rows, right = np.arange(images), answers.correct.astype(np.float64)
    guessed = answers.predicted >= 0
    bins = np.minimum((answers.confidence * BINS).astype(np.int64), BINS - 1)
    plain = (np.ones(images), right, answers.in_top_3, answers.loss, answers.confident, answers.confident * right)
    first = _PLAIN + BINS
    entries = [
        *((rows, np.full(images, number), values) for number, values in enumerate(plain)),
        (rows, _PLAIN + bins, right - answers.confidence),
        (rows, first + answers.truth, np.ones(images)),
        (rows, first + classes + answers.truth, right),
        (rows[guessed], first + 2 * classes + answers.predicted[guessed], np.ones(int(guessed.sum()))),
    ]
    row, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    return csr_array((value.astype(np.float64), (row, column)), shape=(images, first + 3 * classes))


def figures_from_sums(sums: Floats) -> dict[str, Floats]:
    """Make figures of sums of shape (…, parts): each of shape (…), by the names that ``configs.gate_rules`` knows.

    Macro F1 is the mean of 2 TP / (2 TP + FP + FN) over the classes that occur among truths or guesses; the expected
    calibration error is that of Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017.
    """
    images, right, top, loss, sure, sure_right = np.moveaxis(sums[..., :_PLAIN], -1, 0)
    truth, hits, guesses = split_class_counts(sums)
    touched = truth + guesses
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "accuracy": right / images,
            "top_3": top / images,
            "macro_f1": np.nanmean(2 * hits / np.where(touched > 0, touched, np.nan), axis=-1),
            "log_loss": loss / images,
            "ece": np.abs(sums[..., _PLAIN : _PLAIN + BINS]).sum(axis=-1) / images,
            "coverage": sure / images,
            "precision_when_sure": sure_right / sure,
        }


def split_class_counts(sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Take from sums of shape (…, parts) how many images each class has, how many are recognised, how many guessed."""
    truth, hits, guesses = np.split(sums[..., _PLAIN + BINS :], 3, axis=-1)
    return truth, hits, guesses
