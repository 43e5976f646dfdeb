"""The objects of a source: what one listing shows, which names it passes over, and what snapshot and ingest report."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import NamedTuple

from tasks.domain.phrasing import count

#: Patterns of folder names that are never classes, compared without regard to case: recycle bins, caches, thumbnails
#: and hidden folders of systems and programs.
SYSTEM_FOLDERS = (
    ".[!.]*",
    "..?*",
    "$Recycle.Bin",
    "Recycler",
    "Recycled",
    "System Volume Information",
    "found.[0-9][0-9][0-9]",
    "lost+found",
    "@eaDir",
    "@Recycle",
    "@Recently-Snapshot",
    "@tmp",
    "#recycle",
    "#snapshot",
    "__MACOSX",
    "__pycache__",
    "Network Trash Folder",
    "Temporary Items",
    "*.lrdata",
)
#: The ending of an incomplete upload, by a program that writes to a temporary name and then renames.
PARTIAL = ".partial"
#: The name under which links are counted that leave the source, lead nowhere, or lead to what it holds anyway.
LINKS = "links"
_MAX_COUNTS = 20


class SourceFilter:
    """Decides which names one listing of a source passes over, and counts them by name."""

    def __init__(self, more: Sequence[str] = ()) -> None:
        """Take additional patterns of folder names to pass over; ``*`` and ``?`` are wildcards."""
        patterns = [translate(name.casefold()) for name in (*SYSTEM_FOLDERS, *more)]
        self._matches = re.compile("|".join(patterns)).match
        self._counts: Counter[str] = Counter()
        self._outermost: dict[str, str] = {}

    def skips_folder(self, name: str) -> bool:
        """Check whether a folder of this name is passed over, and count it if so."""
        if self._matches(name.casefold()) is None:
            return False
        self._counts[name] += 1
        return True

    def skips_file(self, name: str) -> bool:
        """Check whether a file of this name is an incomplete upload, and count it if so."""
        if not name.endswith(PARTIAL):
            return False
        self._counts[f"*{PARTIAL}"] += 1
        return True

    def skips_key(self, key: str) -> bool:
        """Check whether a key lies in such a folder or is an incomplete upload; each folder is counted once."""
        folder, _, name = key.rpartition("/")
        if folder not in self._outermost:
            self._outermost[folder] = self._skipped_part(folder)
        return bool(self._outermost[folder]) or self.skips_file(name)

    def skip_link(self) -> None:
        """Count a link that is not followed."""
        self._counts[LINKS] += 1

    def _skipped_part(self, folder: str) -> str:
        """Return the outermost passed-over folder on the path to this one, or ""; it is counted when first seen."""
        parts = folder.split("/")
        for depth, name in enumerate(parts, start=1):
            outer = "/".join(parts[:depth])
            if self._outermost.get(outer):
                return outer
            if self.skips_folder(name):
                self._outermost[outer] = outer
                return outer
        return ""

    def counts(self) -> tuple[tuple[str, int], ...]:
        """Return how many of each name were passed over, most frequent first; beyond twenty names as "others"."""
        ordered = sorted(self._counts.items(), key=lambda entry: (-entry[1], entry[0]))
        rest = sum(number for _, number in ordered[_MAX_COUNTS:])
        return (*ordered[:_MAX_COUNTS], *([("others", rest)] if rest else []))


def describe_passed_over(counts: Iterable[tuple[str, int]]) -> str:
    """Format what was passed over, such as ``2 @eaDir, 1 .Trash-1000``; "" where nothing was."""
    return ", ".join(count(number, "link") if name == LINKS else f"{number:,} {name}" for name, number in counts)


class Entry(NamedTuple):
    """One object as a listing shows it.

    Attributes:
        key: The path below the source.
        etag: What stands for its content, such as a hash or, for a folder, size and time.
        size: In bytes.
        version: The version of a versioned bucket; may be empty.
        modified: When it was written, in ISO 8601 and UTC.
    """

    key: str
    etag: str
    size: int
    version: str
    modified: str

    @property
    def identity(self) -> tuple[str, str, int, str]:
        """Return what identifies the content in a listing; an object with a known identity is not fetched again."""
        return self.key, self.etag, self.size, self.version

    @property
    def content(self) -> tuple[str, int]:
        """Return what two objects with the same bytes have in common: etag and size."""
        return self.etag, self.size


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The source at one moment.

    Attributes:
        source: The address of the source.
        taken: When it was listed, in ISO 8601; this names the listing in the store.
        objects: How many objects the source holds.
        changed: How many of them are new, changed or gone since the last listing.
        moment: The past moment that was asked for, in ISO 8601; empty for now.
        answered: The listing that a retraining last answered, by its ``taken``.
        altered: How many objects of that listing are gone or replaced.
        passed_over: How many objects of each name were passed over.
        inventory: When the inventory was begun that told the objects, in ISO 8601; empty where they were listed.
        listing: The hash of what was listed; empty for a past moment.
    """

    source: str
    taken: str
    objects: int
    changed: int
    moment: str = ""
    answered: str = ""
    altered: int = 0
    passed_over: tuple[tuple[str, int], ...] = ()
    inventory: str = ""
    listing: str = ""

    def __str__(self) -> str:
        """Say how many objects the source holds and how many differ from the last listing."""
        if self.moment:
            return f"{count(self.objects, 'object')} in {self.source} on {self.moment[:16]} (UTC)"
        text = f"{count(self.objects, 'object')} in {self.source}, {self.changed:,} new or changed or gone"
        text += f"; {describe_inventory(self.inventory)}" if self.inventory else ""
        return text + (f"; passed over: {describe_passed_over(self.passed_over)}" if self.passed_over else "")


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What became of the objects that had never been fetched before.

    Attributes:
        source: The address of the source.
        fetched: How many objects were fetched.
        new: How many of them are images that the store did not hold.
        rejected: How many of them were rejected.
        moment: The past moment that was asked for, in ISO 8601; empty for now.
        passed_over: How many objects of each name were passed over.
        listing: The hash of what was listed; empty for a past moment.
        inventory: When the inventory was begun that told the objects, in ISO 8601; empty where they were listed.
    """

    source: str
    fetched: int
    new: int
    rejected: int
    moment: str = ""
    passed_over: tuple[tuple[str, int], ...] = ()
    listing: str = ""
    inventory: str = ""

    def __str__(self) -> str:
        """Say what was fetched and what became of it."""
        if not self.fetched:
            return "nothing to fetch"
        return f"{count(self.fetched, 'object')} fetched: {count(self.new, 'new image')}, {self.rejected:,} rejected"


def describe_inventory(begun: str) -> str:
    """Say which inventory told the photographs, by when it was begun, in ISO 8601; empty where they were listed."""
    return f"told by the inventory of {begun[:16]} (UTC), newer photographs come with the next one" if begun else ""
