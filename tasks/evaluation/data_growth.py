"""What the challenger learned from beyond its champion, read from the store."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from configs import schema
from configs.errors import Inaccessible, Outage, Problem
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.data_growth import Growth, Labelled, Recipe, cross_validate, growth
from tasks.domain.gate.improvement import lacking
from tasks.domain.labels.labeling import spelled
from tasks.domain.registry.decisions import Decision
from tasks.domain.registry.model_record import settings_of
from tasks.domain.training.results import FeatureSet
from tasks.features.pca import Reduce, reduction
from tasks.stores.files.manifests import read_manifest
from tasks.stores.files.records import read_record
from tasks.stores.tables.features import FeatureStore
from tasks.stores.tables.splits import SplitStore

# The names are hashes, so the first of them in order are a fair sample of very many images.
_MOST = 20_000


def grown(rows: Sequence[Row], today: FeatureSet, decision: Decision, settings: schema.Settings) -> Growth | None:
    """Compare data and recipe with those of the champion; None where the store no longer tells what these were.

    Args:
        rows: Tonight's dataset version.
        today: The features that training begins with.
        decision: The one that made the champion.
        settings: Tonight's.
    """
    store, gate = settings.store.url, settings.gate
    try:
        former = read_manifest(store, decision.dataset)
        record = read_record(store, decision.head, decision.dataset)
    except (Outage, Inaccessible):
        raise
    except Problem:
        return None
    labels = spelled([row.label for row in former], settings.labels.aliases)
    former = [row._replace(label=label) for row, label in zip(former, labels, strict=True)]
    made_by = [_recipe(one) for one in (record.settings, settings_of(settings))]
    found = growth(rows, former, _likeness(*made_by, same_features=record.features == today))
    # It costs seconds of a night with many images: only where it can decide.
    if gate.needs == "no-harm" or lacking(found, gate):
        return found
    images = [row.image for row in rows]
    reduces = {made: _reduction(made, images, store) for made in {today, record.features}}
    both = (_labelled(some, made, reduces[made], store) for some, made in ((rows, today), (former, record.features)))
    return replace(found, cross_validated=cross_validate(*both))


def _likeness(theirs: Mapping[str, object], ours: Mapping[str, object], *, same_features: bool) -> Recipe:
    if any(theirs.get(name) != ours.get(name) for name in {*theirs, *ours} - {"backbone"}):
        return "other"
    return "same" if same_features else "another backbone"


def _recipe(made_by: Mapping[str, object]) -> dict[str, object]:
    """Leave out how labels are read: the versions themselves say which image has which."""
    return {name: section for name, section in made_by.items() if name != "labels"}


def _reduction(made: FeatureSet, images: Sequence[str], store: str) -> Reduce:
    """Take the main directions of tonight's images, so that of one backbone both versions have the same."""
    features = FeatureStore(store, made.fingerprint, made.width)
    there = features.known()
    return reduction(features, [image for image in images if image in there])


def _labelled(rows: Sequence[Row], made: FeatureSet, reduce: Reduce, store: str) -> Labelled:
    there, known = FeatureStore(store, made.fingerprint, made.width).known(), SplitStore(store).known()
    used = [row for row in rows if row.split is not Split.HELD_OUT and row.image in there]
    some = sorted(used, key=lambda row: row.image)[:_MOST]
    names = [row.image for row in some]
    groups = [known[name].group if name in known else name for name in names]
    return Labelled(names, reduce(names), [row.label for row in some], groups)
