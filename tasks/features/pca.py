"""Features brought down to the few directions that tell classes apart, a part of the images in memory at a time."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.stores.tables.features import FeatureStore

# The names are hashes, so the first of them in order are a fair sample; 2,048 numbers of each are 40 MB.
_AT_ONCE = 5000

Reduce = Callable[[Sequence[str]], NDArray[np.float32]]


def fit_reduction(features: FeatureStore, images: Sequence[str]) -> Reduce:
    """Find the main directions of these images' features; what is returned gives those of any: (images, directions)."""
    from tasks.domain.datasets.label_issues import fit_pca

    directions = fit_pca(features.read(sorted(images)[:_AT_ONCE]))

    def reduce(names: Sequence[str]) -> NDArray[np.float32]:
        parts = [names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE)]
        return np.concatenate([directions.transform(features.read(part)) for part in parts])

    return reduce
