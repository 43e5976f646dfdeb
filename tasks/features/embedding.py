"""Backbones, heads and features as they are stored: who learns or predicts reads them here."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from configs import schema
from configs.cores import single_threaded_blas
from configs.environment import workers
from tasks.domain.datasets.assignments import SPLITS
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.images.augmentation import IDENTITY, VIEWS
from tasks.domain.images.requested_views import RequestedViews
from tasks.domain.training.results import FeatureSet
from tasks.features.stored_models import stored_head
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone
    from tasks.stores.tables.features import FeatureStore

# Names are hashes, so the first ones in order are a fair sample; 2,048 numbers for each are 40 MB.
_AT_ONCE = 5000

#: Returns the leading principal components of any images' features, of shape (n_images, n_components).
Reduce = Callable[[Sequence[str]], NDArray[np.float32]]


def views_to_embed(rows: Sequence[Row], training: schema.Training) -> RequestedViews:
    """List the views of each image: all that training asks for in the training split, elsewhere the image as it is.

    Args:
        rows: The dataset version.
        training: Says in which views images are learned from.

    Returns:
        The views by image.
    """
    columns = VersionRows.of(rows)
    is_learned = columns.splits == SPLITS.index(Split.TRAIN)
    return RequestedViews(columns.images, is_learned.astype(np.int32), ((IDENTITY,), VIEWS[training.views]))


def feature_set(backbone: "Backbone") -> FeatureSet:
    """Return what names the features that a backbone computes."""
    return FeatureSet(backbone.fingerprint, backbone.width)


def join_workers(training: schema.Training) -> None:
    """Join the cluster that TF_CONFIG names; TensorFlow wants that before it computes anything."""
    if training.method == "fine-tune" and (cluster := workers()):
        from tasks.modeling.fine_tuning.distribution import devices_of_workers

        devices_of_workers(*cluster)


def fit_reduction(features: "FeatureStore", images: Sequence[str]) -> Reduce:
    """Fit the leading principal components of images' features.

    Args:
        features: Holds the features of these images, and of all that are reduced later.
        images: The images; 5,000 of them are used at most.

    Returns:
        A function from images to their components, float32 of shape (n_images, n_components).
    """
    from tasks.domain.datasets.label_issues import fit_pca

    components = fit_pca(features.read(sorted(images)[:_AT_ONCE]))

    @single_threaded_blas()
    def reduce(names: Sequence[str]) -> NDArray[np.float32]:
        parts = [names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE)]
        return np.concatenate([components.transform(features.read(part)) for part in parts])

    return reduce


def predict(store: Store, feature_set: FeatureSet, head: str, images: Sequence[str]) -> Predictions:
    """Return the class probabilities that a head gives to images.

    Args:
        store: Holds the head, and the features of these images.
        feature_set: The features that the head takes.
        head: Hash of the head's weights.
        images: The images.

    Returns:
        The probabilities, of shape (n_images, n_classes), in the order of the images.
    """
    classifier = stored_head(store, head)
    table = store.features(feature_set.fingerprint, feature_set.width)
    return Predictions(classifier.classes, map_features(table, images, classifier.probabilities), classifier.threshold)


def map_features(
    table: "FeatureStore", images: Sequence[str], function: Callable[[NDArray[np.float32]], NDArray[Any]]
) -> NDArray[Any]:
    """Compute something of the features of images, some of them at a time.

    Args:
        table: Holds the features.
        images: The images.
        function: Takes features of shape (n_part, width), and returns a row for each.

    Returns:
        The rows of all images, in the order of the images.
    """
    none = function(np.empty((0, table.width), np.float32))
    results = np.empty((len(images), *none.shape[1:]), none.dtype)
    for positions, vectors in table.stream(images):
        results[positions] = function(np.asarray(vectors, np.float32))
    return results
