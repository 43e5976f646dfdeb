"""What leaks from training into the test split, or would if files were split at random, measured on a version."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from configs import schema
from tasks.domain.datasets.image_issues import Issue
from tasks.domain.datasets.leakage import KEY, find_split_neighbours, report_split_neighbours, sample_groups
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.runs.results import Data
from tasks.domain.training.results import FeatureSet
from tasks.stores.files.manifests import read_card
from tasks.stores.tables.features import FeatureStore
from tasks.stores.tables.snapshots import SnapshotStore
from tasks.stores.tables.splits import SplitStore

# So many test images, and so many to learn from, are compared at most. Names are hashes: the first are a fair sample.
_TESTED, _TRAINED = 2000, 20_000


def measure_leakage(
    data: Data, rows: Sequence[Row], feature_set: FeatureSet, settings: schema.Settings
) -> dict[str, Any]:
    """Measure for a data card what a random split over files would have claimed; nothing where the card knows it.

    Args:
        data: The night's data.
        rows: The dataset version.
        feature_set: The features in the store that heads are to take.
        settings: How heads are trained.
    """
    from tasks.modeling.head.random_split import Images, random_split
    from tasks.modeling.head.training import recipe_of

    store = settings.store.url
    if KEY in (read_card(store, data.dataset.hash) or {}):
        return {}
    used, assigned = [row for row in rows if row.split is not Split.HELD_OUT], SplitStore(store).stored()
    located = SnapshotStore(store).located(data.ingested.source, data.ingested.moment)
    held = Counter(source_object.image for source_object in located)
    groups, copies = [assigned[row.image].group for row in used], [max(1, held[row.image]) for row in used]
    indices = sample_groups(groups, copies)
    features = FeatureStore(store, feature_set.fingerprint, feature_set.width).read(
        [used[index].image for index in indices]
    )
    labels = [used[index].label for index in indices]
    images = Images(features, labels, [groups[index] for index in indices], [copies[index] for index in indices])
    if (measured := random_split(images, recipe_of(settings.training))) is None:
        return {}
    return {KEY: asdict(replace(measured, of=sum(copies), backbone=feature_set.fingerprint))}


def find_close_across_splits(rows: Sequence[Row], feature_set: FeatureSet, store: str) -> tuple[Issue, ...]:
    """Find test images whose features nearly agree with those of an image that heads learn from.

    Args:
        rows: The dataset version.
        feature_set: The features in the store that are compared.
        store: The address of the store.
    """
    ordered, assigned = sorted(rows, key=lambda row: row.image), SplitStore(store).stored()
    tested = [row for row in ordered if row.split is Split.TEST][:_TESTED]
    trained = [row for row in ordered if row.split in {Split.TRAIN, Split.VALIDATION}][:_TRAINED]
    table = FeatureStore(store, feature_set.fingerprint, feature_set.width)
    tested_features, trained_features = (table.read([row.image for row in part]) for part in (tested, trained))
    neighbours = find_split_neighbours(
        tested_features, trained_features, [assigned[row.image].group for row in trained]
    )
    return report_split_neighbours(neighbours, tested, trained)
