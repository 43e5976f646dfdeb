"""What a random split over files claims: heads cross-validated over files, and over near-duplicate groups of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from configs.cores import single_threaded_blas
from tasks.domain.datasets.leakage import (
    Files,
    RandomSplit,
    compute_clustered_interval,
    compute_share_in_other_folds,
    list_files,
)
from tasks.modeling.head.cross_fitting import FitOptions, FoldedImages, assign_folds, cross_fit
from tasks.modeling.head.head import Numbers, check_features, fit_scaler
from tasks.modeling.head.softmax_regression import Theta

# How often the files are dealt into folds.
_SEEDS = 3
# A penalised head does not change when features are rotated, so it takes their principal components. On photographs
# this many give the same accuracies within a point, in a third of the time.
_COMPONENTS = 512


@dataclass(frozen=True)
class DistinctImages:
    """Distinct images, some of which are held by several files.

    Attributes:
        features: Features of shape (n_images, width), as they come from the backbone.
        labels: The class of each image.
        groups: The near-duplicate group of each image.
        copies: The number of files that hold each image.
    """

    features: Numbers
    labels: Sequence[str]
    groups: Sequence[str]
    copies: Sequence[int]


@dataclass(frozen=True)
class _DealOutcome:
    """The predictions for one division of the files into folds; arrays of shape (n_files,).

    Attributes:
        folds: The fold of each file.
        scorable: Which files can be scored.
        correct: Which of them are predicted correctly.
    """

    folds: NDArray[np.int64]
    scorable: NDArray[np.bool_]
    correct: NDArray[np.bool_]


def measure_random_split(images: DistinctImages, options: FitOptions) -> RandomSplit | None:
    """Cross-validate heads of one weight decay on files divided at random, and on whole near-duplicate groups.

    Nothing differs between the two but the folds. The weight decay is the best one for whole groups.

    Args:
        images: The images; near-duplicate groups are complete.
        options: How heads are fitted.

    Returns:
        Both accuracies; None where features never vary, or no class has two near-duplicate groups.

    Raises:
        PedigreeError: Features are no numbers.
    """
    check_features(images.features)
    files, scaler = list_files(images.groups, images.copies), fit_scaler(images.features)
    truth = np.unique(np.asarray(images.labels)[files.images], return_inverse=True)[1].astype(np.int64)
    features = _reduce(scaler.transform(images.features))[files.images]
    by_group, by_file = files.names()
    first = FoldedImages(features, truth, assign_folds(truth, by_group, options.seed))
    if not (scaler.varies and first.scorable.any()):
        return None
    # Every second strength is enough to find the best one's neighbourhood.
    crossed = cross_fit(first, replace(options, strengths=options.strengths[::-2][::-1]))

    def score_deal(names: Sequence[str], seed: int) -> _DealOutcome:
        folded = FoldedImages(features, truth, assign_folds(truth, names, seed))
        return _score_folds(folded, options, crossed.strength, crossed.mean_theta)

    seeds = range(options.seed, options.seed + _SEEDS)
    grouped = [score_deal(by_group, seed) for seed in seeds]
    random = grouped if by_file == by_group else [score_deal(by_file, seed) for seed in seeds]
    return _summarize(files, random, grouped)


def _reduce(scaled: Numbers) -> Numbers:
    """Reduce scaled features of shape (n_images, width) to their principal components."""
    from sklearn.decomposition import PCA

    if min(scaled.shape) <= _COMPONENTS:
        return scaled
    with single_threaded_blas():
        return np.asarray(PCA(_COMPONENTS, svd_solver="randomized", random_state=0).fit_transform(scaled), np.float32)


def _score_folds(folded: FoldedImages, options: FitOptions, strength: float, start: Theta) -> _DealOutcome:
    """Fit a head without each fold, and predict that fold."""
    folds = range(int(folded.folds.max()) + 1)
    logits = folded.logits(folded.fit_each(options, strength, dict.fromkeys(folds, start)))
    return _DealOutcome(folded.folds, folded.scorable, logits.argmax(axis=1) == folded.truth)


def _summarize(files: Files, random: Sequence[_DealOutcome], grouped: Sequence[_DealOutcome]) -> RandomSplit | None:
    """Compare both kinds of division on the files that can be scored in all of them."""
    scorable = np.all([outcome.scorable for outcome in (*random, *grouped)], axis=0)
    if not scorable.any():
        return None
    claimed, honest = (
        np.mean([outcome.correct[scorable] for outcome in outcomes], axis=0) for outcomes in (random, grouped)
    )
    low, high = compute_clustered_interval(claimed - honest, files.groups[scorable])
    same_bytes, alike = (
        float(np.mean([compute_share_in_other_folds(keys[scorable], outcome.folds[scorable]) for outcome in random]))
        for keys in (files.images, files.groups)
    )
    return RandomSplit(
        files=int(scorable.sum()),
        claimed=round(float(claimed.mean()), 4),
        honest=round(float(honest.mean()), 4),
        low=round(low, 4),
        high=round(high, 4),
        same_bytes=round(same_bytes, 4),
        alike=round(alike, 4),
        of=len(scorable),
    )
