"""Checksums: the SHA-256 of each file that a store keeps, in the name of an empty file of its own.

One listing therefore reads them all. They show what was damaged, exchanged or lost; whoever may write into the store
may write them too.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from tasks.domain.hashing import sha256_of_bytes
from tasks.stores.objects.object_store import Bucket, ObjectChangedError

_FOLDER = "checksums/files/"
_COMPLETE = "checksums/complete.json"
_NAME = re.compile(rf"{_FOLDER}(.+)\.([0-9a-f]{{64}})")
# Temporary files, marks without content, and Lance's own files beside its rows: losing them loses nothing.
_UNKEPT = re.compile(r"(checkpoints|claims|checksums|known)/.*|ledger/.*\.(applied|refused)|.*\.lance/(?!data/).*")
# Earlier runs wrote large files there, and each of their rows has a checksum of its own.
_PROVED_BY_ROWS = ("images.lance/", "features/")


@dataclass(frozen=True)
class Checksums:
    """The checksums of a store's files, and the way to write a file together with its own."""

    objects: Bucket

    def create(self, key: str, data: bytes) -> bool:
        """Write a new file and its checksum.

        Args:
            key: The file's path in the store.
            data: The whole content.

        Returns:
            False where there is such a file already, which stays as it is.
        """
        written = self.objects.create(key, data)
        if written:
            self.keep(key, sha256_of_bytes(data))
        return written

    def record(self, key: str) -> None:
        """Write the checksum of a file of any size that was just written; raise ObjectChangedError where it is gone."""
        self.keep(key, self.objects.sha256(key))

    def keep(self, key: str, checksum: str) -> None:
        """Write a checksum that is known already.

        Args:
            key: The file's path in the store.
            checksum: Its SHA-256, 64 hex digits.
        """
        self.objects.create(f"{_FOLDER}{key}.{checksum}", b"")

    def forget(self, keys: Iterable[str]) -> None:
        """Remove the checksums of files that are gone for good, or are about to be written anew."""
        for key in keys:
            for entry in list(self.objects.entries(f"{_FOLDER}{key}.")):
                self.objects.remove(entry.key)

    def read(self, prefix: str = "") -> Mapping[str, set[str]]:
        """Return the checksums of each file whose key starts with the prefix; two writers may have left two."""
        sums: defaultdict[str, set[str]] = defaultdict(set)
        for entry in self.objects.entries(f"{_FOLDER}{prefix}"):
            if match := _NAME.fullmatch(entry.key):
                sums[match[1]].add(match[2])
        return sums

    def files(self) -> list[str]:
        """List the files of the store that have, or ought to have, a checksum."""
        return [entry.key for entry in self.objects.entries() if not _UNKEPT.fullmatch(entry.key)]

    def altered_files(self) -> Iterator[tuple[str, str]]:
        """Yield each file that is gone or has another checksum than was written, and how that shows."""
        sums, files = self.read(), self.files()
        for key in sorted(sums.keys() - set(files)):
            if self._is_kept(key):
                yield key, "It is not in the store."
        for key in files:
            if key in sums and self._sha256(key) not in sums[key] and self._is_kept(key):
                yield key, "Its bytes are not those that were written."

    def files_without(self) -> list[str]:
        """List the files that have no checksum: an earlier Pedigree wrote them, or their run died."""
        sums = self.read()
        return [key for key in self.files() if key not in sums and not key.startswith(_PROVED_BY_ROWS)]

    def is_complete(self) -> bool:
        """Check whether every file got its checksum, as those of an earlier Pedigree do in the next run."""
        return any(self.objects.entries(_COMPLETE))

    def complete(self) -> int:
        """Write the checksums that are missing, of what lies there now, with the day; return how many these were."""
        keys = self.files_without()
        for key in keys:
            self.record(key)
        facts = {"taken_on_trust": keys, "since": datetime.now(UTC).date().isoformat()}
        self.objects.create(_COMPLETE, json.dumps(facts, ensure_ascii=False, indent=1).encode())
        return len(keys)

    def _is_kept(self, key: str) -> bool:
        """Check that a file still has a checksum: a run may have swept it since, which forgets that first."""
        return bool(self.read(f"{key}."))

    def _sha256(self, key: str) -> str:
        try:
            return self.objects.sha256(key)
        except ObjectChangedError:
            return ""
