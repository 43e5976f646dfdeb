"""A place that holds objects under keys: a folder or an S3 bucket, behind the same few methods."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from configs.errors import InaccessibleError, PedigreeError, SettingsError
from configs.visible_text import find_secret, shown
from tasks.domain.images.rejections import Reason
from tasks.domain.ingestion.source_objects import Entry, SourceFilter


class ObjectChangedError(Exception):
    """The object is not the one that was listed any more."""


class UnreadableObjectError(InaccessibleError):
    """One object cannot be read, and others can: whoever reads many passes it over with this reason and detail."""

    def __init__(self, message: str, reason: Reason = Reason.CANNOT_BE_READ, detail: str = "") -> None:
        """Say it in a sentence for whoever needs this very object, and in a few words for a rejection."""
        super().__init__(message)
        self.reason, self.detail = reason, detail


class Bucket(Protocol):
    """What Pedigree needs of a folder or a bucket; keys are relative to its address."""

    url: str
    reads_at_once: int  # So many threads that read are worth their while.

    def check(self) -> None:
        """Raise PedigreeError where the place is missing, closed to us, or does not answer."""

    def entries(self, prefix: str = "", names: SourceFilter | None = None) -> Iterator[Entry]:
        """List the objects whose keys start with the prefix, sorted by key; a source comes with what is passed over.

        Raises Problem where a part cannot be listed: what nobody saw must not look deleted. An object that the listing
        cannot tell more about is listed all the same, and reading it says why.
        """

    def read(self, key: str, etag: str | None = None) -> bytes:
        """Return an object's bytes; raise ObjectChangedError when it is gone or, with an ETag, another one than that.

        Raises UnreadableObjectError where this object alone is refused, archived or no file.
        """

    def sha256(self, key: str) -> str:
        """Hash an object a little at a time, 64 hex digits; raise Changed when it is gone, or what ``read`` raises."""

    def metadata(self, key: str, etag: str) -> Mapping[str, str]:
        """Return what its owner wrote beside an object, a folder nothing; raise what ``read`` raises."""

    def create(self, key: str, data: bytes) -> bool:
        """Write a new object whole or not at all; return False, and change nothing, when there is one already."""

    def remove(self, key: str) -> None:
        """Remove an object, if there is one; only claims, and what somebody asked to be forgotten, are."""


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
