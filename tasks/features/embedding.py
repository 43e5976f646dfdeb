"""Passing images through a backbone: only what the store lacks, once, and what is finished is kept."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from configs import schema
from configs.environment import workers
from configs.errors import PedigreeError
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.hashing import sha256_of
from tasks.domain.images.augmentation import IDENTITY, VIEWS
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.training.results import FeatureSet
from tasks.reports.prefect_ui.progress import show_progress
from tasks.stores.store import Store
from tasks.stores.tables.features import FeatureStore

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone

# So many vectors are made in one claim.
_BATCH = 256
# They are kept in one commit, on a slow machine after so many seconds already: what a crash can cost.
_SECONDS = 10.0
#: For each image the views in which it is wanted.
RequestedViews = Mapping[str, Sequence[str]]


def embed_missing(backbone: "Backbone", requested: Sequence[str] | RequestedViews, settings: schema.Settings) -> int:
    """Embed what the store lacks of these images, and return how many images that were.

    Images come in a sequence, as they are, or with the views that are wanted of each. Of several runs at once one
    embeds a batch while the others wait, and then finds it done.
    """
    from tasks.modeling.backbone.embedding import check_determinism

    views = requested if isinstance(requested, Mapping) else dict.fromkeys(requested, (IDENTITY,))
    store = Store(settings.store.url).features(backbone.fingerprint, backbone.width, backbone.precision)
    missing = _missing_views(store, views)
    if not missing:
        return 0
    check_determinism(backbone)
    done = 0
    with show_progress("embed", len(missing)) as advance:
        while missing:
            with Store(settings.store.url).leases.hold(f"features-{backbone.fingerprint}"):
                before, missing = len(missing), _missing_views(store, missing)
                advance(before - len(missing))
                batch = _next_batch(missing)
                for _ in _embed_batch(backbone, batch, store, settings):
                    advance(1)
            done += len(batch)
            missing = {image: missing_views for image, missing_views in missing.items() if image not in batch}
    return done


def take_on_trust(store: FeatureStore) -> int:
    """Give the rows that an earlier Pedigree wrote a checksum of what lies there, and return how many these were."""
    if not store.rows_without_checksum():
        return 0
    with Store(store.objects.url).leases.hold(f"features-{store.fingerprint}"):
        return store.add_checksums()


def views_to_embed(rows: Sequence[Row], settings: schema.Settings) -> RequestedViews:
    """See what is learned from in all the views that the settings ask for, all else as it is."""
    learned = VIEWS[settings.training.views]
    return {row.image: learned if row.split is Split.TRAIN else (IDENTITY,) for row in rows}


def feature_set(backbone: "Backbone") -> FeatureSet:
    """Name the features that a backbone makes."""
    return FeatureSet(backbone.fingerprint, backbone.width)


def _missing_views(store: FeatureStore, requested: RequestedViews) -> dict[str, tuple[str, ...]]:
    """Name the images that lack a view, with the views that they lack."""
    stored = store.row_numbers(sorted({view for views in requested.values() for view in views}))
    missing = {image: tuple(view for view in views if image not in stored[view]) for image, views in requested.items()}
    return {image: views for image, views in missing.items() if views}


def _next_batch(missing: RequestedViews) -> dict[str, Sequence[str]]:
    """Choose images for one claim, by the number of vectors that they may become."""
    images = max(1, _BATCH // max(map(len, missing.values()), default=1))
    return dict(islice(missing.items(), images))


def _embed_batch(
    backbone: "Backbone", batch: RequestedViews, store: FeatureStore, settings: schema.Settings
) -> Iterator[None]:
    """Embed and keep a batch; yield after each image."""
    from tasks.modeling.backbone.embedding import embed_views

    images = ((image, data, batch[image]) for image, data in Store(settings.store.url).images.read(list(batch)))
    features: list[tuple[str, str, np.ndarray]] = []
    stored_at = monotonic()
    for view_features in embed_views(backbone, images, limits_from_settings(settings.images)):
        features += view_features
        yield
        if monotonic() - stored_at > _SECONDS:
            _store_features(store, features)
            stored_at = monotonic()
    _store_features(store, features)


def _store_features(store: FeatureStore, features: list[tuple[str, str, np.ndarray]]) -> None:
    if features:
        names, views, vectors = zip(*features, strict=True)
        store.add(names, np.stack(vectors), views)
        features.clear()


def join_workers(settings: schema.Settings) -> None:
    """Meet the other workers where TF_CONFIG names some; TensorFlow wants that before it computes anything."""
    if settings.training.method == "fine-tune" and (cluster := workers()):
        from tasks.modeling.fine_tuning.distribution import devices_of_workers

        devices_of_workers(*cluster)


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


if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone
    from tasks.modeling.head.head import Head

_COPY = "put it back from a copy of the store"


def head_bytes(store: str, name: str) -> bytes:
    """Return a head's file; raise PedigreeError, naming it, where its weights have another hash than its name."""
    from tasks.modeling.head.head import Head

    data = Store(store).heads.read(name)
    try:
        intact = Head.from_bytes(data).name == name
    except PedigreeError:
        intact = False
    if not intact:
        remedy = "or remove it and train again with pedigree retrain --force"
        raise PedigreeError(f"The file heads/{name}.npz in {store} is not what was written: {_COPY}, {remedy}.")
    return data


def stored_head(store: str, name: str) -> "Head":
    """Read a head; raise PedigreeError where it is missing, or not what was written."""
    from tasks.modeling.head.head import Head

    return Head.from_bytes(head_bytes(store, name))


def backbone_files(store: str, fingerprint: str) -> tuple[bytes, dict[str, Any]]:
    """Return a backbone's weights file and its facts; raise Problem, naming the file that is not what was written."""
    from tasks.modeling.backbone.serialization import from_bytes, hash_weights

    data, facts = Store(store).backbones.read(fingerprint)
    if sha256_of(facts) != fingerprint:
        raise _altered_file(store, f"backbones/{fingerprint}.json")
    try:
        intact = hash_weights(from_bytes(data, "")) == facts["weights"]
    except PedigreeError:
        intact = False
    if not intact:
        raise _altered_file(store, f"backbones/{fingerprint}.npz")
    return data, facts


def stored_backbone(store: str, fingerprint: str) -> "Backbone":
    """Build a backbone from the store; raise Problem where one of its files is missing, or not what was written."""
    from tasks.modeling.backbone.backbone import restore_backbone

    return restore_backbone(*backbone_files(store, fingerprint))


def check_backbone(store: str, fingerprint: str, facts: Mapping[str, Any]) -> None:
    """Raise PedigreeError where the stored backbone is not this one, which the settings' own weights made."""
    if backbone_files(store, fingerprint)[1] != facts:
        raise _altered_file(store, f"backbones/{fingerprint}.json")


def _altered_file(store: str, key: str) -> PedigreeError:
    remedy = "or move both files of that backbone away, and the next night writes what its settings name anew"
    return PedigreeError(f"The file {key} in {store} is not what was written: {_COPY}, {remedy}.")


def predict(store: str, feature_set: FeatureSet, head: str, images: Sequence[str]) -> Predictions:
    """Return the probabilities that a head gives to images, in the order asked: (images, classes)."""
    classifier = stored_head(store, head)
    return Predictions(
        classifier.classes, classifier.probabilities(read_features(store, feature_set, images)), classifier.threshold
    )


def read_features(store: str, feature_set: FeatureSet, images: Sequence[str]) -> NDArray[np.float32]:
    """Read what a backbone made of images, in the order asked: (images, width)."""
    return Store(store).features(feature_set.fingerprint, feature_set.width).read(images)
