"""Originals that stay in their source: what the store keeps of one instead of its bytes, and how its bytes are read."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of_bytes
from tasks.stores.objects.object_store import Bucket, ObjectChangedError, UnreadableObjectError, open_bucket

# No photograph begins like this, so that a store may hold bytes of some images and references to others.
_MARK = b"pedigree original 1\n"


class LostOriginalError(PedigreeError):
    """A source no longer has the bytes of an image that the store refers to."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Where an image's bytes lie in a source that keeps versions.

    Attributes:
        source: Address of the source.
        key: Its key there.
        version: The id of its version.
        etag: The ETag of that version.
    """

    source: str
    key: str
    version: str
    etag: str

    def __str__(self) -> str:
        """Name the object and its version."""
        return f"{self.source.rstrip('/')}/{self.key}, version {self.version}"

    def to_bytes(self) -> bytes:
        """Return what a store keeps in place of the bytes."""
        return _MARK + json.dumps(asdict(self), ensure_ascii=False, sort_keys=True).encode()


def parse_reference(stored: bytes) -> Reference | None:
    """Return the reference that a store keeps in place of an image's bytes; None for bytes, and for what is damaged."""
    if not stored.startswith(_MARK):
        return None
    try:
        return Reference(**json.loads(stored[len(_MARK) :]))
    except (ValueError, TypeError):
        return None


def require_versions(url: str) -> None:
    """Check that a source is a bucket that keeps versions.

    Args:
        url: Its address.

    Raises:
        PedigreeError: It is a folder, or a bucket where what is written over is lost.
    """
    advice = "set store.images to copy, or"
    if not url.startswith("s3://"):
        raise PedigreeError(
            f"store.images is reference, and a folder such as {url} keeps no versions: {advice} use S3."
        )
    if not open_bucket(url).keeps_versions():
        raise PedigreeError(
            f"store.images is reference, and the bucket of {url} does not keep versions (its versioning is off or "
            f"suspended), so what is written over would be lost: {advice} switch its versioning on."
        )


@dataclass(frozen=True, slots=True)
class Kept:
    """An object that was read, and what a store keeps of it: the same bytes, or a reference to them."""

    data: bytes
    stored: bytes


def read_kept(bucket: Bucket, key: str, etag: str, *, by_reference: bool) -> Kept:
    """Read an object of a source.

    Args:
        bucket: The source.
        key: Its key.
        etag: The ETag that it must have.
        by_reference: Whether the store keeps a reference in place of the bytes.

    Returns:
        Its bytes, and what the store keeps.
    """
    if not by_reference:
        data = bucket.read(key, etag)
        return Kept(data, data)
    data, version = bucket.read_version(key, etag)
    return Kept(data, Reference(bucket.url, key, version, etag).to_bytes())


def resolve(stored: Sequence[tuple[str, bytes]]) -> Iterator[bytes | LostOriginalError]:
    """Return the bytes of images, with those that stayed in their source fetched several at a time.

    Args:
        stored: The images, each with what the store keeps of it.

    Yields:
        The bytes, or why the source does not have them; those that came from a source have the image's SHA-256.
    """
    references = [parse_reference(data) for _, data in stored]
    if not any(references):
        yield from (data for _, data in stored)
        return
    sources = {reference.source for reference in references if reference}
    buckets = {source: open_bucket(source) for source in sources}
    with ThreadPoolExecutor(min(len(stored), max(bucket.reads_at_once for bucket in buckets.values()))) as pool:
        yield from pool.map(partial(_resolve_one, buckets), stored, references)


def _resolve_one(
    buckets: dict[str, Bucket], stored: tuple[str, bytes], reference: Reference | None
) -> bytes | LostOriginalError:
    image, data = stored
    if reference is None:
        return data
    try:
        data, _ = buckets[reference.source].read_version(reference.key, reference.etag, reference.version)
    except ObjectChangedError:
        return LostOriginalError(f"The original of image {image} is gone from its source ({reference}): put it back.")
    except UnreadableObjectError as error:
        return LostOriginalError(f"The original of image {image} cannot be read: {error}")
    if sha256_of_bytes(data) != image:
        return LostOriginalError(f"The original of image {image} has another SHA-256 in its source ({reference}).")
    return data
