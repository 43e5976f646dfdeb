"""The step that fetches new objects, decodes them in a sandbox, and stores images with their original bytes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from configs import schema
from configs.errors import PedigreeError
from configs.sections import Source
from tasks.decoding.decoder import Decoder
from tasks.domain.images.preprocessing import Limits, decoder_versions, limits_from_settings
from tasks.domain.images.rejections import Circumstances, Reason
from tasks.domain.ingestion.source_objects import Entry, IngestSummary, Snapshot
from tasks.domain.ingestion.triggers import FEW, check_vanished
from tasks.engine.engine import Engine, open_engine
from tasks.engine.tally import Advance, Tally, local_clock
from tasks.ingestion.fetching import examine_batches, split_batches
from tasks.ingestion.ingest_results import Results
from tasks.ingestion.ingest_task import LIGHTER, IngestTask, choose_examiner
from tasks.reports.prefect_ui.progress import show_progress
from tasks.step import log_line, step
from tasks.stores.files.known_results import TableVersion
from tasks.stores.files.known_steps import fetch_inputs, is_fetched
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tasks.stores.tables.listings import listing_hash
from tasks.stores.tables.snapshots import SnapshotStore


@step(hours=24)
def ingest(snapshot: Snapshot, settings: schema.Settings) -> IngestSummary:
    """Fetch the snapshot's new objects in batches; each becomes an image in the store or a rejection with a reason.

    Args:
        snapshot: The listing of the source.
        settings: All of them: source, labels, images and store each say something here.

    Returns:
        How many objects were fetched, and how many became images or were rejected.

    Raises:
        PedigreeError: So much of what the source held is no photograph any more that a person must look first.
    """
    store = Store(settings.store.url)
    fetched = IngestSummary(snapshot.source, fetched=0, new=0, rejected=0, moment=snapshot.moment)
    if not is_fetched(store.known_results, snapshot, settings):
        versions = store.known_results.table_versions("ingest")
        fetched = _fetch(snapshot, settings, store)
        if not (fetched.fetched or snapshot.moment):
            _note_fetched(snapshot, settings, store, versions)
    if not snapshot.moment:
        _check_source_is_readable(snapshot, settings.source, store.snapshots)
    fetched = replace(fetched, passed_over=snapshot.passed_over)
    return replace(fetched, listing=snapshot.listing, inventory=snapshot.inventory)


def _note_fetched(
    snapshot: Snapshot, settings: schema.Settings, store: Store, versions: Mapping[str, TableVersion]
) -> None:
    """Write down that nothing of the listing is to be fetched, as long as no reason for a rejection passes by itself.

    Args:
        snapshot: The listing.
        settings: All of them.
        store: Where it is written down.
        versions: The versions of the tables before they were read.
    """
    known, source = store.known_results, snapshot.source
    same = listing_hash(store.snapshots.listing(source)) == snapshot.listing
    if same and versions == known.table_versions("ingest") and not store.snapshots.is_retried_in_time(source):
        known.write("ingest", fetch_inputs(snapshot, settings), versions, {"pending": 0})


def _check_source_is_readable(snapshot: Snapshot, source_settings: Source, snapshots: SnapshotStore) -> None:
    """Check that not too much has become unreadable of the last answered listing, or of a first listing."""
    if snapshot.answered and snapshot.altered < FEW:
        return
    source = snapshot.source
    rejected = snapshots.rejected(source)
    if snapshot.answered:
        current, before = snapshots.located(source), snapshots.located(source, snapshot.answered)
        lost = before.join(current.select(["key"]), "key", join_type="left anti")
        gone = sorted(lost.join(current.select(["image"]), "image", join_type="left anti")["key"].to_pylist())
        known_keys = before["key"].to_pylist()
    else:
        known_keys = snapshots.keys(source)
        gone = [key for key, row in rejected.items() if row.reason in {Reason.CANNOT_BE_READ, Reason.ARCHIVED}]
    why = next((rejected[key].detail for key in gone if key in rejected), "")
    if refusal := check_vanished(source_settings, known_keys, gone, why):
        raise PedigreeError(refusal)


def _fetch(snapshot: Snapshot, settings: schema.Settings, store: Store) -> IngestSummary:
    limits, manifest = limits_from_settings(settings.images), settings.labels.manifest
    circumstances = _current_circumstances(limits)
    # A former day is shown as it was: what was rejected then is not examined again.
    retry_circumstances = None if snapshot.moment else circumstances
    pending = store.snapshots.pending(snapshot.source, snapshot.moment, manifest, retry_circumstances)
    if not pending:
        return IngestSummary(snapshot.source, fetched=0, new=0, rejected=0, moment=snapshot.moment)
    by_reference = settings.store.images == "reference"
    if by_reference:
        store.claim_references()
    task = IngestTask(store.url, snapshot.source, limits, by_reference, uuid4().hex)
    engine = open_engine(settings.scale, log_line)
    results = Results(store, snapshot.source, circumstances)
    with show_progress("ingest", len(pending), dashboard=engine.dashboard) as advance:
        if engine.remote:
            left_open = _fetch_elsewhere(engine, task, pending, results, advance)
        else:
            left_open = _fetch_here(task, pending, results, advance)
    if left_open:
        doors = " and ".join(left_open)
        log_line(
            f"this machine's kernel does not keep a decoder from {doors}: "
            "docs/explanation/hostile-files.md says what that means"
        )
    return IngestSummary(snapshot.source, len(pending), results.new, results.rejected, snapshot.moment)


def _fetch_here(task: IngestTask, pending: Collection[Entry], results: Results, advance: Advance) -> Sequence[str]:
    """Fetch in this process, in batches that each cost one commit; return what the kernel leaves open to a decoder."""
    clock, bucket = local_clock(advance), open_bucket(task.source)
    with Decoder(task.limits, choose_examiner(results.store)) as decoder:
        fetcher = task.fetcher(decoder, clock)
        for batch, examined in examine_batches(bucket.reads_at_once, fetcher.examine, pending):
            batch_results = []
            for entry, result in zip(batch, examined, strict=True):
                batch_results.append((entry, result))
                clock.advance()
            results.store_batch(batch_results)
        return decoder.left_open


def _fetch_elsewhere(
    engine: Engine, task: IngestTask, pending: Collection[Entry], results: Results, advance: Advance
) -> Sequence[str]:
    """Have workers fetch, and commit what they write now and then; return what their kernels leave open."""
    left_open: dict[str, None] = {}
    waiting: Collection[Entry] = pending
    while waiting:
        batches = split_batches(waiting, engine.divide(len(waiting), LIGHTER))
        try:
            for batch, ingested in engine.map(task, batches, Tally(advance)):
                left_open |= dict.fromkeys(ingested.left_open)
                results.add(batch, ingested)
        finally:
            results.commit()
        waiting, results.again, advance = results.again, [], _counted_already
        # Workers ask anew what the store has.
        task = replace(task, run=uuid4().hex)
    return list(left_open)


def _counted_already(_more: int, _seconds: Mapping[str, float] | None = None, /) -> None:
    """Take what is done again and was shown before."""


def _current_circumstances(limits: Limits) -> Circumstances:
    return Circumstances(
        limits.max_bytes, limits.max_pixels, limits.min_side, decoder_versions(), datetime.now(UTC).isoformat()
    )
