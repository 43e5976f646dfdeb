"""What a listing says of one file: its ETag, which is made of its status, and its time."""

import os
from datetime import UTC, datetime

from tasks.domain.ingestion.source_objects import Entry
from tasks.stores.objects.folder_walk import UNUSABLE, unlisted

#: What a path raises whose file or folder is gone.
VANISHED = (FileNotFoundError, NotADirectoryError)
# The ETag of what cannot even be asked for its size.
_UNKNOWN = "unknown"
_EARLIEST, _LATEST = "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"


def describe_file(root: str, key: str) -> Entry | None:
    """Describe a file; return None where it is gone since the listing, and only its key where nothing else is known.

    Args:
        root: The folder that keys are counted from.
        key: The file's key.

    Returns:
        The entry.

    Raises:
        PedigreeError: The folder that it lies in may not be entered.
    """  # noqa: DOC501 - a function builds the error
    path = f"{root}/{key}"
    if UNUSABLE in key:
        return Entry(key, _UNKNOWN, 0, "", format_time(0))
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path for each file takes longer than asking the disk about it
    except VANISHED:
        return None
    except PermissionError as error:
        raise unlisted(path.rpartition("/")[0], error) from error
    except OSError:
        return Entry(key, _UNKNOWN, 0, "", format_time(0))
    return Entry(key, status_etag(status), status.st_size, "", format_time(status.st_mtime))


def format_time(seconds: float) -> str:
    """Write a file's time in ISO 8601 and UTC, the nearest that can be written where it is in no year that can."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):  # A file may say that it is from the year 30,000.
        return _LATEST if seconds > 0 else _EARLIEST


def make_etag(nanoseconds: int, inode: int, size: int) -> str:
    """Make a file's ETag.

    Args:
        nanoseconds: When it was written, in nanoseconds.
        inode: Its inode.
        size: Its size in bytes.

    Returns:
        The ETag.
    """
    return f"{nanoseconds:x}-{inode:x}-{size:x}"


def status_etag(status: os.stat_result) -> str:
    """Make the ETag of a file with this status."""
    return make_etag(status.st_mtime_ns, status.st_ino, status.st_size)
