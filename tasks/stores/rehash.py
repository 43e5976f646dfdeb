"""Hashing stored images again, in this process or on many workers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of_bytes
from tasks.engine.engine import Engine, ReportProgress
from tasks.engine.tally import Advance, StageClock, Tally
from tasks.stores.objects.originals import LostOriginalError
from tasks.stores.store import Store

# Hashing an image is so many times faster than embedding it.
_LIGHTER = 64


@dataclass(frozen=True, slots=True)
class ImageDamage:
    """A stored image that is not what its name says.

    Attributes:
        image: The image.
        unreadable: Why it cannot be read; empty where its bytes have another SHA-256.
        lost_original: Whether that is since the source no longer keeps the bytes, to which the store only refers.
    """

    image: str
    unreadable: str
    lost_original: bool = False


@dataclass(frozen=True)
class RehashTask:
    """Reads images of a store and hashes them.

    Attributes:
        store: Address of the store.
    """

    store: str

    def prepare(self) -> None:
        """Check that the store can be read here."""
        store = Store(self.store)
        store.objects.check()
        store.check_format()

    def __call__(self, images: Sequence[str], report: ReportProgress) -> list[ImageDamage]:
        """Hash images.

        Args:
            images: The images.
            report: Takes how many are hashed.

        Returns:
            Those that are damaged.
        """
        clock, damage = StageClock(report), list[ImageDamage]()
        stored = Store(self.store).images.salvage(images)
        while True:
            with clock.stage("bucket"):
                image, data = next(stored, ("", b""))
            if not image:
                return damage
            with clock.stage("hashing"):
                if isinstance(data, PedigreeError):
                    damage.append(ImageDamage(image, str(data), isinstance(data, LostOriginalError)))
                elif sha256_of_bytes(data) != image:
                    damage.append(ImageDamage(image, ""))
            clock.advance()


def rehash(engine: Engine, store: str, images: Sequence[str], advance: Advance) -> Iterator[ImageDamage]:
    """Read images of a store and hash them.

    Args:
        engine: Does the work.
        store: Address of the store.
        images: The images.
        advance: Shows how many are hashed.

    Yields:
        Those that are damaged, as they are found.
    """
    size = engine.divide(len(images), _LIGHTER)
    parts = (tuple(images[start : start + size]) for start in range(0, len(images), size))
    for _, damage in engine.map(RehashTask(store), parts, Tally(advance)):
        yield from damage
