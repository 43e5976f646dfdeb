"""Labels that the features speak against, and images unlike all others: cleanlab on the backbone's features."""

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.outlier import OutOfDistribution
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from tasks.domain.findings import Finding, Found
from tasks.domain.manifest import Row

_FOLDS = 5
# So many directions of the features hold what tells classes apart; 2,048 of them would take minutes.
_DIRECTIONS = 128
# Features that put fewer images than this share into their classes, such as those of random weights, doubt no label.
_TELLING = 0.5
# Distances are taken to so many images at most, so that the work grows with the images and not with their pairs.
_NEIGHBOURHOOD = 2000
# cleanlab's score runs from 0 (an outlier) to 1; this share of its lowest scores is looked at, and no score above that.
_OUTLIERS, _FAR = 0.02, 0.3


def main_directions(features: NDArray[np.float32]) -> PCA:
    """Find the directions along which features of the shape (images, width) differ most; its transform takes more."""
    return PCA(min(_DIRECTIONS, *features.shape), svd_solver="randomized", random_state=0).fit(features)


def suspects(rows: Sequence[Row], groups: Sequence[str], reduced: NDArray[np.float32]) -> tuple[Finding, ...]:
    """Find probably wrong labels and outliers among the rows; reduced has the shape (rows, main directions).

    Labels are judged by confident learning (Northcutt, Jiang, Chuang, 2021) on probabilities that a linear discriminant
    gives to images whose near-duplicate group it was not fitted on.
    """
    found = (_wrong_labels(rows, groups, reduced), _outliers(rows, reduced))
    return tuple(one for one in found if one.images)


def _wrong_labels(rows: Sequence[Row], groups: Sequence[str], features: NDArray[np.float32]) -> Finding:
    labels, truth = np.unique([row.label for row in rows], return_inverse=True)
    folds = min(_FOLDS, *Counter(truth.tolist()).values())
    images: tuple[Found, ...] = ()
    if len(labels) > 1 and folds > 1:
        with warnings.catch_warnings():
            # A class with few groups may be missing from a fold; its images there get no say, which is what is wanted.
            warnings.simplefilter("ignore", UserWarning)
            probabilities = cross_val_predict(
                LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
                features,
                truth,
                groups=list(groups),
                cv=StratifiedGroupKFold(folds),
                method="predict_proba",
            )
            issues = find_label_issues(truth, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
        tell = (probabilities.argmax(axis=1) == truth).mean() >= _TELLING
        images = tuple(
            Found(rows[index].image, rows[index].key, rows[index].label, f"looks like {labels[likely]}")
            for index in issues.tolist()
            if tell and (likely := int(probabilities[index].argmax())) != truth[index]
        )
    return Finding("probably a wrong label", "the features of the other images say another class", images)


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
