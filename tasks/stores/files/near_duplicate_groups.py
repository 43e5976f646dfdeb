"""Near-duplicate groups that former runs found, kept so that only what is new is compared."""

import re
from dataclasses import dataclass

import pyarrow as pa

from configs.errors import InaccessibleError, PedigreeError, ServiceUnavailableError
from tasks.domain.images.near_duplicates import METHOD
from tasks.stores.files.checksums import Checksums
from tasks.stores.files.parquet_tables import TableKeys, base_of, read_table, write_table
from tasks.stores.objects.object_store import Bucket

#: The image, what its perceptual hash comes to in 64 bits, and its group's name; none where it is alone.
GROUPED = pa.schema([("image", pa.string()), ("hash", pa.uint64()), ("group", pa.string())])
_NUMBERED = re.compile(r"(\d{9})(?:\.changes)?\.parquet")


@dataclass(frozen=True)
class NearDuplicateGroups:
    """The files ``near-duplicates/<method>-<bits>/<number>.parquet``; the highest number counts.

    They are made of the perceptual hashes alone: where none can be read, all images are grouped again.
    """

    objects: Bucket
    checksums: Checksums

    def read(self, bits: int) -> pa.Table | None:
        """Return the images that were grouped last, sorted by name.

        Args:
            bits: The setting dataset.near_duplicate_bits that they were grouped with.

        Returns:
            A table as ``GROUPED`` says; None where there is none that can be read.

        Raises:
            InaccessibleError: This user may not read the store.
            ServiceUnavailableError: The server does not answer.
        """
        for number in sorted(self._numbers(bits), reverse=True):
            try:
                return read_table(self.objects, _keys(bits, number), GROUPED)
            except (ServiceUnavailableError, InaccessibleError):
                raise
            except PedigreeError:
                continue
        return None

    def write(self, bits: int, grouped: pa.Table) -> None:
        """Write the images that are grouped now, and remove what is not needed any more.

        Args:
            bits: The setting that they were grouped with.
            grouped: A table as ``GROUPED`` says, sorted by image.
        """
        last = max(self._numbers(bits), default=0)
        keys = _keys(bits, last + 1)
        write_table(self.checksums, keys, grouped, _keys(bits, last) if last else None)
        needed = {keys.whole, keys.changes, base_of(self.objects, keys)}
        for entry in list(self.objects.entries(_folder(bits))):
            if entry.key not in needed and self._number(entry.key) <= last:
                self.checksums.forget([entry.key])
                self.objects.remove(entry.key)

    def _numbers(self, bits: int) -> set[int]:
        return {self._number(entry.key) for entry in self.objects.entries(_folder(bits))} - {0}

    def _number(self, key: str) -> int:
        match = _NUMBERED.fullmatch(key.rpartition("/")[2])
        return int(match[1]) if match else 0


def _folder(bits: int) -> str:
    return f"near-duplicates/{METHOD}-{bits:03}/"


def _keys(bits: int, number: int) -> TableKeys:
    return TableKeys(f"{_folder(bits)}{number:09}.parquet", f"{_folder(bits)}{number:09}.changes.parquet")
