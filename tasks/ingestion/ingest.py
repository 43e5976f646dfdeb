"""The step that fetches new objects, decodes them in a sandbox, and stores images with their original bytes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain

from configs import schema
from configs.errors import PedigreeError
from configs.sections import Source
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.preprocessing import Limits, decoder_versions, limits_from_settings
from tasks.domain.images.rejections import Circumstances, Reason, Rejection, is_retried_every_run
from tasks.domain.ingestion.source_objects import Entry, IngestSummary, Snapshot
from tasks.domain.ingestion.triggers import FEW, check_vanished
from tasks.ingestion.decoder_pool import Decoder
from tasks.reports.prefect_ui.progress import show_progress
from tasks.step import log_line, step
from tasks.stores.objects.object_store import ObjectChangedError, UnreadableObjectError, open_bucket
from tasks.stores.objects.originals import Kept, read_kept
from tasks.stores.store import Store
from tasks.stores.tables.snapshots import SnapshotStore

# A crash costs one batch at most. Memory must hold two: one is written while the next arrives.
_BATCH_IMAGES, _BATCH_BYTES = 1024, 64 * 2**20
# The most files that a decoder gets at once: one by one, handing over takes a fifth of all time.
_CHUNK_IMAGES, _CHUNK_BYTES = 16, 2**20

_Result = tuple[ImageInfo, bytes] | Rejection


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
    fetched = _fetch(snapshot, limits_from_settings(settings.images), settings.labels.manifest, store, settings.store)
    if not snapshot.moment:
        _check_source_is_readable(snapshot, settings.source, store.snapshots)
    return replace(fetched, passed_over=snapshot.passed_over)


def _check_source_is_readable(snapshot: Snapshot, source_settings: Source, snapshots: SnapshotStore) -> None:
    """Check that not too much has become unreadable of the last answered listing, or of a first listing."""
    if snapshot.answered and snapshot.altered < FEW:
        return
    source = snapshot.source
    rejected = snapshots.rejected(source)
    if snapshot.answered:
        current, before = snapshots.located(source), snapshots.located(source, snapshot.answered)
        keys, images = {row.key for row in current}, {row.image for row in current}
        known_keys = [row.key for row in before]
        gone = [row.key for row in before if row.key not in keys and row.image not in images]
    else:
        known_keys = snapshots.keys(source)
        gone = [key for key, row in rejected.items() if row.reason in {Reason.CANNOT_BE_READ, Reason.ARCHIVED}]
    why = next((rejected[key].detail for key in gone if key in rejected), "")
    if refusal := check_vanished(source_settings, known_keys, gone, why):
        raise PedigreeError(refusal)


def _fetch(
    snapshot: Snapshot, limits: Limits, manifest: str, store: Store, store_settings: schema.Store
) -> IngestSummary:
    circumstances = _current_circumstances(limits)
    # A former day is shown as it was: what was rejected then is not examined again.
    retry_circumstances = None if snapshot.moment else circumstances
    pending = store.snapshots.pending(snapshot.source, snapshot.moment, manifest, retry_circumstances)
    if not pending:
        return IngestSummary(snapshot.source, fetched=0, new=0, rejected=0, moment=snapshot.moment)
    known_images = store.images.stored()
    new = rejected = 0
    bucket = open_bucket(snapshot.source)
    read = partial(read_kept, bucket, by_reference=store_settings.images == "reference")
    if store_settings.images == "reference":
        store.claim_references()
    with show_progress("ingest", len(pending)) as advance, Decoder(limits) as decoder:
        examine = partial(_examine, read, limits, decoder, store.tombstones.read())
        for batch, results in _examine_batches(bucket.reads_at_once, examine, pending):
            batch_results = []
            for entry, result in zip(batch, results, strict=True):
                batch_results.append((entry, result))
                advance(1)
            new += _store_results(store, snapshot.source, batch_results, known_images, circumstances)
            rejected += sum(isinstance(result, Rejection) for _, result in batch_results)
    if decoder.left_open:
        doors = " and ".join(decoder.left_open)
        log_line(
            f"this machine's kernel does not keep a decoder from {doors}: "
            "docs/explanation/hostile-files.md says what that means"
        )
    return IngestSummary(snapshot.source, len(pending), new, rejected, snapshot.moment)


def _examine(
    read: Callable[[str, str], Kept], limits: Limits, decoder: Decoder, forgotten: set[str], entries: Sequence[Entry]
) -> list[_Result]:
    contents = [_read(read, limits, forgotten, entry) for entry in entries]
    examined = iter(decoder.examine([kept.data for kept in contents if isinstance(kept, Kept)]))
    return [_with_stored(next(examined), kept) if isinstance(kept, Kept) else kept for kept in contents]


def _read(read: Callable[[str, str], Kept], limits: Limits, forgotten: set[str], entry: Entry) -> Kept | Rejection:
    if entry.size > limits.max_bytes:
        return Rejection(Reason.TOO_MANY_BYTES, f"{entry.size:,} bytes, at most {limits.max_bytes:,} are allowed")
    try:
        kept = read(entry.key, entry.etag)
    except ObjectChangedError:
        return Rejection(Reason.CHANGED, "the object changed or vanished between the listing and the fetch")
    except UnreadableObjectError as unreadable:
        return Rejection(unreadable.reason, unreadable.detail)
    if forgotten and sha256_of_bytes(kept.data) in forgotten:
        return Rejection(Reason.FORGOTTEN, "somebody removed this image for good")
    return kept


def _with_stored(examined: ImageInfo | Rejection, kept: Kept) -> _Result:
    return examined if isinstance(examined, Rejection) else (examined, kept.stored)


def _current_circumstances(limits: Limits) -> Circumstances:
    return Circumstances(
        limits.max_bytes, limits.max_pixels, limits.min_side, decoder_versions(), datetime.now(UTC).isoformat()
    )


def _store_results(
    store: Store,
    source: str,
    batch_results: list[tuple[Entry, _Result]],
    known_images: set[str],
    circumstances: Circumstances,
) -> int:
    """Write images before what points to them, so that the next run completes what a run that died left half done."""
    located = [(entry, result) for entry, result in batch_results if not isinstance(result, Rejection)]
    images = {examined.image: (examined, data) for _, (examined, data) in located}
    new = [image for name, image in images.items() if name not in known_images]
    store.images.add(new)
    known_images.update(images)
    store.snapshots.add_contents(source, [(entry, examined.image) for entry, (examined, _) in located])
    rejected = [(entry, result) for entry, result in batch_results if isinstance(result, Rejection)]
    store.snapshots.add_rejects(source, _new_rejections(store.snapshots, source, rejected), circumstances)
    return len(new)


def _new_rejections(
    snapshots: SnapshotStore, source: str, rejected: list[tuple[Entry, Rejection]]
) -> list[tuple[Entry, Rejection]]:
    """Leave out what every run finds again in the same words, so that a locked file adds no row a run."""
    tried = any(is_retried_every_run(rejection.reason) for _, rejection in rejected)
    before = snapshots.rejects(source) if tried else {}
    return [
        (entry, rejection)
        for entry, rejection in rejected
        if not (is_retried_every_run(rejection.reason) and before.get(entry.identity) == rejection)
    ]


def _examine_batches(
    threads: int, examine: Callable[[Sequence[Entry]], list[_Result]], pending: Iterable[Entry]
) -> Iterator[tuple[list[Entry], Iterator[_Result]]]:
    """Yield each batch with its results as they come, once the next batch has been started."""
    with ThreadPoolExecutor(threads) as pool:
        former: list[tuple[list[Entry], Iterator[_Result]]] = []
        for batch in _batches(pending, _BATCH_IMAGES, _BATCH_BYTES):
            # Few files are spread over all threads, so that their requests wait for the network at the same time.
            chunk_images = min(_CHUNK_IMAGES, max(1, len(batch) // threads))
            results = pool.map(examine, _batches(batch, chunk_images, _CHUNK_BYTES))
            yield from former
            former = [(batch, chain.from_iterable(results))]
        yield from former


def _batches(entries: Iterable[Entry], images: int, size: int) -> Iterator[list[Entry]]:
    """Yield batches of at most this many images and bytes, but of one image at least."""
    batch: list[Entry] = []
    room = size
    for entry in entries:
        if batch and (len(batch) == images or entry.size > room):
            yield batch
            batch, room = [], size
        batch.append(entry)
        room -= entry.size
    if batch:
        yield batch
