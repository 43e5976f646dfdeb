"""Fetching on many workers: each reads objects, decodes them in its sandbox, and writes images beside the table."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import chain
from threading import Lock

from tasks.decoding.decoder import BRIGHTNESS_EXAMINER, EXAMINER, Decoder, check_decoders
from tasks.domain.images.preprocessing import Limits, decoder_versions
from tasks.domain.images.rejections import Rejection
from tasks.domain.ingestion.source_objects import Entry
from tasks.engine.engine import ReportProgress
from tasks.engine.tally import StageClock
from tasks.ingestion.fetching import Fetcher, Result, split_batches
from tasks.stores.files.store_format import measures_brightness
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.objects.originals import read_kept
from tasks.stores.store import Store
from tasks.stores.tables.name_index import KnownKeys

#: Fetching an image is so many times faster than embedding it.
LIGHTER = 4
# Files that a decoder gets at once.
_CHUNK = 16
_lock = Lock()


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a worker made of a batch of objects.

    Attributes:
        results: For each object the image that it is, or why it is rejected.
        written: The images that the worker wrote; it left out those that the store had.
        fragments: What commits them.
        left_open: What the worker's kernel does not withhold from a decoder, in words.
    """

    results: tuple[str | Rejection, ...]
    written: frozenset[str]
    fragments: tuple[str, ...]
    left_open: tuple[str, ...]


@dataclass(frozen=True)
class IngestTask:
    """Fetches objects of a source.

    Attributes:
        store: Address of the store that gets the images.
        source: Address of the source.
        limits: The largest and smallest files and pictures that are accepted.
        by_reference: Whether the store keeps references to originals in place of bytes.
        run: Names the run, since a worker that stays asks anew in each one what the store has.
        decoders: What decodes where the run is, with versions.
    """

    store: str
    source: str
    limits: Limits
    by_reference: bool
    run: str
    decoders: str = field(default_factory=decoder_versions)

    def prepare(self) -> None:
        """Check that source and store can be reached from here, and that files are decoded as where the run is."""
        check_decoders(self.decoders)
        open_bucket(self.source).check()
        store = Store(self.store)
        store.objects.check()
        store.check_format()

    def __call__(self, batch: Sequence[Entry], report: ReportProgress) -> Ingested:
        """Fetch objects, and write those images that the store lacks.

        Args:
            batch: The objects.
            report: Takes how many are examined.

        Returns:
            What the run needs to commit them.
        """
        clock, store = StageClock(report), Store(self.store)
        decoder = _decoder(self.limits, choose_examiner(store))
        results = self._examine(self.fetcher(decoder, clock), batch, clock)
        images = {result[0].image: result for result in results if not isinstance(result, Rejection)}
        lacking = _known_images(self).lacking(images)
        new = [image for name, image in images.items() if name in lacking]
        with clock.stage("store"):
            fragments = tuple(store.images.write_fragments(new))
        names = tuple(result if isinstance(result, Rejection) else result[0].image for result in results)
        clock.advance(0)
        return Ingested(names, frozenset(info.image for info, _ in new), fragments, tuple(decoder.left_open))

    def fetcher(self, decoder: Decoder, clock: StageClock) -> Fetcher:
        """Return what reads and examines objects here.

        Args:
            decoder: Decodes files.
            clock: Measures what threads spend their time on.

        Returns:
            The fetcher.
        """
        read = partial(read_kept, open_bucket(self.source), by_reference=self.by_reference)
        return Fetcher(read, self.limits, decoder, frozenset(Store(self.store).tombstones.read()), clock.stage)

    def _examine(self, fetcher: Fetcher, batch: Sequence[Entry], clock: StageClock) -> list[Result]:
        threads = open_bucket(self.source).reads_at_once
        chunk = min(_CHUNK, max(1, len(batch) // threads))

        def examine(entries: Sequence[Entry]) -> list[Result]:
            results = fetcher.examine(entries)
            clock.advance(len(entries))
            return results

        with ThreadPoolExecutor(threads) as pool:
            return list(chain.from_iterable(pool.map(examine, split_batches(batch, chunk))))


def choose_examiner(store: Store) -> str:
    """Return the function that examines files as the images of this store were examined, as ``module:function``."""
    return BRIGHTNESS_EXAMINER if measures_brightness(store.objects) else EXAMINER


def _decoder(limits: Limits, examiner: str) -> Decoder:
    """Return the decoder that this process keeps: its processes take a second to start."""
    with _lock:
        return _kept_decoder(limits, examiner)


@lru_cache(maxsize=1)
def _kept_decoder(limits: Limits, examiner: str) -> Decoder:
    return Decoder(limits, examiner)


@lru_cache(maxsize=1)
def _known_images(task: IngestTask) -> KnownKeys:
    """Return the images that the store has when this process takes part in a run first: eight bytes for each."""
    return Store(task.store).images.known_keys()
