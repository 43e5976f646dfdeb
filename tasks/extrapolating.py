"""What more photographs would bring, by the features that the store holds."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tasks.domain.learning import LEAST, Curves, Lessons, learning_curves
from tasks.domain.manifest import Row
from tasks.domain.night import FeatureSet
from tasks.domain.splits import Split
from tasks.reducing import reduction
from tasks.stores.features import FeatureStore
from tasks.stores.splits import SplitStore

# The names are hashes, so the first of them in order are a fair sample of very many images.
_MOST = 20_000


def curves(rows: Sequence[Row], made: FeatureSet, store: str, minimum: int) -> Curves:
    """Draw the learning curves of a dataset version; classes with fewer validation images than the minimum are unknown.

    Of more than 20,000 images a split, each class's first are looked at.
    """
    learned, tried = (_some(rows, split) for split in (Split.TRAIN, Split.VALIDATION))
    images = Counter(row.label for row in rows if row.split is Split.TRAIN)
    if not (learned and tried):
        return learning_curves(_nothing(), _nothing(), images, minimum)
    features, known = FeatureStore(store, made.fingerprint, made.width), SplitStore(store).known()
    reduce = reduction(features, [row.image for row in learned])

    def lessons(some: Sequence[Row]) -> Lessons:
        names = [row.image for row in some]
        groups = [known[name].group if name in known else name for name in names]
        return Lessons(reduce(names), [row.label for row in some], groups)

    return learning_curves(lessons(learned), lessons(tried), images, minimum)


def _some(rows: Sequence[Row], split: Split) -> list[Row]:
    """Take each class's first images of a split, as many as make 20,000 if all classes have so many."""
    of: defaultdict[str, list[Row]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.image):
        if row.split is split:
            of[row.label].append(row)
    most = max(LEAST, _MOST // max(len(of), 1))
    return [row for label in sorted(of) for row in islice(of[label], most)]


def _nothing() -> Lessons:
    empty: NDArray[np.float32] = np.empty((0, 1), np.float32)
    return Lessons(empty, [], [])
