"""Test images whose features nearly agree with those of a training image that no hash groups with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.domain.findings import Finding, Found
from tasks.domain.manifest import Row
from tasks.domain.wording import count

#: The kind of finding on a data card.
ACROSS = "nearly the same across splits"
# The chance that any test image of a version without look-alikes is named.
_ALLOWED = 0.01
# The nearest training image is held against the one in the fifth nearest group, so that a burst of up to four in
# training does not hide itself.
_FARTHER = 4
_BLOCK = 256
# So many training images help to estimate the dimension, for which few test images are too few.
_SAMPLE = 500
# Distances below this are the rounding of 32-bit numbers.
_LEAST = 1e-3

Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A test image and a training image by their places, and the cosine of their features."""

    tested: int
    trained: int
    cosine: float


def near_across(tested: Numbers, trained: Numbers, groups: Sequence[str]) -> tuple[Neighbour, ...]:
    """Name test images that are far nearer to one training image than to those of other groups, the nearest first.

    Near a point of a smooth distribution of dimension m, distances to neighbours grow so that the m-th power of the
    first one's share in the (k+1)-th is the least of k uniform numbers. m follows from the first two (Facco, d'Errico,
    Rodriguez, Laio: "Estimating the intrinsic dimension of datasets by a minimal neighborhood information", Scientific
    Reports 2017). So the limit follows from how densely these features lie, and no cosine is chosen by hand.

    Args:
        tested: Features of shape (n_tested, width).
        trained: Features of shape (n_trained, width).
        groups: The near-duplicate group of each training image.

    Returns:
        Each named test image with its nearest training image; none where there are too few groups to tell.
    """
    number = np.unique(list(groups), return_inverse=True)[1]
    if not len(tested) or int(number.max(initial=-1)) < _FARTHER:
        return ()
    order = np.argsort(number, kind="stable")
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    learned = _unit(trained)[order]
    places, distances = _nearest(_unit(tested), learned, starts)
    # A training image's own group is the first of its neighbours.
    others = _nearest(_unit(trained[:_SAMPLE]), learned, starts)[1][:, 1:3]
    steps = np.concatenate([distances[:, :2], others])
    spread = float(np.median(np.log(steps[:, 1] / steps[:, 0])))
    ratios, chance = distances[:, 0] / distances[:, _FARTHER], -np.expm1(np.log1p(-_ALLOWED / len(tested)) / _FARTHER)
    # The dimension is log 2 / spread; where most have two neighbours at the same distance it has no limit.
    limit = chance ** (spread / np.log(2)) if spread > 0 else 0.0
    return tuple(
        Neighbour(place, int(order[places[place]]), float(1 - distances[place, 0] ** 2 / 2))
        for place in np.argsort(ratios, kind="stable").tolist()
        if ratios[place] < limit
    )


def across_splits(
    neighbours: Sequence[Neighbour], tested: Sequence[Row], trained: Sequence[Row]
) -> tuple[Finding, ...]:
    """Make the finding, the two of a pair side by side; nothing where there is none."""
    if not neighbours:
        return ()
    images: list[Found] = []
    for one in neighbours:
        test, train = tested[one.tested], trained[one.trained]
        images.append(Found(test.image, test.key, test.label, f"test, cosine {one.cosine:.3f}"))
        images.append(Found(train.image, train.key, train.label, f"{train.split.value}, like {test.key}"))
    meaning = (
        f"{len(neighbours):,} of {count(len(tested), 'test image')}, each followed by a training image that its "
        "features agree with far more than with others: a burst, a crop, or one scene twice, which no hash grouped"
    )
    return (Finding(ACROSS, meaning, tuple(images)),)


def neighbour_sentences(card: Mapping[str, Any]) -> tuple[str, ...]:
    """Count of a data card, as it is kept in JSON, the test images that nearly agree with a training image, if any."""
    pairs = sum(len(one["images"]) // 2 for one in card.get("findings", ()) if one["kind"] == ACROSS)
    if not pairs:
        return ()
    images = count(pairs, "test image nearly agrees", "test images nearly agree")
    return (f"{images} with a training image of another near-duplicate group",)


def _unit(features: Numbers) -> Numbers:
    return np.asarray(features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), _LEAST))


def _nearest(
    asked: Numbers, learned: Numbers, starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the place of the nearest training image and the distances to the nearest groups, the first few, ascending.

    Args:
        asked: Unit vectors of shape (n_asked, width).
        learned: Unit vectors of shape (n_trained, width), those of a group side by side.
        starts: Where each group starts, of shape (n_groups,).
    """
    places, distances = [], []
    for start in range(0, len(asked), _BLOCK):
        cosines = asked[start : start + _BLOCK] @ learned.T
        of_group = np.maximum.reduceat(cosines, starts, axis=1)
        nearest = -np.sort(np.partition(-of_group, _FARTHER, axis=1)[:, : _FARTHER + 1], axis=1)
        places.append(cosines.argmax(axis=1))
        distances.append(np.sqrt(np.maximum(2 - 2 * nearest.astype(np.float64), _LEAST**2)))
    return np.concatenate(places), np.concatenate(distances)
