"""What a head in a store says of images whose features the store holds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.training.results import FeatureSet
from tasks.features.stored_weights import stored_head
from tasks.stores.tables.features import FeatureStore


def predict(store: str, made: FeatureSet, head: str, images: Sequence[str]) -> Predictions:
    """Return the probabilities that a head gives to images, in the order asked: (images, classes)."""
    found = stored_head(store, head)
    return Predictions(found.classes, found.probabilities(stored_features(store, made, images)), found.threshold)


def stored_features(store: str, made: FeatureSet, images: Sequence[str]) -> NDArray[np.float32]:
    """Read what a backbone made of images, in the order asked: (images, width)."""
    return FeatureStore(store, made.fingerprint, made.width).read(images)
