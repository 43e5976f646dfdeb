"""What the challenger learned from beyond its champion, read from the store."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from configs import schema
from configs.problems import Inaccessible, Outage, Problem
from tasks.domain.decisions import Decision
from tasks.domain.growth import Growth, Labelled, cross_validate, growth
from tasks.domain.improvement import lacking
from tasks.domain.labels import spelled
from tasks.domain.manifest import Row
from tasks.domain.night import FeatureSet
from tasks.domain.record import settings_of
from tasks.domain.splits import Split
from tasks.reducing import reduction
from tasks.stores.datasets import read_manifest
from tasks.stores.features import FeatureStore
from tasks.stores.records import read_record
from tasks.stores.splits import SplitStore

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
    store = settings.store.url
    try:
        former = read_manifest(store, decision.dataset)
        record = read_record(store, decision.head, decision.dataset)
    except (Outage, Inaccessible):
        raise
    except Problem:
        return None
    labels = spelled([row.label for row in former], settings.labels.aliases)
    former = [row._replace(label=label) for row, label in zip(former, labels, strict=True)]
    same = record.features == today and _recipe(record.settings) == _recipe(settings_of(settings))
    found = growth(rows, former, same_recipe=same)
    # It costs seconds of a night with many images: only where it can decide.
    if lacking(found, settings.gate):
        return found
    return replace(found, cross_validated=cross_validate(*_labelled(rows, former, today, store)))


def _recipe(made_by: Mapping[str, object]) -> dict[str, object]:
    """Leave out how labels are read: the versions themselves say which image has which."""
    return {name: section for name, section in made_by.items() if name != "labels"}


def _labelled(rows: Sequence[Row], former: Sequence[Row], made: FeatureSet, store: str) -> tuple[Labelled, Labelled]:
    features, known = FeatureStore(store, made.fingerprint, made.width), SplitStore(store).known()
    there = features.known()
    ours, theirs = (
        [
            row
            for row in sorted(some, key=lambda row: row.image)
            if row.split is not Split.HELD_OUT and row.image in there
        ][:_MOST]
        for some in (rows, former)
    )
    reduce = reduction(features, [row.image for row in ours])

    def labelled(some: Sequence[Row]) -> Labelled:
        names = [row.image for row in some]
        groups = [known[name].group if name in known else name for name in names]
        return Labelled(names, reduce(names), [row.label for row in some], groups)

    return labelled(ours), labelled(theirs)
