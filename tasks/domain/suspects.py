"""Labels that the features speak against, and images unlike all others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from cleanlab.outlier import OutOfDistribution
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from tasks.domain.findings import Finding, Found
from tasks.domain.label_errors import LabelErrors, label_errors
from tasks.domain.label_issues import ClassIssues, LabelIssues
from tasks.domain.manifest import Row

#: The kind of finding that names probably wrong labels.
WRONG_LABEL = "probably a wrong label"
# So many directions of the features hold what tells classes apart; 2,048 of them would take minutes.
_DIRECTIONS = 128
# Distances are taken to so many images at most, so that the work grows with the images and not with their pairs.
_NEIGHBOURHOOD = 2000
# cleanlab's score runs from 0 (an outlier) to 1; this share of its lowest scores is looked at, and no score above that.
_OUTLIERS, _FAR = 0.02, 0.3


@dataclass(frozen=True, slots=True)
class Suspects:
    """What the features say: the images to look at, and how many labels of each class are in doubt."""

    findings: tuple[Finding, ...]
    labels: LabelIssues


def main_directions(features: NDArray[np.float32]) -> PCA:
    """Find the directions along which features of the shape (images, width) differ most; its transform takes more."""
    return PCA(min(_DIRECTIONS, *features.shape), svd_solver="randomized", random_state=0).fit(features)


def suspects(rows: Sequence[Row], groups: Sequence[str], reduced: NDArray[np.float32]) -> Suspects:
    """Find probably wrong labels and outliers among the rows; reduced has the shape (rows, main directions).

    Labels are judged by probabilities that a linear discriminant gives to images whose near-duplicate group it was not
    fitted on: ``label_errors`` says which are named.
    """
    labels, truth = np.unique([row.label for row in rows], return_inverse=True)
    found = label_errors(reduced, truth, groups)
    issues = _issues(found, labels.tolist(), truth)
    findings = (_wrong_labels(rows, found, labels.tolist(), issues), _outliers(rows, reduced))
    return Suspects(tuple(one for one in findings if one.images), issues)


def _issues(found: LabelErrors, labels: Sequence[str], truth: NDArray[np.int64]) -> LabelIssues:
    if not found.judged.any():
        return LabelIssues(unknown="unknown, since the features do not tell these classes apart")
    sizes, likely = Counter(truth[found.judged].tolist()), dict[int, Counter[int]]()
    for error in found.errors:
        likely.setdefault(int(truth[error.place]), Counter())[error.likely] += 1
    named = {place: likely.get(place, Counter()) for place in sorted(sizes)}
    classes = [
        ClassIssues(labels[place], own.total(), sizes[place], *(labels[like] for like, _ in own.most_common(1)))
        for place, own in named.items()
    ]
    return LabelIssues(tuple(classes), "")


def _wrong_labels(rows: Sequence[Row], found: LabelErrors, labels: Sequence[str], issues: LabelIssues) -> Finding:
    images = tuple(
        Found(
            rows[error.place].image,
            rows[error.place].key,
            rows[error.place].label,
            f"looks like {labels[error.likely]}, {error.likeliest:.3f} against {error.given:.3f}",
        )
        for error in found.errors
    )
    return Finding(WRONG_LABEL, f"the features of the other images say another class: {issues.counted()}", images)


def _outliers(rows: Sequence[Row], features: NDArray[np.float32]) -> Finding:
    sample = np.sort(np.argsort([row.image for row in rows])[:_NEIGHBOURHOOD])
    judge = OutOfDistribution({"k": min(10, len(sample) - 1)} if len(sample) > 1 else {})
    images: list[Found] = []
    if len(sample) > 1:
        judge.fit(features=features[sample], verbose=False)
        scores = judge.score(features=features)
        most = max(1, int(_OUTLIERS * len(rows)))
        for index in np.argsort(scores, kind="stable")[:most].tolist():
            if scores[index] < _FAR:
                row = rows[index]
                images.append(Found(row.image, row.key, row.label, f"{scores[index]:.3f}"))
    return Finding("unlike all others", "far from its nearest neighbours, as the backbone sees them", tuple(images))
