"""What a random split over files would have claimed, beside the accuracy that holds for photographs never seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.domain.datasets.image_issues import FlaggedImage, Issue
from tasks.domain.datasets.manifest import Row
from tasks.domain.phrasing import count

#: The key of a data card under which the measurement is kept.
KEY = "random_split"
#: So many files at most are looked at, which takes seconds.
MOST_FILES = 2000
_NORMAL = 1.96  # Two-sided, 95%.

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RandomSplit:
    """The accuracy of the same head on test files dealt at random, and on whole near-duplicate groups.

    Attributes:
        files: So many files were each tested once a seed.
        claimed: The accuracy where each file is dealt for itself.
        honest: The accuracy where near-duplicate groups are dealt whole.
        low: Lower end of the 95% interval of the difference.
        high: Upper end of it.
        same_bytes: Of the test files dealt for themselves, the share with a copy in training, byte by byte.
        alike: The share with a copy or a look-alike in training.
        of: So many files the dataset version has.
        backbone: The fingerprint of the backbone whose features the heads took.
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
    """Files, those of one image and those of one near-duplicate group named by the same number.

    Attributes:
        images: Which image each file holds, of shape (n_files,).
        groups: The near-duplicate group of each file, of shape (n_files,).
    """

    images: Indices
    groups: Indices

    def names(self) -> tuple[list[str], list[str]]:
        """Name the files as they are dealt: by their groups, and each for itself.

        A file that is alone in its group has one name in both, so that where no two are alike both deals are the same.
        """
        sizes, by_group = np.bincount(self.groups), [f"{group}" for group in self.groups.tolist()]
        alone = (sizes == 1)[self.groups].tolist()
        return by_group, [
            name if is_alone else f"{name} {n}" for n, (name, is_alone) in enumerate(zip(by_group, alone, strict=True))
        ]


def list_files(groups: Sequence[str], copies: Sequence[int]) -> Files:
    """List the files of images, given the near-duplicate group of each image and how many files hold it."""
    number = np.unique(list(groups), return_inverse=True)[1].astype(np.int64)
    images = np.repeat(np.arange(len(groups)), copies)
    return Files(images, number[images])


def sample_groups(groups: Sequence[str], copies: Sequence[int], most: int = MOST_FILES) -> list[int]:
    """Choose the images of whole near-duplicate groups that have so many files together; all images of few files.

    A group is named by its smallest image, so large groups have small names: only hashes of names are a fair sample.

    Args:
        groups: The near-duplicate group of each image.
        copies: How many files hold each image.
        most: So many files are enough.

    Returns:
        The places of the images, ascending.
    """
    order = sorted(set(groups), key=lambda group: sha256(group.encode()).digest())
    rank = {group: position for position, group in enumerate(order)}
    of_image = np.array([rank[group] for group in groups], np.int64)
    files = np.cumsum(np.bincount(of_image, weights=copies))
    indices: list[int] = np.flatnonzero(of_image < max(1, int(np.searchsorted(files, most, side="right")))).tolist()
    return indices


def share_in_other_folds(keys: Indices, folds: Indices) -> float:
    """Give the share of files, of shape (n_files,), of whose key there is another file in another fold."""
    _, pair, within = np.unique(np.column_stack([keys, folds]), axis=0, return_inverse=True, return_counts=True)
    return float((np.bincount(keys)[keys] > within[pair.ravel()]).mean())


def clustered_interval(differences: NDArray[np.float64], groups: Indices) -> tuple[float, float]:
    """Give the 95% interval of a mean whose summands, of shape (n_files,), belong together by groups.

    Source: Liang and Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 1986, for a mean.
    """
    mean = float(differences.mean())
    sums = np.bincount(groups, weights=differences - mean)
    error = float(np.sqrt(np.square(sums).sum())) / len(differences)
    return mean - _NORMAL * error, mean + _NORMAL * error


def leakage_sentences(card: Mapping[str, Any], backbone: str = "") -> tuple[str, ...]:
    """Say what a data card, as it is kept in JSON, knows of a random split; nothing where it knows nothing.

    Args:
        card: The card.
        backbone: The fingerprint of the backbone in whose report it is said; empty where it does not matter.
    """
    near = describe_split_neighbours(card)
    if not (random_split := card.get(KEY)):
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


#: The kind of finding on a data card.
ACROSS = "nearly the same across splits"
# The chance that any test image of a version without look-alikes is named.
_SIGNIFICANCE = 0.01
# The nearest training image is held against the one in the fifth nearest group, so that a burst of up to four in
# training does not hide itself.
_REFERENCE_GROUP = 4
_BLOCK = 256
# So many training images help to estimate the dimension, for which few test images are too few.
_DIMENSION_SAMPLE = 500
# Distances below this are the rounding of 32-bit numbers.
_MIN_DISTANCE = 1e-3

Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A test image and a training image by their places, and the cosine of their features."""

    tested: int
    trained: int
    cosine: float


def find_split_neighbours(
    test_features: Numbers, training_features: Numbers, groups: Sequence[str]
) -> tuple[Neighbour, ...]:
    """Name test images that are far nearer to one training image than to those of other groups, the nearest first.

    Near a point of a smooth distribution of dimension m, distances to neighbours grow so that the m-th power of the
    first one's share in the (k+1)-th is the least of k uniform numbers. m follows from the first two (Facco, d'Errico,
    Rodriguez, Laio: "Estimating the intrinsic dimension of datasets by a minimal neighborhood information", Scientific
    Reports 2017). So the limit follows from how densely these features lie, and no cosine is chosen by hand.

    Args:
        test_features: Features of shape (n_tested, width).
        training_features: Features of shape (n_trained, width).
        groups: The near-duplicate group of each training image.

    Returns:
        Each named test image with its nearest training image; none where there are too few groups to tell.
    """
    number = np.unique(list(groups), return_inverse=True)[1]
    if not len(test_features) or int(number.max(initial=-1)) < _REFERENCE_GROUP:
        return ()
    order = np.argsort(number, kind="stable")
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    learned = _normalize(training_features)[order]
    nearest, distances = _nearest_groups(_normalize(test_features), learned, starts)
    # A training image's own group is the first of its neighbours.
    training_distances = _nearest_groups(_normalize(training_features[:_DIMENSION_SAMPLE]), learned, starts)[1][:, 1:3]
    steps = np.concatenate([distances[:, :2], training_distances])
    spread = float(np.median(np.log(steps[:, 1] / steps[:, 0])))
    ratios, chance = (
        distances[:, 0] / distances[:, _REFERENCE_GROUP],
        -np.expm1(np.log1p(-_SIGNIFICANCE / len(test_features)) / _REFERENCE_GROUP),
    )
    # The dimension is log 2 / spread; where most have two neighbours at the same distance it has no limit.
    limit = chance ** (spread / np.log(2)) if spread > 0 else 0.0
    return tuple(
        Neighbour(tested_index, int(order[nearest[tested_index]]), float(1 - distances[tested_index, 0] ** 2 / 2))
        for tested_index in np.argsort(ratios, kind="stable").tolist()
        if ratios[tested_index] < limit
    )


def report_split_neighbours(
    neighbours: Sequence[Neighbour], test_rows: Sequence[Row], training_rows: Sequence[Row]
) -> tuple[Issue, ...]:
    """Make the finding, the two of a pair side by side; nothing where there is none."""
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
    """Count of a data card, as it is kept in JSON, the test images that nearly agree with a training image, if any."""
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
    """Give the place of the nearest training image and the distances to the nearest groups, the first few, ascending.

    Args:
        test_features: Unit vectors of shape (n_asked, width).
        training_features: Unit vectors of shape (n_trained, width), those of a group side by side.
        starts: Where each group starts, of shape (n_groups,).
    """
    indices, distances = [], []
    for start in range(0, len(test_features), _BLOCK):
        cosines = test_features[start : start + _BLOCK] @ training_features.T
        of_group = np.maximum.reduceat(cosines, starts, axis=1)
        nearest = -np.sort(np.partition(-of_group, _REFERENCE_GROUP, axis=1)[:, : _REFERENCE_GROUP + 1], axis=1)
        indices.append(cosines.argmax(axis=1))
        distances.append(np.sqrt(np.maximum(2 - 2 * nearest.astype(np.float64), _MIN_DISTANCE**2)))
    return np.concatenate(indices), np.concatenate(distances)
