"""A folder as a bucket: its files are objects, their paths below it are keys."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from configs.problems import Problem
from tasks.domain.listing import Entry
from tasks.stores.bucket import Changed

# What a killed process may leave behind: never listed, never read.
_PARTIAL = ".partial"


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
        """Raise Problem where there is no such folder or it cannot be read."""
        if not self._root.is_dir():
            message = f"There is no folder {self._root}: make it, or correct the address."
            raise Problem(message)
        if not os.access(self._root, os.R_OK | os.X_OK):
            message = f"The folder {self._root} cannot be read: give this user the right to."
            raise Problem(message)

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """List the files below the folder whose keys start with the prefix, sorted by key."""
        # Plain letters all the way: a Path for each file takes longer than asking the disk about it.
        root, found = str(self._root), []
        start = self._root / prefix.rpartition("/")[0]
        for folder, _, names in os.walk(start, followlinks=True):
            below = "" if folder == root else f"{Path(folder).relative_to(self._root).as_posix()}/"
            keys = (below + name for name in names if not name.endswith(_PARTIAL))
            found += [key for key in keys if key.startswith(prefix)]
        for key in sorted(found):
            try:
                status = os.stat(f"{root}/{key}")  # noqa: PTH116 - see above
            except FileNotFoundError:  # Gone since the folder was read, or a link to nothing.
                continue
            time = datetime.fromtimestamp(status.st_mtime, UTC).isoformat()
            yield Entry(key, _etag(status), status.st_size, "", time)

    def read(self, key: str, etag: str | None = None) -> bytes:
        """Return a file's bytes; raise Changed when it is gone, or was written to before or while it was read."""
        path = f"{self._root}/{key}"
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
                before = _etag(os.fstat(file.fileno()))
                data = file.read()
                after = _etag(os.fstat(file.fileno()))
        except (FileNotFoundError, NotADirectoryError):
            raise Changed(key) from None
        except OSError as error:
            message = f"The file {path} cannot be read ({error.strerror})."
            raise Problem(message) from error
        if etag is not None and {before, after} != {etag}:
            raise Changed(key)
        return data

    def metadata(self, key: str, etag: str) -> Mapping[str, str]:
        """Return nothing: files have no metadata of this kind; raise Changed when the file is another one."""
        path = self._root / key
        if not path.is_file() or _etag(path.stat()) != etag:
            raise Changed(key)
        return {}

    def create(self, key: str, data: bytes) -> bool:
        """Write beside, then link into place: the link fails when the name is taken, and is all or nothing."""
        path = self._root / key
        partial = path.with_name(f".{path.name}.{uuid4().hex}{_PARTIAL}")
        try:
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


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_ino:x}-{status.st_size:x}"


def _cannot_write(path: Path, error: OSError) -> Problem:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Problem(f"The disk that holds {path.parent} is full: make room and run again; nothing was half-written.")
    return Problem(f"{path} cannot be written ({error.strerror}): give this user the right to, or correct store.url.")
