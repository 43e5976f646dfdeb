"""A day of the inbox: how many pictures it holds already, and what they look like."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from tasks.domain.serving.inbox.choice import Candidate, count_places
from tasks.stores.inbox import Inbox

_DAY_SECONDS = 86_400
# The hashes of pictures that were kept are remembered, also those of former days.
_REMEMBERED = 10_000


@dataclass
class InboxDay:
    """What a day has kept, also what other services kept in the same inbox.

    Attributes:
        inbox: The inbox.
        per_day: The most pictures of a day.
        day: The day, such as 2026-11-29.
        earlier: What this service kept on that day.
        hashes: The perceptual hashes of all pictures that are known to be kept, by their names.
    """

    inbox: Inbox
    per_day: int
    day: str = ""
    earlier: list[Candidate] = field(default_factory=list)
    hashes: dict[str, bytes] = field(default_factory=dict)

    def count_open_places(self, moment: float) -> int:
        """Look what the inbox holds of the present day, and count the places that are open.

        Args:
            moment: The seconds since 1970.

        Returns:
            The places.

        Raises:
            PedigreeError: The inbox cannot be read.
        """
        day = datetime.fromtimestamp(moment, UTC).date().isoformat()
        if day != self.day:
            self.day, self.earlier = day, []
        pictures = self.inbox.listing(day)
        # Other services, and this one before it was started anew, have written hashes of theirs down.
        records, _ = self.inbox.read_all([picture for picture in pictures if picture.image not in self.hashes])
        self._remember({record.image: bytes.fromhex(record.phash) for record in records})
        return count_places(self.per_day, moment % _DAY_SECONDS / _DAY_SECONDS) - len(pictures)

    def add(self, candidate: Candidate, image: str) -> None:
        """Note that a picture was kept.

        Args:
            candidate: The picture.
            image: The SHA-256 of its clean copy, by which the inbox names it.
        """
        self.earlier.append(candidate)
        self._remember({image: candidate.phash})

    def _remember(self, hashes: dict[str, bytes]) -> None:
        self.hashes.update(hashes)
        for image in list(self.hashes)[: max(0, len(self.hashes) - _REMEMBERED)]:
            del self.hashes[image]
