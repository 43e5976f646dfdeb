"""Step 2: fetch what was never fetched, prove that it is a picture, and keep its original bytes."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain

from configs import schema
from tasks.decoder import Decoder
from tasks.domain.canonical import sha256_of_bytes
from tasks.domain.examination import Examined
from tasks.domain.listing import Entry
from tasks.domain.night import Ingested, Snapshot
from tasks.domain.pixels import Limits, limits_of
from tasks.domain.rejections import Reason, Rejection
from tasks.reports.progress import progress
from tasks.step import step
from tasks.stores.bucket import Bucket, Changed, open_bucket
from tasks.stores.forgotten import forgotten_images
from tasks.stores.images import ImageStore
from tasks.stores.snapshots import SnapshotStore

# One batch is what a crash can cost, and two are what memory must hold: one is written while the next arrives.
_BATCH_IMAGES, _BATCH_BYTES = 1024, 64 * 2**20

_Found = tuple[Examined, bytes] | Rejection


@step(hours=24)
def ingest(snapshot: Snapshot, settings: schema.Settings) -> Ingested:
    """Fetch the snapshot's new objects in batches; each becomes an image in the store or a rejection with a reason."""
    store = settings.store
    pending = SnapshotStore(store.url).pending(snapshot.source, snapshot.moment, settings.labels.manifest)
    if not pending:
        return Ingested(snapshot.source, fetched=0, new=0, rejected=0, moment=snapshot.moment)
    limits = limits_of(settings.images)
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
            new += _keep(store, snapshot.source, found, known)
            rejected += sum(isinstance(result, Rejection) for _, result in found)
    return Ingested(snapshot.source, len(pending), new, rejected, snapshot.moment)


def _examine(bucket: Bucket, limits: Limits, decoder: Decoder, forgotten: set[str], entry: Entry) -> _Found:
    if entry.size > limits.max_bytes:
        return Rejection(Reason.TOO_MANY_BYTES, f"{entry.size:,} bytes, at most {limits.max_bytes:,} are allowed")
    try:
        data = bucket.read(entry.key, entry.etag)
    except Changed:
        return Rejection(Reason.CHANGED, "the object changed or vanished between the listing and the fetch")
    if forgotten and sha256_of_bytes(data) in forgotten:
        return Rejection(Reason.FORGOTTEN, "somebody removed this image for good")
    examined = decoder.examine(data)
    return examined if isinstance(examined, Rejection) else (examined, data)


def _keep(store: schema.Store, source: str, found: list[tuple[Entry, _Found]], known: set[str]) -> int:
    """Write images before what points to them, so that a night that dies between the two is finished by the next."""
    located = [(entry, result) for entry, result in found if not isinstance(result, Rejection)]
    images = {examined.image: (examined, data) for _, (examined, data) in located}
    new = [one for name, one in images.items() if name not in known]
    ImageStore(store.url).add(new)
    known.update(images)
    snapshots = SnapshotStore(store.url)
    snapshots.add_contents(source, [(entry, examined.image) for entry, (examined, _) in located])
    snapshots.add_rejects(source, [(entry, result) for entry, result in found if isinstance(result, Rejection)])
    return len(new)


def _begun(
    threads: int, examine: Callable[[Entry], _Found], pending: Iterable[Entry]
) -> Iterator[tuple[list[Entry], Iterator[_Found]]]:
    """Yield each batch with its results as they come, when the batch after it has been begun."""
    with ThreadPoolExecutor(threads) as pool:
        former: list[tuple[list[Entry], Iterator[_Found]]] = []
        for batch in _batches(pending):
            # A thread takes several at a time where there are many: handing over takes as long as reading a file.
            size = max(1, len(batch) // (16 * threads))
            parts = [batch[start : start + size] for start in range(0, len(batch), size)]
            begun = batch, chain.from_iterable(pool.map(lambda part: list(map(examine, part)), parts))
            yield from former
            former = [begun]
        yield from former


def _batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == _BATCH_IMAGES or size + entry.size > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch
