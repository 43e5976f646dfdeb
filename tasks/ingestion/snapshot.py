"""Step 1: list the source, and keep what is different from the last look."""

from datetime import UTC, date, datetime, time

from configs import schema
from configs.errors import PedigreeError, SettingsError
from configs.sections import Source
from tasks.domain.ingestion.source_objects import Snapshot, SourceFilter, describe_passed_over
from tasks.domain.ingestion.triggers import FEW, check_vanished
from tasks.domain.phrasing import count
from tasks.step import log_line, step
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tasks.stores.tables.listings import altered_rows, in_columns, vanished
from tasks.stores.tables.snapshots import SnapshotStore


@step(hours=2)
def snapshot(source: Source, store: schema.Store, as_of: str = "") -> Snapshot:
    """List the source and record the changes, or take the last listing of a former day.

    Raises:
        Problem: The source holds nothing at all, or too little of what it held, or was not looked at until that day.
    """
    if as_of:
        return _former_snapshot(source.url, Store(store.url).snapshots, as_of)
    taken = datetime.now(UTC).isoformat()
    names = SourceFilter(source.pass_over)
    listed = in_columns(open_bucket(source.url).entries(names=names))
    snapshots, answered = Store(store.url).snapshots, Store(store.url).processed_snapshots.last(source.url)
    last, previous = snapshots.listings(source.url, answered)
    if not listed.num_rows:
        raise _empty_source(source.url, previous.num_rows, names)
    differing = altered_rows(previous, listed).num_rows
    if differing >= FEW and (
        refusal := check_vanished(source, previous["key"].to_pylist(), vanished(previous, listed))
    ):
        raise PedigreeError(refusal)
    Store(store.url).claim_format()
    _take_on_trust(store.url)
    changed = snapshots.record(source.url, taken, listed, last)
    return Snapshot(
        source.url,
        taken,
        listed.num_rows,
        changed,
        answered=answered,
        altered=differing,
        passed_over=names.counts(),
    )


def _empty_source(source: str, held: int, names: SourceFilter) -> PedigreeError:
    """Say that nothing is there, and what to do: an empty folder that held photographs is hardly meant."""
    passed = describe_passed_over(names.counts())
    but = f", but for what is passed over ({passed})" if passed else ""
    if held:
        return PedigreeError(
            f"The source {source} is empty{but}, and held {count(held, 'object')} before: nothing was learned. Look "
            "whether the disk is mounted and the address is right."
        )
    return PedigreeError(f"The source {source} is empty{but}: put photographs into it, one folder a class.")


def _take_on_trust(store: str) -> None:
    """Give what an earlier Pedigree wrote its checksums, once."""
    if not Store(store).checksums.is_complete():
        files = Store(store).checksums.complete()
        log_line(f"{count(files, 'file')} of the store had no checksum yet, got one today and are taken on trust.")


def _former_snapshot(source: str, snapshots: SnapshotStore, as_of: str) -> Snapshot:
    moment = _end_of_day(as_of)
    first = snapshots.first_listed(source)
    if not first or first > moment:
        history = f"the first look was on {first[:10]}" if first else "it was never looked at"
        raise PedigreeError(f"Nothing is recorded of {source} until {as_of}: {history}.")
    return Snapshot(source, moment, len(snapshots.stored(source, moment)), 0, moment)


def _end_of_day(as_of: str) -> str:
    """Turn a day, or a moment, into ISO 8601 in UTC; a day lasts until its end."""
    try:
        if len(as_of) == len("2026-11-01"):
            return datetime.combine(date.fromisoformat(as_of), time.max, UTC).isoformat()
        moment = datetime.fromisoformat(as_of)
    except ValueError:
        raise SettingsError(f"{as_of} is no date: write it as 2026-11-01 or 2026-11-01T14:00 (UTC).") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
