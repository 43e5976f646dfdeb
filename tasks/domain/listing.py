"""The source's listing, and how one differs from the next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Entry:
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
class Change:
    """An entry that appeared or was replaced (present), or that is gone (not present)."""

    entry: Entry
    present: bool


def changes(known: Mapping[str, Entry], listed: Iterable[Entry]) -> list[Change]:
    """List what turns the known entries into the listed ones: gone keys by name, then new and replaced ones.

    One that was written again with the same content counts too: its metadata may be other.
    """
    now = {entry.key: entry for entry in listed}
    gone = [Change(known[key], present=False) for key in sorted(known.keys() - now.keys())]
    came = [Change(entry, present=True) for key, entry in sorted(now.items()) if known.get(key) != entry]
    return gone + came


def replay(history: Iterable[Change]) -> dict[str, Entry]:
    """Apply changes in order: the entries that the last of them left, by key."""
    entries: dict[str, Entry] = {}
    for change in history:
        if change.present:
            entries[change.entry.key] = change.entry
        else:
            entries.pop(change.entry.key, None)
    return entries
