"""What of a source is passed over by its name: bins, caches and thumbnails of systems and programs, half uploads."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from typing import NamedTuple

from tasks.domain.phrasing import count

#: Names of folders that are no classes, whatever case they are written in; a dot folder is one of another program.
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
#: What a program that writes beside and then renames may leave behind when it is killed.
PARTIAL = ".partial"
#: What links are counted as that leave the source, lead nowhere, or lead to what it holds anyway.
LINKS = "links"
_NAMED = 20


class SourceFilter:
    """The names that one listing of a source passes over, and how many it has passed over by each."""

    def __init__(self, more: Sequence[str] = ()) -> None:
        """Take names of folders that are passed over beside the usual ones; ``*`` and ``?`` stand for letters."""
        patterns = [translate(name.casefold()) for name in (*SYSTEM_FOLDERS, *more)]
        self._matches = re.compile("|".join(patterns)).match
        self._counts: Counter[str] = Counter()
        self._outermost: dict[str, str] = {}

    def skips_folder(self, name: str) -> bool:
        """Tell whether a folder of this name is no class, and count it."""
        if self._matches(name.casefold()) is None:
            return False
        self._counts[name] += 1
        return True

    def skips_file(self, name: str) -> bool:
        """Tell whether a file of this name is half an upload, and count it."""
        if not name.endswith(PARTIAL):
            return False
        self._counts[f"*{PARTIAL}"] += 1
        return True

    def skips_key(self, key: str) -> bool:
        """Tell whether a key lies in such a folder or is half an upload; each folder is counted once."""
        folder, _, name = key.rpartition("/")
        if folder not in self._outermost:
            self._outermost[folder] = self._skipped_part(folder)
        return bool(self._outermost[folder]) or self.skips_file(name)

    def skip_link(self) -> None:
        """Count a link that is not followed."""
        self._counts[LINKS] += 1

    def _skipped_part(self, folder: str) -> str:
        """Return the outermost folder that is passed over, down to which this one's path leads; count it at first."""
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
        """Return how many of each name were passed over, the most frequent first; rare ones of many names together."""
        ordered = sorted(self._counts.items(), key=lambda entry: (-entry[1], entry[0]))
        rest = sum(number for _, number in ordered[_NAMED:])
        return (*ordered[:_NAMED], *([("others", rest)] if rest else []))


def passed_over_words(counts: Iterable[tuple[str, int]]) -> str:
    """Say what was passed over, such as ``2 @eaDir, 1 .Trash-1000``; nothing where nothing was."""
    return ", ".join(count(number, "link") if name == LINKS else f"{number:,} {name}" for name, number in counts)


class Entry(NamedTuple):
    """One object as a listing shows it; ``modified`` is ISO 8601 in UTC, ``version`` may be empty."""

    key: str
    etag: str
    size: int
    version: str
    modified: str

    @property
    def identity(self) -> tuple[str, str, int, str]:
        """Name the object's content as far as a listing can: what was seen under it is not fetched again."""
        return self.key, self.etag, self.size, self.version


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The source at one moment; the moment is empty where that is now.

    ``answered`` is the listing that a retraining last answered, and ``altered`` counts what of it is gone or replaced.
    """

    source: str
    taken: str
    objects: int
    changed: int
    moment: str = ""
    answered: str = ""
    altered: int = 0
    passed_over: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        """Say how many objects the source holds and how many are different from the last look."""
        if self.moment:
            return f"{count(self.objects, 'object')} in {self.source} on {self.moment[:16]} (UTC)"
        text = f"{count(self.objects, 'object')} in {self.source}, {self.changed:,} new or changed or gone"
        return text + (f"; passed over: {passed_over_words(self.passed_over)}" if self.passed_over else "")


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What became of the objects that had never been fetched before."""

    source: str
    fetched: int
    new: int
    rejected: int
    moment: str = ""
    passed_over: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        """Say what was fetched and what became of it."""
        if not self.fetched:
            return "nothing to fetch"
        return f"{count(self.fetched, 'object')} fetched: {count(self.new, 'new image')}, {self.rejected:,} rejected"
