"""Known results: what steps of former runs found, taken again where nothing that they depend on has changed."""

import json
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from configs.environment import code_hash, lock_hash
from tasks.domain.hashing import sha256_of
from tasks.domain.runs.known_inputs import TABLES, Inputs
from tasks.stores.files.store_clock import age
from tasks.stores.objects.object_store import Bucket, ObjectChangedError

# Each change to photographs, settings or code leaves a file that nobody asks for again.
_KEPT = timedelta(days=7)
_VERSION = re.compile(r"_versions/(\d+)\.manifest")
# Lance counts down from here in the names of versions, so that a listing shows the newest first.
_LARGEST = 2**64 - 1


class TableVersion(NamedTuple):
    """A version of a table.

    Attributes:
        number: It rises by one with every change.
        etag: The ETag of the file that describes it, which differs where a store was replaced by another.
    """

    number: int
    etag: str


@dataclass(frozen=True)
class KnownResults:
    """The files ``known/<step>/<hash>.json``: scratch, which costs time only where it is lost or damaged."""

    objects: Bucket

    def table_versions(self, step: str) -> Mapping[str, TableVersion]:
        """Return the newest version of each table that a step reads; it rises with every change to a row.

        Args:
            step: The step's name.

        Returns:
            The versions by table.
        """
        return {name: table_version(self.objects, name) for name in TABLES[step]}

    def read(self, step: str, inputs: Inputs) -> Mapping[str, Any] | None:
        """Return what a step found from these inputs, from its tables as they are now, by this very code.

        Args:
            step: The step's name.
            inputs: What the step depends on besides code and tables.

        Returns:
            The result, as JSON; None where it is not known.
        """
        return self._read(_key(step, inputs, self.table_versions(step)))

    def write(self, step: str, inputs: Inputs, versions: Mapping[str, TableVersion], result: Mapping[str, Any]) -> None:
        """Write down what a step found.

        Args:
            step: The step's name.
            inputs: What the step depends on besides code and tables.
            versions: The versions of its tables when they were read.
            result: What was found, as JSON.
        """
        key = _key(step, inputs, versions)
        data = json.dumps({"result": result, "sha256": sha256_of(result)}, ensure_ascii=False, indent=1).encode()
        # A damaged file would be found anew in each run.
        if not self.objects.create(key, data) and self._read(key) is None:
            self.objects.remove(key)
            self.objects.create(key, data)

    def sweep(self, now: datetime) -> None:
        """Remove what was found more than a week ago: whatever of it still holds is found anew, once.

        Args:
            now: The store's time.
        """
        for entry in list(self.objects.entries("known/")):
            if age(entry.modified, now) > _KEPT:
                self.objects.remove(entry.key)

    def _read(self, key: str) -> Mapping[str, Any] | None:
        # Whatever is wrong with a file, the step can find everything anew.
        with suppress(ObjectChangedError, ValueError, KeyError, TypeError):
            stored = json.loads(self.objects.read(key))
            result: Mapping[str, Any] = stored["result"]
            if sha256_of(result) == stored["sha256"]:
                return result
        return None


def table_version(objects: Bucket, name: str) -> TableVersion:
    """Return the newest version of a Lance table, without Lance and without reading a row.

    Args:
        objects: The store's files.
        name: The table's name.

    Returns:
        The version; number zero for a table that nobody has written yet.
    """
    folder, newest = f"{name}.lance/", TableVersion(0, "")
    for entry in objects.entries(f"{folder}_versions/"):
        if match := _VERSION.fullmatch(entry.key.removeprefix(folder)):
            number = int(match[1])
            newest = max(newest, TableVersion(_LARGEST - number if number > _LARGEST // 2 else number, entry.etag))
    return newest


def _key(step: str, inputs: Inputs, versions: Mapping[str, TableVersion]) -> str:
    # Unlike a commit, these tell two states of a checkout with changes apart, and work without git.
    code = [code_hash(), lock_hash(), sys.version]
    return f"known/{step}/{sha256_of({'code': code, 'tables': dict(versions), 'inputs': dict(inputs)})}.json"
