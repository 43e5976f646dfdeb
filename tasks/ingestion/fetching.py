"""Fetching: objects are read from a source, decoded in a sandbox, and measured, many at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain

from tasks.decoding.decoder import Decoder
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.preprocessing import Limits
from tasks.domain.images.rejections import Reason, Rejection
from tasks.domain.ingestion.source_objects import Entry
from tasks.stores.objects.object_store import ObjectChangedError, UnreadableObjectError
from tasks.stores.objects.originals import Kept

# A crash costs one batch at most. Memory must hold two: one is written while the next arrives.
_BATCH_IMAGES, _BATCH_BYTES = 1024, 64 * 2**20
# The most files that a decoder gets at once: one by one, handing over takes a fifth of all time.
_CHUNK_IMAGES, _CHUNK_BYTES = 16, 2**20

#: What became of an object: an image with what the store keeps of it, or a rejection.
Result = tuple[ImageInfo, bytes] | Rejection


@dataclass(frozen=True)
class Fetcher:
    """Reads and examines objects; any number of threads may use it.

    Attributes:
        read: Reads an object by key and ETag.
        limits: The largest and smallest files and pictures that are accepted.
        decoder: Decodes files in processes of its own.
        forgotten: Images that somebody removed for good.
        stage: Measures what threads spend on the bucket and on the decoder.
    """

    read: Callable[[str, str], Kept]
    limits: Limits
    decoder: Decoder
    forgotten: frozenset[str]
    stage: Callable[[str], AbstractContextManager[None]] = lambda _name: nullcontext()

    def examine(self, entries: Sequence[Entry]) -> list[Result]:
        """Read a few objects and decode them together.

        Args:
            entries: The objects.

        Returns:
            What became of each.
        """
        with self.stage("bucket"):
            contents = [self._read(entry) for entry in entries]
        with self.stage("decoder"):
            examined = iter(self.decoder.examine([kept.data for kept in contents if isinstance(kept, Kept)]))
            return [_with_stored(next(examined), kept) if isinstance(kept, Kept) else kept for kept in contents]

    def _read(self, entry: Entry) -> Kept | Rejection:
        if entry.size > self.limits.max_bytes:
            allowed = f"{self.limits.max_bytes:,}"
            return Rejection(Reason.TOO_MANY_BYTES, f"{entry.size:,} bytes, at most {allowed} are allowed")
        try:
            kept = self.read(entry.key, entry.etag)
        except ObjectChangedError:
            return Rejection(Reason.CHANGED, "the object changed or vanished between the listing and the fetch")
        except UnreadableObjectError as unreadable:
            return Rejection(unreadable.reason, unreadable.detail)
        if self.forgotten and sha256_of_bytes(kept.data) in self.forgotten:
            return Rejection(Reason.FORGOTTEN, "somebody removed this image for good")
        return kept


def _with_stored(examined: ImageInfo | Rejection, kept: Kept) -> Result:
    return examined if isinstance(examined, Rejection) else (examined, kept.stored)


def examine_batches(
    threads: int, examine: Callable[[Sequence[Entry]], list[Result]], pending: Iterable[Entry]
) -> Iterator[tuple[list[Entry], Iterator[Result]]]:
    """Examine objects in batches, the next one while the batch before it is stored.

    Args:
        threads: How many objects are read at once.
        examine: Examines a few objects.
        pending: The objects.

    Yields:
        Each batch with its results as they come, once the next batch has been started.
    """
    with ThreadPoolExecutor(threads) as pool:
        former: list[tuple[list[Entry], Iterator[Result]]] = []
        for batch in split_batches(pending, _BATCH_IMAGES, _BATCH_BYTES):
            # Few files are spread over all threads, so that their requests wait for the network at the same time.
            chunk_images = min(_CHUNK_IMAGES, max(1, len(batch) // threads))
            results = pool.map(examine, split_batches(batch, chunk_images, _CHUNK_BYTES))
            yield from former
            former = [(batch, chain.from_iterable(results))]
        yield from former


def split_batches(entries: Iterable[Entry], images: int, size: int = _BATCH_BYTES) -> Iterator[list[Entry]]:
    """Split objects into batches.

    Args:
        entries: The objects.
        images: The most objects of a batch.
        size: The most bytes of a batch, unless its only object has more.

    Yields:
        The batches.
    """
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
