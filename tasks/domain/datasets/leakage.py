"""Leakage between splits: what a random split would have claimed, and test images that resemble training images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.domain.datasets.image_issues import FlaggedImage, Issue
from tasks.domain.datasets.manifest import Row
from tasks.domain.phrasing import count

#: The key of a data card under which ``RandomSplit`` is stored.
RANDOM_SPLIT_KEY = "random_split"
#: The largest number of files that are measured, which takes seconds.
MOST_FILES = 2000
_NORMAL = 1.96  # Two-sided, 95%.
#: The kind of issue on a data card: a test image that nearly agrees with a training image.
ACROSS = "nearly the same across splits"
# The probability that any test image of a version without look-alikes is reported.
_SIGNIFICANCE = 0.01
# The nearest training image is compared with the fifth nearest group, so that a burst of four groups is found, too.
_REFERENCE_GROUP = 4
_BLOCK = 256
# This many training images also enter the estimate of the dimension, in case there are few test images.
_DIMENSION_SAMPLE = 500
# Smaller distances are rounding errors of 32-bit numbers.
_MIN_DISTANCE = 1e-3
Indices = NDArray[np.int64]
Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RandomSplit:
    """Cross-validated accuracy of the same head, with files split at random and with near-duplicate groups kept whole.

    Attributes:
        files: How many files were tested, each once a seed.
        claimed: The accuracy of the split over files.
        honest: The accuracy of the split over near-duplicate groups.
        low: The lower end of the 95% interval of the difference.
        high: The upper end of the interval.
        same_bytes: In the split over files, the share of test files with a byte-identical copy in training.
        alike: The share of test files with a copy or a look-alike in training.
        of: How many files the dataset version has.
        backbone: The fingerprint of the backbone whose features the heads used.
    """

    files: int
    claimed: float
    honest: float
    low: float
    high: float
    same_bytes: float
    alike: float
    of: int = 0
    backbone: str = ""


@dataclass(frozen=True, slots=True)
class Files:
    """The files of images: copies of one image are several files.

    Attributes:
        images: The index of the image in each file, of shape (n_files,).
        groups: The index of the near-duplicate group of each file, of shape (n_files,).
    """

    images: Indices
    groups: Indices

    def names(self) -> tuple[list[str], list[str]]:
        """Return the names by which files are assigned to folds: by their groups, and one by one.

        Returns:
            Two lists of n_files names; a file that is alone in its group has the same name in both.
        """
        sizes, by_group = np.bincount(self.groups), [f"{group}" for group in self.groups.tolist()]
        alone = (sizes == 1)[self.groups].tolist()
        return by_group, [
            name if is_alone else f"{name} {n}" for n, (name, is_alone) in enumerate(zip(by_group, alone, strict=True))
        ]


def list_files(groups: Sequence[str], copies: Sequence[int]) -> Files:
    """List the files of images.

    Args:
        groups: The near-duplicate group of each image.
        copies: How many files hold each image.

    Returns:
        The files, in the order of the images.
    """
    number = np.unique(list(groups), return_inverse=True)[1].astype(np.int64)
    images = np.repeat(np.arange(len(groups)), copies)
    return Files(images, number[images])


def sample_groups(groups: Sequence[str], copies: Sequence[int], most: int = MOST_FILES) -> list[int]:
    """Sample whole near-duplicate groups, up to a number of files.

    Groups are ordered by hashes of their names, since the names alone are biased: large groups have small names.

    Args:
        groups: The near-duplicate group of each image.
        copies: How many files hold each image.
        most: The largest number of files; at least one group is sampled.

    Returns:
        The indices of the sampled images, ascending.
    """
    order = sorted(set(groups), key=lambda group: sha256(group.encode()).digest())
    rank = {group: position for position, group in enumerate(order)}
    of_image = np.array([rank[group] for group in groups], np.int64)
    files = np.cumsum(np.bincount(of_image, weights=copies))
    indices: list[int] = np.flatnonzero(of_image < max(1, int(np.searchsorted(files, most, side="right")))).tolist()
    return indices


def compute_share_in_other_folds(keys: Indices, folds: Indices) -> float:
    """Compute the share of files whose key also occurs in another fold.

    Args:
        keys: The key of each file, such as its image or its group, of shape (n_files,).
        folds: The fold of each file, of shape (n_files,).

    Returns:
        The share, from 0 to 1.
    """
    _, pair, within = np.unique(np.column_stack([keys, folds]), axis=0, return_inverse=True, return_counts=True)
    return float((np.bincount(keys)[keys] > within[pair.ravel()]).mean())


def compute_clustered_interval(differences: NDArray[np.float64], groups: Indices) -> tuple[float, float]:
    """Compute the cluster-robust 95% confidence interval of a mean.

    Source: Liang and Zeger, 1986, "Longitudinal data analysis using generalized linear models", Biometrika.

    Args:
        differences: The values, of shape (n_files,).
        groups: The cluster of each value, of shape (n_files,).

    Returns:
        The lower and the upper end.
    """
    mean = float(differences.mean())
    sums = np.bincount(groups, weights=differences - mean)
    error = float(np.sqrt(np.square(sums).sum())) / len(differences)
    return mean - _NORMAL * error, mean + _NORMAL * error


def describe_leakage(card: Mapping[str, Any], backbone: str = "") -> tuple[str, ...]:
    """Return what a data card says about leakage between splits, as sentences.

    Args:
        card: The data card, as stored in JSON.
        backbone: The fingerprint of the backbone of the report; empty where it does not matter.

    Returns:
        The sentences; empty where nothing was measured or found.
    """
    near = describe_split_neighbours(card)
    if not (random_split := card.get(RANDOM_SPLIT_KEY)):
        return near
    measured = RandomSplit(**random_split)
    gap, interval = measured.claimed - measured.honest, f"95% interval {measured.low:.3f} to {measured.high:.3f}"
    other = ", with features of another backbone" if backbone and backbone != measured.backbone else ""
    part = "" if measured.files == measured.of else f"{measured.files:,} of "
    on = f"(cross-validated on {part}{count(measured.of, 'file')}{other})"
    if not measured.alike:
        same = "so a random split over files claims what a split by near-duplicate groups does"
        return (f"no two files look alike, {same}: an accuracy of {measured.honest:.3f} {on}", *near)
    claim = f"a random split over files would have claimed an accuracy of {measured.claimed:.3f}"
    honest = f"the same head reaches {measured.honest:.3f} {on}"
    verdict = f"{gap:.3f} less" if measured.low > 0 else f"about the same (a difference of {gap:.3f})"
    copies = f"{measured.same_bytes:.1%} of its test files have their very bytes in training"
    return (
        f"{claim}; split by near-duplicate groups, {honest}: {verdict}, {interval}",
        f"{copies}, {measured.alike:.1%} a copy or a look-alike",
        *near,
    )


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A test image and its nearest training image, by their indices, and the cosine similarity of their features."""

    tested: int
    trained: int
    cosine: float


def find_split_neighbours(
    test_features: Numbers, training_features: Numbers, groups: Sequence[str]
) -> tuple[Neighbour, ...]:
    """Find test images that are far nearer to one training image than to the training images of other groups.

    In a smooth distribution of dimension m, let r be the ratio of the distance to the nearest neighbour to that of the
    (k+1)-th nearest. Then r^m is distributed as the minimum of k uniform numbers, and m is estimated from the ratios of
    the first two neighbours. So the limit follows from the density of these features, and no cosine is chosen by hand.

    Source: Facco, d'Errico, Rodriguez, Laio, 2017, "Estimating the intrinsic dimension of datasets by a minimal
    neighborhood information", Scientific Reports.

    Args:
        test_features: Features of shape (n_test, width).
        training_features: Features of shape (n_train, width).
        groups: The near-duplicate group of each training image.

    Returns:
        Each such test image with its nearest training image, most striking first; empty with too few groups.
    """
    number = np.unique(list(groups), return_inverse=True)[1]
    if not len(test_features) or int(number.max(initial=-1)) < _REFERENCE_GROUP:
        return ()
    order = np.argsort(number, kind="stable")
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    learned = _normalize(training_features)[order]
    nearest, distances = _nearest_groups(_normalize(test_features), learned, starts)
    # The nearest group of a training image is its own, so it is skipped.
    training_distances = _nearest_groups(_normalize(training_features[:_DIMENSION_SAMPLE]), learned, starts)[1][:, 1:3]
    steps = np.concatenate([distances[:, :2], training_distances])
    spread = float(np.median(np.log(steps[:, 1] / steps[:, 0])))
    ratios, chance = (
        distances[:, 0] / distances[:, _REFERENCE_GROUP],
        -np.expm1(np.log1p(-_SIGNIFICANCE / len(test_features)) / _REFERENCE_GROUP),
    )
    # The dimension is log 2 / spread; it is infinite where most images have two neighbours at the same distance.
    limit = chance ** (spread / np.log(2)) if spread > 0 else 0.0
    return tuple(
        Neighbour(tested_index, int(order[nearest[tested_index]]), float(1 - distances[tested_index, 0] ** 2 / 2))
        for tested_index in np.argsort(ratios, kind="stable").tolist()
        if ratios[tested_index] < limit
    )


def report_split_neighbours(
    neighbours: Sequence[Neighbour], test_rows: Sequence[Row], training_rows: Sequence[Row]
) -> tuple[Issue, ...]:
    """Build the issue of test images that nearly agree with training images, for a data card.

    Args:
        neighbours: The pairs, as indices into the rows.
        test_rows: The rows of the test images.
        training_rows: The rows of the training images.

    Returns:
        The issue, with the two images of a pair side by side; empty without pairs.
    """
    if not neighbours:
        return ()
    images: list[FlaggedImage] = []
    for neighbour in neighbours:
        test, train = test_rows[neighbour.tested], training_rows[neighbour.trained]
        images.append(FlaggedImage(test.image, test.key, test.label, f"test, cosine {neighbour.cosine:.3f}"))
        images.append(FlaggedImage(train.image, train.key, train.label, f"{train.split.value}, like {test.key}"))
    meaning = (
        f"{len(neighbours):,} of {count(len(test_rows), 'test image')}, each followed by a training image that its "
        "features agree with far more than with others: a burst, a crop, or one scene twice, which no hash grouped"
    )
    return (Issue(ACROSS, meaning, tuple(images)),)


def describe_split_neighbours(card: Mapping[str, Any]) -> tuple[str, ...]:
    """Say how many test images nearly agree with a training image, from a data card as stored in JSON."""
    pairs = sum(len(issue["images"]) // 2 for issue in card.get("findings", ()) if issue["kind"] == ACROSS)
    if not pairs:
        return ()
    images = count(pairs, "test image nearly agrees", "test images nearly agree")
    return (f"{images} with a training image of another near-duplicate group",)


def _normalize(features: Numbers) -> Numbers:
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), _MIN_DISTANCE))


def _nearest_groups(
    test_features: Numbers, training_features: Numbers, starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the nearest training image and the distances to the five nearest groups.

    Args:
        test_features: Unit vectors of shape (n_queries, width).
        training_features: Unit vectors of shape (n_train, width), those of a group side by side.
        starts: Where each group starts, of shape (n_groups,).

    Returns:
        Indices of training images, of shape (n_queries,), and ascending distances, of shape (n_queries, 5).
    """
    indices, distances = [], []
    for start in range(0, len(test_features), _BLOCK):
        cosines = test_features[start : start + _BLOCK] @ training_features.T
        of_group = np.maximum.reduceat(cosines, starts, axis=1)
        nearest = -np.sort(np.partition(-of_group, _REFERENCE_GROUP, axis=1)[:, : _REFERENCE_GROUP + 1], axis=1)
        indices.append(cosines.argmax(axis=1))
        distances.append(np.sqrt(np.maximum(2 - 2 * nearest.astype(np.float64), _MIN_DISTANCE**2)))
    return np.concatenate(indices), np.concatenate(distances)
