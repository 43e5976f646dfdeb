"""Watching, step 1: compare the source's whole listing with the one that the last retraining answered."""

from datetime import UTC, datetime
from itertools import chain

from configs import schema
from tasks.domain.hashing import sha256_of
from tasks.domain.ingestion import triggers
from tasks.domain.ingestion.source_filter import SourceFilter
from tasks.domain.ingestion.triggers import FEW, PollResult, SourceDiff, check_vanished
from tasks.step import step
from tasks.stores.files.records import last_processed_snapshot
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.tables.listings import in_columns, vanished
from tasks.stores.tables.snapshots import SnapshotStore


@step(hours=2)
def poll_source(settings: schema.Settings) -> PollResult:
    """List the source, and say in one line whether what no retraining has answered is a reason to start one.

    Nothing is written. The key names the difference and the day: the same difference starts one retraining a day, also
    where that one fails.
    """
    source, store = settings.source.url, settings.store.url
    moment, bucket = datetime.now(UTC), open_bucket(source)
    bucket.check()
    answered = last_processed_snapshot(store, source)
    listing = in_columns(bucket.entries(names=SourceFilter(settings.source.pass_over)))
    snapshots = SnapshotStore(store)
    difference = snapshots.since(source, answered, listing)
    if len(difference.gone) >= FEW:
        _, answered_listing = snapshots.listings(source, answered)
        if refusal := check_vanished(
            settings.source, answered_listing["key"].to_pylist(), vanished(answered_listing, listing)
        ):
            return PollResult("Not yet", refusal)
    keys = (key for batch in listing["key"].chunks for key in batch.to_pylist())
    changes = triggers.classify_changes(difference, settings.labels, settings.dataset.min_images_per_class, keys)
    return triggers.decide_retraining(
        changes, settings.watch, moment, answered, _key(settings, answered, difference, moment)
    )


def _key(settings: schema.Settings, answered: str, difference: SourceDiff, moment: datetime) -> str:
    entries = [[*entry.identity, entry.modified] for entry in chain(difference.gone, difference.came)]
    return sha256_of([settings.source.url, settings.store.url, answered, entries, f"{moment:%Y-%m-%d}"])
