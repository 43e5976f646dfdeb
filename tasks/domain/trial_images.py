"""Which photographs a trial of fine-tuning learns from, and which it is judged by."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from configs.problems import Problem
from tasks.domain.manifest import Row
from tasks.domain.splits import Split
from tasks.domain.wording import count

if TYPE_CHECKING:
    from configs.schema import Settings

# With fewer photographs of a class nothing is learned of it; fewer validation images tell nothing apart.
_LEAST_OF_A_CLASS, _LEAST_JUDGED = 5, 30
# So many validation images are looked at: what bounds the time on a large data set.
_MOST_JUDGED = 1000
#: The near-duplicate group of an image; one that no group is known of is its own.
Groups = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TrialImages:
    """What a trial learns from, and what it is judged by: images of the same classes."""

    learned: Sequence[Row]
    judged: Sequence[Row]

    @property
    def classes(self) -> list[str]:
        """Name the classes, sorted."""
        return sorted({row.label for row in self.learned})


def trial_images(rows: Sequence[Row], groups: Groups, settings: "Settings") -> TrialImages:
    """Choose a class-balanced sample of the training images, and the validation images that judge what it teaches.

    Never a test image: the test split decides between models, and whoever chose a method by it would promise too much
    of it. Groups of near duplicates stay whole.

    Args:
        rows: A dataset version.
        groups: The near-duplicate group of each image.
        settings: How large the sample is, and where fine-tuning begins.

    Returns:
        Both sets of images.

    Raises:
        Problem: Where a trial could say nothing.
    """
    if settings.learns_behind_the_cut:
        block, cut = settings.fine_tuning.from_block, settings.backbone.cut
        raise Problem(f"fine_tuning.from_block is {block}, behind backbone.cut {cut}: set an earlier one")
    train = [row for row in rows if row.split is Split.TRAIN]
    classes, most = {row.label for row in train}, settings.fine_tuning.trial
    if most < _LEAST_OF_A_CLASS * len(classes):
        least = _LEAST_OF_A_CLASS * len(classes)
        raise Problem(
            f"fine_tuning.trial is {most:,}, too few for {len(classes):,} classes: set it to {least:,} or more"
        )
    validation = [row for row in rows if row.split is Split.VALIDATION and row.label in classes]
    judged = _whole_groups(validation, groups, settings.training.seed)[:_MOST_JUDGED]
    if len(judged) < _LEAST_JUDGED:
        raise Problem(f"the validation split holds {count(len(judged), 'image')}, too few to tell: {_LEAST_JUDGED} can")
    return TrialImages(balanced_sample(train, groups, most, settings.training.seed), judged)


def balanced_sample(rows: Sequence[Row], groups: Groups, most: int, seed: int) -> list[Row]:
    """Take whole groups until there are ``most`` images; the next one is always of the class that has fewest so far."""
    members: defaultdict[str, list[Row]] = defaultdict(list)
    for row in _whole_groups(rows, groups, seed):
        members[groups.get(row.image, row.image)].append(row)
    waiting: defaultdict[str, list[list[Row]]] = defaultdict(list)
    for group in reversed(members.values()):
        waiting[group[0].label].append(group)
    taken, counts = list[Row](), Counter(dict.fromkeys(waiting, 0))
    while waiting:
        label = min(waiting, key=lambda label: (counts[label], label))
        group = waiting[label].pop()
        if len(taken) + len(group) <= most:
            taken += group
            counts.update(row.label for row in group)
        if not waiting[label]:
            del waiting[label]
    return taken


def _whole_groups(rows: Sequence[Row], groups: Groups, seed: int) -> list[Row]:
    """Put the groups in an order that the seed decides, the images of each beside each other."""

    def place(row: Row) -> tuple[bytes, str]:
        group = groups.get(row.image, row.image)
        return sha256(f"{seed} {group}".encode()).digest(), row.image

    return sorted(rows, key=place)
