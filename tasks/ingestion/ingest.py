"""Step 2: fetch what was never fetched, prove that it is a picture, and keep its original bytes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain

from configs import schema
from configs.errors import Problem
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.image_info import Examined
from tasks.domain.images.preprocessing import Limits, decoders, limits_of
from tasks.domain.images.rejections import Circumstances, Reason, Rejection, is_tried_every_time
from tasks.domain.ingestion.source_objects import Entry, Ingested, Snapshot
from tasks.domain.ingestion.triggers import FEW, objection
from tasks.ingestion.decoder_pool import Decoder
from tasks.reports.prefect_ui.progress import progress
from tasks.step import say, step
from tasks.stores.files.tombstones import forgotten_images
from tasks.stores.objects.object_store import Bucket, Changed, Unreadable, open_bucket
from tasks.stores.tables.images import ImageStore
from tasks.stores.tables.snapshots import SnapshotStore

# One batch is what a crash can cost, and two are what memory must hold: one is written while the next arrives.
_BATCH_IMAGES, _BATCH_BYTES = 1024, 64 * 2**20
# So many files at most are handed to a decoder at once: one by one, handing over takes a fifth of all time.
_TOGETHER, _TOGETHER_BYTES = 16, 2**20

_Found = tuple[Examined, bytes] | Rejection


@step(hours=24)
def ingest(snapshot: Snapshot, settings: schema.Settings) -> Ingested:
    """Fetch the snapshot's new objects in batches; each becomes an image in the store or a rejection with a reason.

    Raises:
        Problem: So much of what the source held is no photograph any more that a person must look first.
    """
    ingested = replace(_fetched(snapshot, settings), passed_over=snapshot.passed_over)
    if not snapshot.moment:
        _see_that_most_is_here(snapshot, settings)
    return ingested


def _see_that_most_is_here(snapshot: Snapshot, settings: schema.Settings) -> None:
    """Ask where too many photographs of the listing answered last, or objects of the first one, cannot be read now."""
    if snapshot.answered and snapshot.altered < FEW:
        return
    source, snapshots = snapshot.source, SnapshotStore(settings.store.url)
    rejected = snapshots.rejected(source)
    if snapshot.answered:
        now, before = snapshots.located(source), snapshots.located(source, snapshot.answered)
        keys, images = {one.key for one in now}, {one.image for one in now}
        known = [one.key for one in before]
        gone = [one.key for one in before if one.key not in keys and one.image not in images]
    else:
        known = snapshots.keys(source)
        gone = [key for key, one in rejected.items() if one.reason in {Reason.CANNOT_BE_READ, Reason.ARCHIVED}]
    why = next((rejected[key].detail for key in gone if key in rejected), "")
    if refusal := objection(settings.source, known, gone, why):
        raise Problem(refusal)


def _fetched(snapshot: Snapshot, settings: schema.Settings) -> Ingested:
    store = settings.store
    limits = limits_of(settings.images)
    now = _today(limits)
    # A former day is shown as it was: nothing that was rejected is examined again for it.
    again = None if snapshot.moment else now
    pending = SnapshotStore(store.url).pending(snapshot.source, snapshot.moment, settings.labels.manifest, again)
    if not pending:
        return Ingested(snapshot.source, fetched=0, new=0, rejected=0, moment=snapshot.moment)
    known = ImageStore(store.url).known()
    new = rejected = 0
    bucket = open_bucket(snapshot.source)
    with progress("ingest", len(pending)) as advance, Decoder(limits) as decoder:
        examine = partial(_examine, bucket, limits, decoder, forgotten_images(store.url))
        for batch, results in _begun(bucket.reads_at_once, examine, pending):
            found = []
            for entry, result in zip(batch, results, strict=True):
                found.append((entry, result))
                advance(1)
            new += _keep(store, snapshot.source, found, known, now)
            rejected += sum(isinstance(result, Rejection) for _, result in found)
    if decoder.left_open:
        doors = " and ".join(decoder.left_open)
        say(f"this machine's kernel does not keep a decoder from {doors}: docs/rejections.md says what that means")
    return Ingested(snapshot.source, len(pending), new, rejected, snapshot.moment)


def _examine(
    bucket: Bucket, limits: Limits, decoder: Decoder, forgotten: set[str], entries: Sequence[Entry]
) -> list[_Found]:
    read = [_read(bucket, limits, forgotten, entry) for entry in entries]
    examined = iter(decoder.examine([data for data in read if isinstance(data, bytes)]))
    return [_with_bytes(next(examined), data) if isinstance(data, bytes) else data for data in read]


def _read(bucket: Bucket, limits: Limits, forgotten: set[str], entry: Entry) -> bytes | Rejection:
    if entry.size > limits.max_bytes:
        return Rejection(Reason.TOO_MANY_BYTES, f"{entry.size:,} bytes, at most {limits.max_bytes:,} are allowed")
    try:
        data = bucket.read(entry.key, entry.etag)
    except Changed:
        return Rejection(Reason.CHANGED, "the object changed or vanished between the listing and the fetch")
    except Unreadable as unreadable:
        return Rejection(unreadable.reason, unreadable.detail)
    if forgotten and sha256_of_bytes(data) in forgotten:
        return Rejection(Reason.FORGOTTEN, "somebody removed this image for good")
    return data


def _with_bytes(examined: Examined | Rejection, data: bytes) -> _Found:
    return examined if isinstance(examined, Rejection) else (examined, data)


def _today(limits: Limits) -> Circumstances:
    return Circumstances(
        limits.max_bytes, limits.max_pixels, limits.min_side, decoders(), datetime.now(UTC).isoformat()
    )


def _keep(
    store: schema.Store, source: str, found: list[tuple[Entry, _Found]], known: set[str], now: Circumstances
) -> int:
    """Write images before what points to them, so that a night that dies between the two is finished by the next."""
    located = [(entry, result) for entry, result in found if not isinstance(result, Rejection)]
    images = {examined.image: (examined, data) for _, (examined, data) in located}
    new = [one for name, one in images.items() if name not in known]
    ImageStore(store.url).add(new)
    known.update(images)
    snapshots = SnapshotStore(store.url)
    snapshots.add_contents(source, [(entry, examined.image) for entry, (examined, _) in located])
    rejected = [(entry, result) for entry, result in found if isinstance(result, Rejection)]
    snapshots.add_rejects(source, _news(snapshots, source, rejected), now)
    return len(new)


def _news(
    snapshots: SnapshotStore, source: str, rejected: list[tuple[Entry, Rejection]]
) -> list[tuple[Entry, Rejection]]:
    """Leave out what each run finds again in the same words, so that a locked file does not add a row a night."""
    tried = any(is_tried_every_time(why.reason) for _, why in rejected)
    before = snapshots.rejects(source) if tried else {}
    return [
        (entry, why)
        for entry, why in rejected
        if not (is_tried_every_time(why.reason) and before.get(entry.identity) == why)
    ]


def _begun(
    threads: int, examine: Callable[[Sequence[Entry]], list[_Found]], pending: Iterable[Entry]
) -> Iterator[tuple[list[Entry], Iterator[_Found]]]:
    """Yield each batch with its results as they come, when the batch after it has been begun."""
    with ThreadPoolExecutor(threads) as pool:
        former: list[tuple[list[Entry], Iterator[_Found]]] = []
        for batch in _batches(pending, _BATCH_IMAGES, _BATCH_BYTES):
            # Few files are shared out among the threads, whose requests wait for the network all at once.
            together = min(_TOGETHER, max(1, len(batch) // threads))
            found = pool.map(examine, _batches(batch, together, _TOGETHER_BYTES))
            yield from former
            former = [(batch, chain.from_iterable(found))]
        yield from former


def _batches(entries: Iterable[Entry], images: int, size: int) -> Iterator[list[Entry]]:
    """Cut into batches of so many images and so many bytes at most, but of one image at least."""
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
