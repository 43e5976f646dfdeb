"""What one look at a source saw, in a line of the night's log."""

from dataclasses import dataclass

from tasks.domain.source_filter import passed_over_words
from tasks.domain.wording import count


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
