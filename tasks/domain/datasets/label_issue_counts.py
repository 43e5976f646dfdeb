"""How many labels of each class are probably wrong: a sentence for people, and a figure for the gate."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.domain.phrasing import count

# Of correctly labelled images at most this share is named, so that only more than it says something about a class.
_CLEAN = 0.02
# The chance that any class of a collection without errors is pointed out.
_CHANCE = 0.01
# So many classes are named in a sentence.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class ClassIssues:
    """The images of one class whose label could be judged.

    Attributes:
        label: The class.
        doubted: How many of their labels are probably wrong.
        images: How many there are.
        like: The class that most of the doubted look like; empty where there is none.
    """

    label: str
    doubted: int
    images: int
    like: str = ""

    @property
    def share(self) -> float:
        """Give the share of labels that are probably wrong, between 0 and 1."""
        return self.doubted / self.images

    def __str__(self) -> str:
        """Count them."""
        return f"{self.doubted:,} of {self.images:,} in {self.label}"


@dataclass(frozen=True, slots=True)
class LabelIssues:
    """The classes whose labels could be judged; without any, ``unknown`` says why."""

    classes: tuple[ClassIssues, ...] = ()
    unknown: str = "unknown, since no features were at hand when the data were inspected"

    def counted(self) -> str:
        """Count the doubted labels by class, most first; nothing where no label is doubted."""
        doubted = sorted(
            (issues for issues in self.classes if issues.doubted), key=lambda issues: (-issues.doubted, issues.label)
        )
        return _first([str(issues) for issues in doubted])

    def sentences(self) -> tuple[str, ...]:
        """Point out the classes of which more labels are doubted than chance explains, the largest share first."""
        many = sorted(self._beyond_chance(), key=lambda issues: (-issues.share, issues.label))
        if not many:
            return ()
        return (f"probably wrong labels: {_first([f'{issues} (most look like {issues.like})' for issues in many])}",)

    def _beyond_chance(self) -> Sequence[ClassIssues]:
        doubted = [issues for issues in self.classes if issues.share > _CLEAN]
        if not doubted:
            return ()
        from scipy.stats import binom

        chances = binom.sf([issues.doubted - 1 for issues in doubted], [issues.images for issues in doubted], _CLEAN)
        return [
            issues for issues, chance in zip(doubted, chances, strict=True) if chance * len(self.classes) <= _CHANCE
        ]


def _first(words: Sequence[str]) -> str:
    more = len(words) - _NAMED
    return ", ".join(words[:_NAMED]) + (f" and {count(more, 'more class', 'more classes')}" if more > 0 else "")
