"""Label issues: probably wrong labels and outliers among the features, listed for people and counted for the gate."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from configs.cores import single_threaded_blas
from tasks.domain.datasets.image_issues import FlaggedImage, Issue
from tasks.domain.datasets.manifest import Row
from tasks.domain.labels.confident_learning import (
    LabelErrors,
    find_label_errors,
)
from tasks.domain.phrasing import count

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

# At most about this share of correctly labelled images is doubted, so only a larger share says something about a class.
_MAX_CLEAN_SHARE = 0.02
# The probability that any class of a dataset without label errors is reported.
_SIGNIFICANCE = 0.01
# How many classes are named in a sentence.
_MAX_CLASSES = 3
#: The kind of issue on a data card: probably wrong labels.
WRONG_LABEL = "probably a wrong label"
# This many principal components are enough to separate classes; all 2,048 would take minutes.
_COMPONENTS = 128
# Distances are computed to at most this many images, so that the work grows linearly with the dataset.
_MAX_SAMPLE = 2000
# cleanlab's score runs from 0 (an outlier) to 1. At most this share of images, and only scores below the limit, are
# reported.
_MAX_OUTLIER_SHARE, _MAX_OUTLIER_SCORE = 0.02, 0.3


@dataclass(frozen=True, slots=True)
class ClassIssues:
    """The doubted labels of one class, among the images whose label could be judged.

    Attributes:
        label: The class.
        doubted: How many labels are probably wrong.
        images: How many images could be judged.
        like: The class that most of the doubted images look like; empty where no label is doubted.
    """

    label: str
    doubted: int
    images: int
    like: str = ""

    @property
    def share(self) -> float:
        """The share of labels that are probably wrong, from 0 to 1."""
        return self.doubted / self.images

    def __str__(self) -> str:
        """Return the counts in words."""
        return f"{self.doubted:,} of {self.images:,} in {self.label}"


@dataclass(frozen=True, slots=True)
class LabelIssues:
    """The doubted labels of all classes that could be judged.

    Attributes:
        classes: The classes.
        unknown: Why no class could be judged; empty where some could.
    """

    classes: tuple[ClassIssues, ...] = ()
    unknown: str = "unknown, since no features were at hand when the data were inspected"

    def summary(self) -> str:
        """Return the doubted labels by class in words, most first; "" where no label is doubted."""
        doubted = sorted(
            (issues for issues in self.classes if issues.doubted), key=lambda issues: (-issues.doubted, issues.label)
        )
        return _list_first([str(issues) for issues in doubted])

    def sentences(self) -> tuple[str, ...]:
        """Return a warning on the classes with more doubted labels than chance explains; empty where there are none."""
        many = sorted(self._beyond_chance(), key=lambda issues: (-issues.share, issues.label))
        if not many:
            return ()
        return (
            f"probably wrong labels: {_list_first([f'{issues} (most look like {issues.like})' for issues in many])}",
        )

    def _beyond_chance(self) -> Sequence[ClassIssues]:
        doubted = [issues for issues in self.classes if issues.share > _MAX_CLEAN_SHARE]
        if not doubted:
            return ()
        from scipy.stats import binom

        chances = binom.sf(
            [issues.doubted - 1 for issues in doubted], [issues.images for issues in doubted], _MAX_CLEAN_SHARE
        )
        return [
            issues
            for issues, chance in zip(doubted, chances, strict=True)
            if chance * len(self.classes) <= _SIGNIFICANCE
        ]


def _list_first(words: Sequence[str]) -> str:
    more = len(words) - _MAX_CLASSES
    return ", ".join(words[:_MAX_CLASSES]) + (f" and {count(more, 'more class', 'more classes')}" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class FeatureIssues:
    """The issues that the features reveal.

    Attributes:
        findings: The images that a person should look at.
        labels: How many labels of each class are doubted.
    """

    findings: tuple[Issue, ...]
    labels: LabelIssues


@single_threaded_blas()
def fit_pca(features: NDArray[np.float32]) -> "PCA":
    """Fit a PCA to features; its ``transform`` also takes features that it was not fitted on.

    Args:
        features: Of shape (n_images, width).

    Returns:
        The PCA with at most 128 components.
    """
    from sklearn.decomposition import PCA

    return PCA(min(_COMPONENTS, *features.shape), svd_solver="randomized", random_state=0).fit(features)


@single_threaded_blas()
def find_label_issues(rows: Sequence[Row], groups: Sequence[str], reduced: NDArray[np.float32]) -> FeatureIssues:
    """Find probably wrong labels and outliers.

    Labels are judged by the probabilities of linear discriminants that were not fitted on an image's near-duplicate
    group; see ``find_label_errors``.

    Args:
        rows: The images.
        groups: The near-duplicate group of each image.
        reduced: The principal components of the features, of shape (n_images, n_components).

    Returns:
        The issues, and the doubted labels of each class.
    """
    labels, truth = np.unique([row.label for row in rows], return_inverse=True)
    errors = find_label_errors(reduced, truth, groups)
    issues = _count_by_class(errors, labels.tolist(), truth)
    findings = (_report_label_errors(rows, errors, labels.tolist(), issues), _find_outliers(rows, reduced))
    return FeatureIssues(tuple(issue for issue in findings if issue.images), issues)


def _count_by_class(errors: LabelErrors, labels: Sequence[str], truth: NDArray[np.int64]) -> LabelIssues:
    if not errors.judged.any():
        return LabelIssues(unknown="unknown, since the features do not tell these classes apart")
    sizes = Counter(truth[errors.judged].tolist())
    likely: dict[int, Counter[int]] = {class_index: Counter() for class_index in sorted(sizes)}
    for error in errors.errors:
        likely[int(truth[error.index])][error.likely] += 1
    classes = []
    for class_index, likely_counts in likely.items():
        like = labels[likely_counts.most_common(1)[0][0]] if likely_counts else ""
        classes.append(ClassIssues(labels[class_index], likely_counts.total(), sizes[class_index], like))
    return LabelIssues(tuple(classes), "")


def _report_label_errors(rows: Sequence[Row], errors: LabelErrors, labels: Sequence[str], issues: LabelIssues) -> Issue:
    images = tuple(
        FlaggedImage(
            rows[error.index].image,
            rows[error.index].key,
            rows[error.index].label,
            f"looks like {labels[error.likely]}, {error.likeliest:.3f} against {error.given:.3f}",
        )
        for error in errors.errors
    )
    return Issue(WRONG_LABEL, f"the features of the other images say another class: {issues.summary()}", images)


def _find_outliers(rows: Sequence[Row], features: NDArray[np.float32]) -> Issue:
    from cleanlab.outlier import OutOfDistribution

    sample = np.sort(np.argsort([row.image for row in rows])[:_MAX_SAMPLE])
    detector = OutOfDistribution({"k": min(10, len(sample) - 1)} if len(sample) > 1 else {})
    images: list[FlaggedImage] = []
    if len(sample) > 1:
        detector.fit(features=features[sample], verbose=False)
        scores = detector.score(features=features)
        most = max(1, int(_MAX_OUTLIER_SHARE * len(rows)))
        for index in np.argsort(scores, kind="stable")[:most].tolist():
            if scores[index] < _MAX_OUTLIER_SCORE:
                row = rows[index]
                images.append(FlaggedImage(row.image, row.key, row.label, f"{scores[index]:.3f}"))
    return Issue("unlike all others", "far from its nearest neighbours, as the backbone sees them", tuple(images))
