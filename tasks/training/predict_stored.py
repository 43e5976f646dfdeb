"""What a head in a store says of images whose features the store holds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.training.results import FeatureSet
from tasks.features.stored_weights import stored_head
from tasks.stores.tables.features import FeatureStore


def predict(store: str, feature_set: FeatureSet, head: str, images: Sequence[str]) -> Predictions:
    """Return the probabilities that a head gives to images, in the order asked: (images, classes)."""
    classifier = stored_head(store, head)
    return Predictions(
        classifier.classes, classifier.probabilities(read_features(store, feature_set, images)), classifier.threshold
    )


def read_features(store: str, feature_set: FeatureSet, images: Sequence[str]) -> NDArray[np.float32]:
    """Read what a backbone made of images, in the order asked: (images, width)."""
    return FeatureStore(store, feature_set.fingerprint, feature_set.width).read(images)
