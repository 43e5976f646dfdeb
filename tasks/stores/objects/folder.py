"""A folder as a bucket: its files are objects, their paths below it are keys."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from configs.errors import InaccessibleError, PedigreeError
from tasks.domain.images.rejections import Reason
from tasks.domain.ingestion.source_objects import PARTIAL, Entry, SourceFilter
from tasks.stores.objects.file_status import VANISHED, describe_file, status_etag
from tasks.stores.objects.folder_walk import UNUSABLE, files_below
from tasks.stores.objects.object_store import ObjectChangedError, UnreadableObjectError

if TYPE_CHECKING:
    import pyarrow as pa

_REASONS = {
    errno.ELOOP: Reason.NOT_A_FILE,
    errno.ENXIO: Reason.NOT_A_FILE,
    errno.ENAMETOOLONG: Reason.UNUSABLE_NAME,
}


def folder_path(url: str) -> Path:
    """Name the folder behind a path or a file:/// address."""
    return Path(unquote(urlsplit(url).path)) if url.startswith("file://") else Path(url)


class FolderBucket:
    """A folder; an object's ETag is made of its file's modification time, inode and size."""

    # A disk answers at once: more threads than cores only take Python's lock from each other.
    reads_at_once = 2

    def __init__(self, url: str) -> None:
        """Open the folder of this address; nothing is looked up yet."""
        self.url = url
        self._root = folder_path(url)

    def check(self) -> None:
        """Raise PedigreeError where there is no such folder or it cannot be read."""
        if not self._root.is_dir():
            message = f"There is no folder {self._root}: make it, or correct the address."
            raise PedigreeError(message)
        if not os.access(self._root, os.R_OK | os.X_OK):
            message = f"The folder {self._root} cannot be read: give this user the right to."
            raise InaccessibleError(message)

    def entries(self, prefix: str = "", names: SourceFilter | None = None) -> Iterator[Entry]:
        """List the files below the folder whose keys start with a prefix.

        Args:
            prefix: The prefix; empty for all files.
            names: What is passed over in a source; None in a store.

        Yields:
            The files, sorted by key.
        """
        # Paths are plain text: to make a Path for each file takes longer than to ask the disk about it.
        root, folder = str(self._root), prefix.rpartition("/")[0]
        keys = files_below(root, f"{folder}/" if folder else "", names)
        if prefix:
            keys = [key for key in keys if key.startswith(prefix)]
        keys.sort()
        for key in keys:
            entry = describe_file(root, key)
            if entry:
                yield entry

    def listing(self, prefix: str = "", names: SourceFilter | None = None) -> "pa.Table":
        """List the same files as ``entries`` in columns; a folder says most of it without each file being asked.

        Args:
            prefix: The prefix; empty for all files.
            names: What is passed over in a source; None in a store.

        Returns:
            A listing, sorted by key.
        """
        from tasks.stores.objects.folder_columns import list_columns

        return list_columns(str(self._root), prefix, names)

    def read(self, key: str, etag: str | None = None) -> bytes:
        """Read a file.

        Args:
            key: Its key.
            etag: The ETag that it must have; None for any.

        Returns:
            Its bytes.

        Raises:
            ObjectChangedError: It is gone, has another ETag, or was written to while it was read.
            UnreadableObjectError: This file alone cannot be read.
        """
        with self._opened(key, etag) as (file, size):
            data = file.read(size + 1)
        if len(data) != size:
            raise ObjectChangedError(key)
        return data

    def read_version(self, key: str, etag: str, version: str = "") -> tuple[bytes, str]:
        """Read a file, which has no versions but the one that lies there.

        Args:
            key: Its key.
            etag: The ETag that it must have.
            version: Only the empty id is there.

        Returns:
            Its bytes, and an empty id.

        Raises:
            ObjectChangedError: Another version is asked for, or as for ``read``.
        """
        if version:
            raise ObjectChangedError(key)
        return self.read(key, etag), ""

    def keeps_versions(self) -> bool:
        """Return False, since a file that is written over is gone."""
        return False

    def sha256(self, key: str) -> str:
        """Compute a file's SHA-256, a part at a time; errors are those of ``read``."""
        with self._opened(key) as (file, _):
            return hashlib.file_digest(file, "sha256").hexdigest()

    @contextmanager
    def _opened(self, key: str, etag: str | None = None) -> Iterator[tuple[BufferedReader, int]]:
        """Open a file, and check in the end that nobody has written to it.

        Args:
            key: Its key.
            etag: The ETag that it must have; None for any.

        Yields:
            The open file, and its size in bytes.

        Raises:
            ObjectChangedError: It is gone, has another ETag, or was written to while it was open.
            UnreadableObjectError: This file alone cannot be read.
        """  # noqa: DOC501 - a function builds the error
        path = f"{self._root}/{key}"
        if UNUSABLE in key:
            raise _unreadable(path, Reason.UNUSABLE_NAME, "the name is no UTF-8")
        try:
            with _regular(path) as file:
                before = os.fstat(file.fileno())
                _ask_regular(before)
                if etag not in {None, status_etag(before)}:
                    raise ObjectChangedError(key)
                yield file, before.st_size
                if status_etag(os.fstat(file.fileno())) != status_etag(before):
                    raise ObjectChangedError(key)
        except VANISHED:
            raise ObjectChangedError(key) from None
        except OSError as error:
            reason = _REASONS.get(error.errno or 0, Reason.CANNOT_BE_READ)
            raise _unreadable(path, reason, error.strerror or str(error)) from error

    def metadata(self, key: str, etag: str) -> Mapping[str, str]:
        """Return no metadata, since files have none of this kind.

        Args:
            key: Its key.
            etag: The ETag that it must have.

        Returns:
            Nothing, as an empty mapping.

        Raises:
            ObjectChangedError: The file is gone, or has another ETag.
            UnreadableObjectError: The file system does not answer about it.
        """  # noqa: DOC501 - a function builds the error
        path = self._root / key
        try:
            same = path.is_file() and status_etag(path.stat()) == etag
        except OSError as error:
            raise _unreadable(str(path), Reason.CANNOT_BE_READ, error.strerror or str(error)) from error
        if not same:
            raise ObjectChangedError(key)
        return {}

    def create(self, key: str, data: bytes) -> bool:
        """Write a new file whole, and link it into place, which fails if the name is taken.

        Args:
            key: Its key.
            data: Its bytes.

        Returns:
            False where there is a file of this key already, which stays as it is.

        Raises:
            PedigreeError: The disk is full, or the folder cannot be written.
        """  # noqa: DOC501 - a function builds the error
        path = self._root / key
        partial = path.with_name(f".{path.name}.{uuid4().hex}{PARTIAL}")
        try:
            if not self._root.exists():
                # A store is for its owner alone, unless its folder has been created with other rights.
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.link(partial, path)
        except FileExistsError:
            return False
        except OSError as error:
            raise _cannot_write(path, error) from error
        finally:
            with suppress(OSError):
                partial.unlink()
        return True

    def remove(self, key: str) -> None:
        """Remove a file, if there is one."""
        path = self._root / key
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _cannot_write(path, error) from error


def _regular(path: str) -> BufferedReader:
    """Open a regular file; a pipe or a device is not opened, since that alone may block or have an effect."""
    _ask_regular(os.stat(path))  # noqa: PTH116 - as above
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY), "rb")


def _ask_regular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.ENXIO, "it is a pipe, a socket or a device")


def _unreadable(path: str, reason: Reason, detail: str) -> UnreadableObjectError:
    return UnreadableObjectError(f"The file {path} cannot be read ({detail}).", reason, detail)


def _cannot_write(path: Path, error: OSError) -> PedigreeError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PedigreeError(
            f"The disk that holds {path.parent} is full: make room and run again; nothing was half-written."
        )
    return PedigreeError(
        f"{path} cannot be written ({error.strerror}): give this user the right to, or correct store.url."
    )
