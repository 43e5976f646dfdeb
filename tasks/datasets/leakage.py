"""What leaks from training into the test split, or would if files were split at random, measured on a version."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from configs import schema
from tasks.domain.datasets.image_issues import Finding
from tasks.domain.datasets.leakage import KEY, across_splits, near_across, sampled
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


def leakage(data: Data, rows: Sequence[Row], made: FeatureSet, settings: schema.Settings) -> dict[str, Any]:
    """Measure for a data card what a random split over files would have claimed; nothing where the card knows it.

    Args:
        data: The night's data.
        rows: The dataset version.
        made: The features in the store that heads are to take.
        settings: How heads are trained.
    """
    from tasks.modeling.head.random_split import Images, random_split
    from tasks.modeling.head.training import recipe_of

    store = settings.store.url
    if KEY in (read_card(store, data.dataset.hash) or {}):
        return {}
    used, known = [row for row in rows if row.split is not Split.HELD_OUT], SplitStore(store).known()
    located = SnapshotStore(store).located(data.ingested.source, data.ingested.moment)
    held = Counter(one.image for one in located)
    groups, copies = [known[row.image].group for row in used], [max(1, held[row.image]) for row in used]
    places = sampled(groups, copies)
    features = FeatureStore(store, made.fingerprint, made.width).read([used[place].image for place in places])
    labels = [used[place].label for place in places]
    images = Images(features, labels, [groups[place] for place in places], [copies[place] for place in places])
    if (found := random_split(images, recipe_of(settings.training))) is None:
        return {}
    return {KEY: asdict(replace(found, of=sum(copies), backbone=made.fingerprint))}


def close_across_splits(rows: Sequence[Row], made: FeatureSet, store: str) -> tuple[Finding, ...]:
    """Find test images whose features nearly agree with those of an image that heads learn from.

    Args:
        rows: The dataset version.
        made: The features in the store that are compared.
        store: The address of the store.
    """
    ordered, known = sorted(rows, key=lambda row: row.image), SplitStore(store).known()
    tested = [row for row in ordered if row.split is Split.TEST][:_TESTED]
    trained = [row for row in ordered if row.split in {Split.TRAIN, Split.VALIDATION}][:_TRAINED]
    table = FeatureStore(store, made.fingerprint, made.width)
    ours, theirs = (table.read([row.image for row in some]) for some in (tested, trained))
    neighbours = near_across(ours, theirs, [known[row.image].group for row in trained])
    return across_splits(neighbours, tested, trained)
