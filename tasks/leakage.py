"""What would leak from training into the test split if files were split at random, measured on a dataset version."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from configs import schema
from tasks.domain.manifest import Row
from tasks.domain.night import Data, FeatureSet
from tasks.domain.random_split import KEY, sampled
from tasks.domain.splits import Split
from tasks.stores.datasets import read_card
from tasks.stores.features import FeatureStore
from tasks.stores.snapshots import SnapshotStore
from tasks.stores.splits import SplitStore


def leakage(data: Data, rows: Sequence[Row], made: FeatureSet, settings: schema.Settings) -> dict[str, Any]:
    """Measure for a data card what a random split over files would have claimed; nothing where the card knows it.

    Args:
        data: The night's data.
        rows: The dataset version.
        made: The features in the store that heads are to take.
        settings: How heads are trained.
    """
    from tasks.modeling.random_split import Images, random_split
    from tasks.modeling.training import recipe_of

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
