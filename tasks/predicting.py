"""What a head in a store says of images whose features the store holds."""

from collections.abc import Sequence

from tasks.domain.comparison import Predictions
from tasks.domain.night import FeatureSet
from tasks.stores.features import FeatureStore
from tasks.stores.weights import read_head


def predict(store: str, made: FeatureSet, head: str, images: Sequence[str]) -> Predictions:
    """Return the probabilities that a head gives to images, in the order asked: (images, classes)."""
    from tasks.modeling.head import Head

    found = Head.from_bytes(read_head(store, head))
    features = FeatureStore(store, made.fingerprint, made.width).read(images)
    return Predictions(found.classes, found.probabilities(features))
