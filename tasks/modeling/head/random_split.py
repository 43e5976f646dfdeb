"""Measuring what a random split over files claims: heads cross-validated over files, and over groups of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tasks.domain.datasets.leakage import (
    Files,
    RandomSplit,
    compute_clustered_interval,
    compute_share_in_other_folds,
    list_files,
)
from tasks.modeling.head.cross_fitting import FitOptions, FoldedImages, assign_folds, cross_fit
from tasks.modeling.head.head import Numbers, check_features, fit_scaler
from tasks.modeling.head.softmax_regression import Theta, single_threaded_blas

# The files are dealt so many times.
_SEEDS = 3
# A penalised head does not change when features are turned, so it takes the main directions instead of all numbers: of
# photographs so many of them give the same accuracies within a point, in a third of the time.
_DIRECTIONS = 512


@dataclass(frozen=True)
class Images:
    """Distinct images, of which some are held by several files.

    Attributes:
        features: Of shape (n_images, width), as they come from the backbone.
        labels: The class of each image.
        groups: The near-duplicate group of each image.
        copies: How many files hold each image.
    """

    features: Numbers
    labels: Sequence[str]
    groups: Sequence[str]
    copies: Sequence[int]


@dataclass(frozen=True)
class _DealOutcome:
    """One deal of the files: their folds, which are judged, and which of them the heads name rightly: (n_files,)."""

    folds: NDArray[np.int64]
    fair: NDArray[np.bool_]
    right: NDArray[np.bool_]


def measure_random_split(images: Images, recipe: FitOptions) -> RandomSplit | None:
    """Cross-validate heads of one weight decay on files dealt at random, and on whole near-duplicate groups.

    Nothing differs between the two but which files are dealt together. The weight decay is the best for whole groups.

    Args:
        images: The images, groups of them whole.
        recipe: How heads are fitted.

    Returns:
        Both accuracies; None where features never vary, or no class has two near-duplicate groups.

    Raises:
        PedigreeError: Where features are no numbers.
    """
    check_features(images.features)
    files, scaler = list_files(images.groups, images.copies), fit_scaler(images.features)
    truth = np.unique(np.asarray(images.labels)[files.images], return_inverse=True)[1].astype(np.int64)
    features = _directions(scaler.transform(images.features))[files.images]
    by_group, by_file = files.names()
    first = FoldedImages(features, truth, assign_folds(truth, by_group, recipe.seed))
    if not (scaler.varies and first.scorable.any()):
        return None
    # Every second strength is enough to find the best one's neighbourhood.
    crossed = cross_fit(first, replace(recipe, strengths=recipe.strengths[::-2][::-1]))

    def judge_deal(names: Sequence[str], seed: int) -> _DealOutcome:
        folded = FoldedImages(features, truth, assign_folds(truth, names, seed))
        return _judge_folds(folded, recipe, crossed.strength, crossed.mean_theta)

    seeds = range(recipe.seed, recipe.seed + _SEEDS)
    grouped = [judge_deal(by_group, seed) for seed in seeds]
    random = grouped if by_file == by_group else [judge_deal(by_file, seed) for seed in seeds]
    return _summary(files, random, grouped)


def _directions(scaled: Numbers) -> Numbers:
    """Turn scaled features of shape (n_images, width) into their main directions: (n_images, n_directions)."""
    from sklearn.decomposition import PCA

    if min(scaled.shape) <= _DIRECTIONS:
        return scaled
    with single_threaded_blas():
        return np.asarray(PCA(_DIRECTIONS, svd_solver="randomized", random_state=0).fit_transform(scaled), np.float32)


def _judge_folds(folded: FoldedImages, recipe: FitOptions, strength: float, start: Theta) -> _DealOutcome:
    """Fit a head without each fold, and ask it about that fold."""
    folds = range(int(folded.folds.max()) + 1)
    logits = folded.logits({fold: folded.fit_without(fold, recipe, strength, start) for fold in folds})
    return _DealOutcome(folded.folds, folded.scorable, logits.argmax(axis=1) == folded.truth)


def _summary(files: Files, random: Sequence[_DealOutcome], grouped: Sequence[_DealOutcome]) -> RandomSplit | None:
    """Compare both kinds of deals on the files that are judged in all of them."""
    fair = np.all([outcome.fair for outcome in (*random, *grouped)], axis=0)
    if not fair.any():
        return None
    claimed, honest = (np.mean([outcome.right[fair] for outcome in outcomes], axis=0) for outcomes in (random, grouped))
    low, high = compute_clustered_interval(claimed - honest, files.groups[fair])
    same_bytes, alike = (
        float(np.mean([compute_share_in_other_folds(keys[fair], outcome.folds[fair]) for outcome in random]))
        for keys in (files.images, files.groups)
    )
    return RandomSplit(
        files=int(fair.sum()),
        claimed=round(float(claimed.mean()), 4),
        honest=round(float(honest.mean()), 4),
        low=round(low, 4),
        high=round(high, 4),
        same_bytes=round(same_bytes, 4),
        alike=round(alike, 4),
        of=len(fair),
    )
