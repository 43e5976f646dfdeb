"""The step that lists the source, and stores what has changed since the last listing."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time

from configs import schema
from configs.errors import PedigreeError, SettingsError
from configs.sections import Source
from tasks.domain.ingestion.source_objects import Snapshot
from tasks.domain.ingestion.triggers import FEW, check_vanished
from tasks.domain.phrasing import count
from tasks.domain.runs.known_inputs import snapshot_inputs
from tasks.ingestion.moved_source import adopt_former_source
from tasks.ingestion.source_check import describe_empty_source
from tasks.ingestion.source_listing import look_up_source
from tasks.step import log_line, step
from tasks.stores.files.checksums import Checksums
from tasks.stores.files.known_results import TableVersion
from tasks.stores.files.known_steps import is_answered
from tasks.stores.store import Store
from tasks.stores.tables.listings import altered_rows, vanished
from tasks.stores.tables.snapshots import SnapshotStore


@step(hours=2)
def snapshot(source: Source, store_settings: schema.Store, as_of: str = "") -> Snapshot:
    """List the source and store the changes, or read the last listing of a former day.

    Args:
        source: Where the photographs are, and how many of them may vanish at once.
        store_settings: Where the store is.
        as_of: A day such as 2026-11-01, or a moment, in UTC; empty means now.

    Returns:
        What the source holds, and how much of it is new, changed or gone.

    Raises:
        PedigreeError: The source is empty, or lacks too much of what it held, or was not listed until that day.
    """
    store = Store(store_settings.url)
    if as_of:
        return _former_snapshot(source.url, store.snapshots, as_of)
    listing = look_up_source(source)
    listed, answered = listing.rows, store.processed_snapshots.last(source.url)
    former = replace(listing.facts, answered=answered)
    if is_answered(store.known_results, former):
        return former
    if adopted := adopt_former_source(source.url, listed, former.taken, store):
        log_line(adopted)
        answered = store.processed_snapshots.last(source.url)
        former = replace(former, answered=answered)
    versions = store.known_results.table_versions("snapshot")
    last, previous = store.snapshots.listings(source.url, answered)
    if not listed.num_rows:
        raise PedigreeError(describe_empty_source(source.url, previous.num_rows, former.passed_over))
    differing = altered_rows(previous, listed).num_rows
    if differing >= FEW and (
        refusal := check_vanished(source, previous["key"].to_pylist(), vanished(previous, listed))
    ):
        raise PedigreeError(refusal)
    store.claim_format()
    _take_on_trust(store.checksums)
    changed = store.snapshots.record(source.url, former.taken, listed, last)
    _note_known(store, former, changed, versions)
    return replace(former, changed=changed, altered=differing)


def _note_known(store: Store, listed: Snapshot, changed: int, versions: Mapping[str, TableVersion]) -> None:
    """Write down that this listing is the last one, unless another run may have recorded one meanwhile."""
    known = store.known_results
    now = known.table_versions("snapshot")
    if now["objects"].number == versions["objects"].number + bool(changed):
        last_change = listed.taken if changed else store.snapshots.last_change(listed.source)
        known.write("snapshot", snapshot_inputs(listed.source, listed.listing), now, {"changed": last_change})


def _take_on_trust(checksums: Checksums) -> None:
    """Write, once, the checksums that files of an earlier Pedigree lack, of what lies there now."""
    if not checksums.is_complete():
        files = checksums.complete()
        log_line(f"{count(files, 'file')} of the store had no checksum yet, got one today and are taken on trust.")


def _former_snapshot(source: str, snapshots: SnapshotStore, as_of: str) -> Snapshot:
    moment = end_of_day(as_of)
    first = snapshots.first_listed(source)
    if not first or first > moment:
        history = f"the first look was on {first[:10]}" if first else "it was never looked at"
        raise PedigreeError(f"Nothing is recorded of {source} until {as_of}: {history}.")
    return Snapshot(source, moment, len(snapshots.stored(source, moment)), 0, moment)


def end_of_day(as_of: str) -> str:
    """Convert a day, or a moment, to ISO 8601 in UTC; of a day its last moment is meant.

    Args:
        as_of: A day such as 2026-11-01, or a moment such as 2026-11-01T14:00.

    Returns:
        The moment.

    Raises:
        SettingsError: It is neither.
    """
    try:
        if len(as_of) == len("2026-11-01"):
            return datetime.combine(date.fromisoformat(as_of), time.max, UTC).isoformat()
        moment = datetime.fromisoformat(as_of)
    except ValueError:
        raise SettingsError(f"{as_of} is no date: write it as 2026-11-01 or 2026-11-01T14:00 (UTC).") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
