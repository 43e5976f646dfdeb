"""The source's listing."""

from dataclasses import dataclass
from typing import NamedTuple

from tasks.domain.ingestion.source_filter import passed_over_words
from tasks.domain.phrasing import count


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
