"""Folders and S3 buckets behind the same few methods: both hold objects under keys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from configs.errors import InaccessibleError, PedigreeError, SettingsError
from configs.sections import Source
from configs.visible_text import find_secret, shown
from tasks.domain.images.rejections import Reason
from tasks.domain.ingestion.source_objects import Entry, SourceFilter

if TYPE_CHECKING:
    import pyarrow as pa


class ObjectChangedError(Exception):
    """The object is gone, or is not the one that was listed."""


class UnreadableObjectError(InaccessibleError):
    """One object cannot be read while others can; who reads many rejects it with this reason and detail."""

    def __init__(self, message: str, reason: Reason = Reason.CANNOT_BE_READ, detail: str = "") -> None:
        """Create the error.

        Args:
            message: The whole sentence, for who needs this very object.
            reason: The reason of a rejection.
            detail: A few words for a rejection.
        """
        super().__init__(message)
        self.reason, self.detail = reason, detail


class Bucket(Protocol):
    """What Pedigree needs of a folder or a bucket; keys are relative to its address."""

    url: str
    reads_at_once: int  # The number of reading threads that pays.

    def check(self) -> None:
        """Raise PedigreeError where the folder or bucket is missing, closed to us, or does not answer."""

    def entries(self, prefix: str = "", names: SourceFilter | None = None) -> Iterator[Entry]:
        """List the objects whose keys start with a prefix.

        Args:
            prefix: The prefix; empty for all objects.
            names: What is passed over in a source; None in a store.

        Returns:
            The objects, sorted by key; also those of which only the key is known, where reading says why.

        Raises:
            PedigreeError: A part cannot be listed; what nobody saw must not look deleted.
        """

    def listing(self, prefix: str = "", names: SourceFilter | None = None) -> "pa.Table":
        """List the same objects as ``entries`` in columns, which takes a fraction of its work and memory.

        Args:
            prefix: The prefix; empty for all objects.
            names: What is passed over in a source; None in a store.

        Returns:
            A listing (``LISTING``), sorted by key.

        Raises:
            PedigreeError: A part cannot be listed.
        """

    def read(self, key: str, etag: str | None = None) -> bytes:
        """Read an object.

        Args:
            key: Its key.
            etag: The ETag that it must have; None for any.

        Returns:
            Its bytes.

        Raises:
            ObjectChangedError: It is gone, or has another ETag.
            UnreadableObjectError: This object alone is refused, archived or no file.
        """

    def read_version(self, key: str, etag: str, version: str = "") -> tuple[bytes, str]:
        """Read one version of an object; errors are those of ``read``, also where that version is gone.

        Args:
            key: Its key.
            etag: The ETag that it must have.
            version: The id of the version; empty for the newest.

        Returns:
            Its bytes, and the id of its version.
        """

    def keeps_versions(self) -> bool:
        """Check whether what is written over or removed stays readable; a folder keeps nothing."""

    def sha256(self, key: str) -> str:
        """Compute an object's SHA-256, 64 hex digits, a part at a time; errors are those of ``read``."""

    def metadata(self, key: str, etag: str) -> Mapping[str, str]:
        """Read an object's metadata; errors are those of ``read``.

        Args:
            key: Its key.
            etag: The ETag that it must have.

        Returns:
            The metadata by lower-case name; empty in a folder.
        """

    def create(self, key: str, data: bytes) -> bool:
        """Write a new object, whole or not at all.

        Args:
            key: Its key.
            data: Its bytes.

        Returns:
            False where there is an object of this key already, which stays as it is.
        """

    def remove(self, key: str) -> None:
        """Remove an object, if there is one."""


def open_bucket(url: str) -> Bucket:
    """Open a folder (a path or file:///…) or a bucket (s3://bucket/prefix), whose address holds no secret."""
    if belongs := find_secret(url):
        raise SettingsError(f"An address holds a password, a key or a token: leave it out, and {belongs}.")
    if url.startswith("s3://"):
        from tasks.stores.objects.s3 import S3Bucket

        return S3Bucket(url)
    from tasks.stores.objects.folder import FolderBucket

    if "://" in url and not url.startswith("file://"):
        message = f"{shown(url)} is no place that Pedigree can open: use a path, file:///… or s3://bucket/prefix."
        raise SettingsError(message)
    return FolderBucket(url)


def read_url(url: str) -> bytes:
    """Return the bytes of one file, named by a path, file:///… or s3://bucket/key."""
    parent, _, name = url.rpartition("/")
    try:
        return open_bucket(parent).read(name)
    except ObjectChangedError:
        message = f"There is no file {url}: correct the address."
        raise PedigreeError(message) from None


@dataclass(frozen=True, slots=True)
class SourceListing:
    """The objects of a source in columns, and when the inventory was begun that tells them; empty where none does."""

    rows: "pa.Table"
    inventory: str = ""


def list_source(source: Source, names: SourceFilter) -> SourceListing:
    """List a source, or read its inventory.

    Args:
        source: The settings of the source.
        names: What is passed over.

    Returns:
        The listing, sorted by key.
    """
    if source.listing == "inventory":
        from tasks.stores.objects.inventory import read_inventory

        oldest = timedelta(days=source.inventory_days)
        return SourceListing(*read_inventory(source.inventory, source.url, oldest, names))
    return SourceListing(open_bucket(source.url).listing(names=names))
