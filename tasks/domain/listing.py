"""The source's listing."""

from typing import NamedTuple


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
