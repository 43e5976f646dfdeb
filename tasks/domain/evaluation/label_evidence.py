"""What the champion, and a head that never saw the moved photographs, say of their old labels and their new ones."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.label_changes import ClassChange, Moved, Relabelling
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.significance import mcnemar

# Of a class with fewer photographs that nobody moved the head has no word.
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class Testimony:
    """Of how many near-duplicate groups the old label is the likelier one, and of how many the new one."""

    old: int = 0
    new: int = 0

    @property
    def for_new(self) -> float:
        """Give the p value of so many groups for the new labels, if both were as likely (the exact binomial test)."""
        return float(mcnemar(np.array(self.new), np.array(self.old)))

    @property
    def for_old(self) -> float:
        """Give the p value of so many groups for the old labels, if both were as likely (the exact binomial test)."""
        return float(mcnemar(np.array(self.old), np.array(self.new)))


@dataclass(frozen=True, slots=True)
class Word:
    """What a witness takes a photograph for, and how likely it finds its old and its new label."""

    answer: str
    old: float
    new: float


@dataclass(frozen=True, slots=True)
class Witnessed:
    """One class and direction, with what both witnesses say of the photographs that moved that way."""

    change: ClassChange
    head: Testimony
    champion: Testimony


@dataclass(frozen=True, slots=True)
class Fall:
    """Both models' recall of a class on the test images that had its label when the champion was judged, or are new."""

    label: str
    images: int
    challenger: float
    champion: float

    @property
    def points(self) -> float:
        """Tell by how much the challenger is behind."""
        return self.champion - self.challenger


@dataclass(frozen=True, slots=True)
class LabelEvidence:
    """What moved, and what speaks for the old labels and for the new ones.

    Attributes:
        relabelling: The movement itself.
        classes: Each class and direction of it with both testimonies.
        head: The head's word on each moved photograph, in their order; None where it knows one of the classes too
            little. It learned from photographs that nobody moved and that are no near duplicates of moved ones.
        champion: The champion's word; only on test images, since it has learned the old labels of the others.
        falls: The classes that the challenger recognises less often by their former labels, the largest fall first.
    """

    relabelling: Relabelling
    classes: tuple[Witnessed, ...] = ()
    head: tuple[Word | None, ...] = ()
    champion: tuple[Word | None, ...] = ()
    falls: tuple[Fall, ...] = ()

    def first(self, most: int) -> "LabelEvidence":
        """Keep the first of the moved photographs, and of what was said of them."""
        found = replace(self.relabelling, moved=self.relabelling.moved[:most])
        return replace(self, relabelling=found, head=self.head[:most], champion=self.champion[:most])

    def pooled(self, classes: Sequence[Witnessed]) -> Testimony:
        """Put together what the head says of all photographs that moved in some of these ways."""
        ways = {(one.change.label, one.change.direction) for one in classes}
        moved = [one for one in self.relabelling.moved if (one.before, "lost") in ways or (one.after, "gained") in ways]
        said = {one.image: word for one, word in zip(self.relabelling.moved, self.head, strict=True)}
        return _testimony(moved, said)


def label_evidence(
    found: Relabelling,
    head: Mapping[str, Word | None],
    champion: Mapping[str, Word | None],
    falls: Sequence[Fall] = (),
) -> LabelEvidence:
    """Put together, by class and direction, what both witnesses say of each moved image."""
    classes = tuple(
        Witnessed(change, _testimony(_of(found.moved, change), head), _testimony(_of(found.moved, change), champion))
        for change in found.changes
    )
    ours, theirs = (tuple(witness.get(one.image) for one in found.moved) for witness in (head, champion))
    return LabelEvidence(found, classes, ours, theirs, tuple(falls))


def falls_of(labels: Sequence[str], challenger: Sequence[str], champion: Sequence[str]) -> list[Fall]:
    """Compare both models' answers with the former labels of the same images, class by class."""
    truth, ours, theirs = (np.array(some) for some in (labels, challenger, champion))
    falls = [
        Fall(label, int(own.sum()), float((ours[own] == label).mean()), float((theirs[own] == label).mean()))
        for label in sorted(set(labels))
        if (own := truth == label).any()
    ]
    return sorted((one for one in falls if one.points > 0), key=lambda one: -one.points)


def head_words(
    found: Relabelling,
    features: NDArray[np.float32],
    labels: Sequence[str],
    groups: Sequence[str],
    images: Sequence[str],
) -> dict[str, Word | None]:
    """Ask a head that learned from nothing that moved.

    Args:
        found: What moved.
        features: Features of all images of today's version, few enough for a linear discriminant: (n_images, width).
        labels: Their labels in the common vocabulary.
        groups: Their near-duplicate groups.
        images: Their names.
    """
    moved = {one.image: one for one in found.moved}
    tainted = {one.group for one in found.moved}
    clean = np.array([group not in tainted for group in groups], bool)
    sizes = Counter(label for label, kept in zip(labels, clean, strict=True) if kept)
    known = {label for label, number in sizes.items() if number >= _FEWEST}
    learned = clean & np.array([label in known for label in labels], bool)
    asked = np.array([image in moved for image in images], bool)
    if len(known) < 2 or not asked.any():  # noqa: PLR2004 - a head tells two classes apart
        return {}
    names = [image for image, chosen in zip(images, asked, strict=True) if chosen]
    return words([moved[name] for name in names], _discriminant(features, labels, learned, asked))


def champion_words(found: Relabelling, images: Sequence[str], said: Predictions) -> dict[str, Word | None]:
    """Read what the champion says of the moved test images; its answers are about ``images``, in their order."""
    moved = {one.image: one for one in found.moved if one.split == Split.TEST.value}
    asked = np.array([image in moved for image in images], bool)
    return words([moved[image] for image in images if image in moved], said.of(asked))


def words(moved: Sequence[Moved], said: Predictions) -> dict[str, Word | None]:
    """Take from a witness's probabilities what it says of each image; of a class that it does not know, nothing."""
    place = {label: number for number, label in enumerate(said.classes)}
    return {
        one.image: Word(answer, float(row[place[one.before]]), float(row[place[one.after]]))
        if one.before in place and one.after in place
        else None
        for one, answer, row in zip(moved, said.labels(), said.probabilities, strict=True)
    }


def _discriminant(
    features: NDArray[np.float32], labels: Sequence[str], learned: NDArray[np.bool_], asked: NDArray[np.bool_]
) -> Predictions:
    """Fit a linear discriminant to some rows and ask it of others, all classes as likely beforehand."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    classes, truth = np.unique(np.array(labels)[learned], return_inverse=True)
    model = LinearDiscriminantAnalysis(
        solver="lsqr", shrinkage="auto", priors=np.full(len(classes), 1 / len(classes))
    ).fit(features[learned], truth)
    return Predictions(tuple(map(str, classes)), model.predict_proba(features[asked]).astype(np.float64))


def _of(moved: Sequence[Moved], change: ClassChange) -> list[Moved]:
    return [one for one in moved if (one.before if change.direction == "lost" else one.after) == change.label]


def _testimony(moved: Sequence[Moved], witness: Mapping[str, Word | None]) -> Testimony:
    """Count near-duplicate groups by the label that most of their images speak for."""
    votes: defaultdict[str, float] = defaultdict(float)
    for one in moved:
        word = witness.get(one.image)
        if word:
            votes[one.group] += float(np.sign(word.new - word.old))
    return Testimony(sum(vote < 0 for vote in votes.values()), sum(vote > 0 for vote in votes.values()))
