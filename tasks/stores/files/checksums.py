"""SHA-256 of each file that a store keeps, in the name of an empty file of its own.

So one listing tells them all. They show what was damaged, exchanged or lost; whoever may write into the store may write
them too.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from tasks.domain.hashing import sha256_of_bytes
from tasks.stores.objects.object_store import ObjectChangedError, open_bucket

_FOLDER = "checksums/files/"
_COMPLETE = "checksums/complete.json"
_NAME = re.compile(rf"{_FOLDER}(.+)\.([0-9a-f]{{64}})")
# Scratch, marks without content, and what Lance keeps beside its rows: to lose them loses nothing.
_UNKEPT = re.compile(r"(checkpoints|claims|checksums)/.*|ledger/.*\.(applied|refused)|.*\.lance/(?!data/).*")
# What earlier nights wrote there is large, and each row of it is proved by itself.
_PROVED_BY_ROWS = ("images.lance/", "features/")


def create(url: str, key: str, data: bytes) -> bool:
    """Write a new file of a store and its checksum; return False, and change nothing, where there is one already."""
    written = open_bucket(url).create(key, data)
    if written:
        _keep(url, key, sha256_of_bytes(data))
    return written


def record(url: str, key: str) -> None:
    """Keep the checksum of a file of any size that was just written; raise ObjectChangedError where it is gone."""
    _keep(url, key, open_bucket(url).sha256(key))


def forget(url: str, keys: Iterable[str]) -> None:
    """Remove the checksums of files that are gone for good, or are about to be written anew."""
    bucket = open_bucket(url)
    for key in keys:
        for entry in list(bucket.entries(f"{_FOLDER}{key}.")):
            bucket.remove(entry.key)


def read_checksums(url: str, prefix: str = "") -> Mapping[str, set[str]]:
    """Map the files of a store whose names begin so to the checksums that were kept of each."""
    sums: defaultdict[str, set[str]] = defaultdict(set)
    for entry in open_bucket(url).entries(f"{_FOLDER}{prefix}"):
        if match := _NAME.fullmatch(entry.key):
            sums[match[1]].add(match[2])
    return sums


def files_with_checksum(url: str) -> list[str]:
    """Name the files of a store that have, or ought to have, a checksum."""
    return [entry.key for entry in open_bucket(url).entries() if not _UNKEPT.fullmatch(entry.key)]


def altered_files(url: str) -> Iterator[tuple[str, str]]:
    """Yield each file of a store that is gone or has another checksum than was kept, and how that shows."""
    sums, files = read_checksums(url), files_with_checksum(url)
    yield from ((key, "It is not in the store.") for key in sorted(sums.keys() - set(files)))
    for key in files:
        if key in sums and _sha256(url, key) not in sums[key]:
            yield key, "Its bytes are not those that were written."


def files_without_checksum(url: str) -> list[str]:
    """Name the files of a store that have no checksum: an earlier Pedigree wrote them, or their night died."""
    sums = read_checksums(url)
    return [key for key in files_with_checksum(url) if key not in sums and not key.startswith(_PROVED_BY_ROWS)]


def is_complete(url: str) -> bool:
    """Tell whether every file of a store got its checksum, as those of an earlier Pedigree do by the next night."""
    return any(open_bucket(url).entries(_COMPLETE))


def complete(url: str) -> int:
    """Give the files that have none a checksum of what lies there, note the day, and return how many these were."""
    keys = files_without_checksum(url)
    for key in keys:
        record(url, key)
    facts = {"taken_on_trust": keys, "since": datetime.now(UTC).date().isoformat()}
    open_bucket(url).create(_COMPLETE, json.dumps(facts, ensure_ascii=False, indent=1).encode())
    return len(keys)


def _keep(url: str, key: str, checksum: str) -> None:
    open_bucket(url).create(f"{_FOLDER}{key}.{checksum}", b"")


def _sha256(url: str, key: str) -> str:
    try:
        return open_bucket(url).sha256(key)
    except ObjectChangedError:
        return ""
