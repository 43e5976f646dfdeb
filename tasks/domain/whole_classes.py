"""Classes that moved as a whole: renamed, merged into another, or split with most photographs kept."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

# A class moved as a whole where at least this share of its photographs has gone the same way.
_WHOLE = 0.9
# A class that was split goes on under its own name where it kept at least this share of its photographs.
_KEPT = 0.5


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What two versions' classes have in common, however they are called.

    Attributes:
        former: A class that is gone, and the class that its photographs are in today.
        finer: A new class, and the class that its photographs came from, under its name of today.
        merged: Those of ``former`` that went into a class with other photographs; the others were only renamed.
    """

    former: Mapping[str, str] = field(default_factory=dict)
    finer: Mapping[str, str] = field(default_factory=dict)
    merged: tuple[str, ...] = ()

    def of_former(self, label: str) -> str:
        """Name a class of the former version as the common vocabulary does."""
        return self.former.get(label, label)

    def of_today(self, label: str) -> str:
        """Name a class of today's version as the common vocabulary does."""
        return self.finer.get(label, label)

    def sentences(self) -> tuple[str, ...]:
        """Say which classes were renamed, merged and split."""
        gone = (
            f"{before} was merged into {after}" if before in self.merged else f"{before} was renamed {after}"
            for before, after in sorted(self.former.items())
        )
        return (*gone, *(f"{after} was split from {before}" for after, before in sorted(self.finer.items())))


def whole_classes(before: Mapping[str, str], after: Mapping[str, str]) -> Vocabulary:
    """Find the classes that moved as a whole between two versions.

    Args:
        before: The label of each image of the former version, also of those that are gone.
        after: The label of each image of today's version.

    Returns:
        The common vocabulary. A class that is gone counts as renamed or merged where nine tenths of its photographs are
        in a single other class; a new class as split off where nine tenths of those that it has from before came from a
        single class, which is gone too or kept at least half of its photographs.
    """
    sizes, flows = Counter(before.values()), Counter((label, after[i]) for i, label in before.items() if i in after)
    old, new = set(sizes), set(after.values())
    former = {label: goal for label in old - new if (goal := _goal(label, flows)) and _whole(label, goal, sizes, flows)}
    finer = {label: source for label in new - old - {*former.values()} if (source := _source(label, flows))}
    kept = {
        label: former.get(source, source)
        for label, source in finer.items()
        if source not in new or flows[source, source] >= _KEPT * sizes[source]
    }
    shared = Counter(former.values())
    merged = tuple(sorted(label for label, goal in former.items() if goal in old or shared[goal] > 1))
    return Vocabulary(former, kept, merged)


def _goal(label: str, flows: Counter[tuple[str, str]]) -> str:
    goals = sorted(((images, goal) for (source, goal), images in flows.items() if source == label), reverse=True)
    return goals[0][1] if goals else ""


def _whole(label: str, goal: str, sizes: Counter[str], flows: Counter[tuple[str, str]]) -> bool:
    return flows[label, goal] >= _WHOLE * sizes[label]


def _source(label: str, flows: Counter[tuple[str, str]]) -> str:
    """Name the class that nearly all photographs of a new class came from, if there is a single one."""
    came = {source: images for (source, goal), images in flows.items() if goal == label}
    largest = max(came, key=came.__getitem__, default="")
    return largest if largest and came[largest] >= _WHOLE * sum(came.values()) else ""
