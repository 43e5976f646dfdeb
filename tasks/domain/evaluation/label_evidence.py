"""What the champion, and a head that never saw the moved photographs, say of their old labels and their new ones."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.label_changes import ClassChange, RelabelledImage, Relabelling
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.significance import mcnemar

# Of a class with fewer photographs that nobody moved the head has no word.
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class LabelVotes:
    """Of how many near-duplicate groups the old label is the likelier one, and of how many the new one."""

    old: int = 0
    new: int = 0

    @property
    def p_value_for_new(self) -> float:
        """Give the p value of so many groups for the new labels, if both were as likely (the exact binomial test)."""
        return float(mcnemar(np.array(self.new), np.array(self.old)))

    @property
    def p_value_for_old(self) -> float:
        """Give the p value of so many groups for the old labels, if both were as likely (the exact binomial test)."""
        return float(mcnemar(np.array(self.old), np.array(self.new)))


@dataclass(frozen=True, slots=True)
class LabelPrediction:
    """What a witness takes a photograph for, and how likely it finds its old and its new label."""

    answer: str
    old: float
    new: float


@dataclass(frozen=True, slots=True)
class ClassEvidence:
    """One class and direction, with what both witnesses say of the photographs that moved that way."""

    change: ClassChange
    head: LabelVotes
    champion: LabelVotes


@dataclass(frozen=True, slots=True)
class RecallDrop:
    """Both models' recall of a class on the test images that had its label when the champion was judged, or are new."""

    label: str
    images: int
    challenger: float
    champion: float

    @property
    def drop(self) -> float:
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
    classes: tuple[ClassEvidence, ...] = ()
    head: tuple[LabelPrediction | None, ...] = ()
    champion: tuple[LabelPrediction | None, ...] = ()
    falls: tuple[RecallDrop, ...] = ()

    def truncate(self, most: int) -> "LabelEvidence":
        """Keep the first of the moved photographs, and of what was said of them."""
        relabelling = replace(self.relabelling, moved=self.relabelling.moved[:most])
        return replace(self, relabelling=relabelling, head=self.head[:most], champion=self.champion[:most])

    def pool_votes(self, classes: Sequence[ClassEvidence]) -> LabelVotes:
        """Put together what the head says of all photographs that moved in some of these ways."""
        ways = {(evidence.change.label, evidence.change.direction) for evidence in classes}
        moved = [
            photograph
            for photograph in self.relabelling.moved
            if (photograph.before, "lost") in ways or (photograph.after, "gained") in ways
        ]
        predictions = {
            photograph.image: prediction
            for photograph, prediction in zip(self.relabelling.moved, self.head, strict=True)
        }
        return _count_votes(moved, predictions)


def collect_label_evidence(
    relabelling: Relabelling,
    head: Mapping[str, LabelPrediction | None],
    champion: Mapping[str, LabelPrediction | None],
    falls: Sequence[RecallDrop] = (),
) -> LabelEvidence:
    """Put together, by class and direction, what both witnesses say of each moved image."""
    classes = tuple(
        ClassEvidence(
            change,
            _count_votes(_select_moved(relabelling.moved, change), head),
            _count_votes(_select_moved(relabelling.moved, change), champion),
        )
        for change in relabelling.changes
    )
    head_predictions, champion_predictions = (
        tuple(witness.get(photograph.image) for photograph in relabelling.moved) for witness in (head, champion)
    )
    return LabelEvidence(relabelling, classes, head_predictions, champion_predictions, tuple(falls))


def find_recall_drops(labels: Sequence[str], challenger: Sequence[str], champion: Sequence[str]) -> list[RecallDrop]:
    """Compare both models' answers with the former labels of the same images, class by class."""
    truth, challenger_labels, champion_labels = (np.array(names) for names in (labels, challenger, champion))
    drops = [
        RecallDrop(
            label,
            int(members.sum()),
            float((challenger_labels[members] == label).mean()),
            float((champion_labels[members] == label).mean()),
        )
        for label in sorted(set(labels))
        if (members := truth == label).any()
    ]
    return sorted((drop for drop in drops if drop.drop > 0), key=lambda drop: -drop.drop)


def predict_with_head(
    relabelling: Relabelling,
    features: NDArray[np.float32],
    labels: Sequence[str],
    groups: Sequence[str],
    images: Sequence[str],
) -> dict[str, LabelPrediction | None]:
    """Ask a head that learned from nothing that moved.

    Args:
        relabelling: What moved.
        features: Features of all images of today's version, few enough for a linear discriminant: (n_images, width).
        labels: Their labels in the common vocabulary.
        groups: Their near-duplicate groups.
        images: Their names.
    """
    moved = {photograph.image: photograph for photograph in relabelling.moved}
    tainted = {photograph.group for photograph in relabelling.moved}
    clean = np.array([group not in tainted for group in groups], bool)
    sizes = Counter(label for label, usable in zip(labels, clean, strict=True) if usable)
    learnable = {label for label, number in sizes.items() if number >= _FEWEST}
    learned = clean & np.array([label in learnable for label in labels], bool)
    queried = np.array([image in moved for image in images], bool)
    if len(learnable) < 2 or not queried.any():  # noqa: PLR2004 - a head tells two classes apart
        return {}
    names = [image for image, chosen in zip(images, queried, strict=True) if chosen]
    return read_label_predictions([moved[name] for name in names], _discriminant(features, labels, learned, queried))


def read_champion_predictions(
    relabelling: Relabelling, images: Sequence[str], predictions: Predictions
) -> dict[str, LabelPrediction | None]:
    """Read what the champion says of the moved test images; its answers are about ``images``, in their order."""
    moved = {photograph.image: photograph for photograph in relabelling.moved if photograph.split == Split.TEST.value}
    queried = np.array([image in moved for image in images], bool)
    return read_label_predictions([moved[image] for image in images if image in moved], predictions.select(queried))


def read_label_predictions(
    moved: Sequence[RelabelledImage], predictions: Predictions
) -> dict[str, LabelPrediction | None]:
    """Take from a witness's probabilities what it says of each image; of a class that it does not know, nothing."""
    columns = {label: number for number, label in enumerate(predictions.classes)}
    return {
        photograph.image: LabelPrediction(
            answer, float(row[columns[photograph.before]]), float(row[columns[photograph.after]])
        )
        if photograph.before in columns and photograph.after in columns
        else None
        for photograph, answer, row in zip(moved, predictions.labels(), predictions.probabilities, strict=True)
    }


def _discriminant(
    features: NDArray[np.float32], labels: Sequence[str], learned: NDArray[np.bool_], queried: NDArray[np.bool_]
) -> Predictions:
    """Fit a linear discriminant to some rows and ask it of others, all classes as likely beforehand."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    classes, truth = np.unique(np.array(labels)[learned], return_inverse=True)
    model = LinearDiscriminantAnalysis(
        solver="lsqr", shrinkage="auto", priors=np.full(len(classes), 1 / len(classes))
    ).fit(features[learned], truth)
    return Predictions(tuple(map(str, classes)), model.predict_proba(features[queried]).astype(np.float64))


def _select_moved(moved: Sequence[RelabelledImage], change: ClassChange) -> list[RelabelledImage]:
    return [
        photograph
        for photograph in moved
        if (photograph.before if change.direction == "lost" else photograph.after) == change.label
    ]


def _count_votes(moved: Sequence[RelabelledImage], witness: Mapping[str, LabelPrediction | None]) -> LabelVotes:
    """Count near-duplicate groups by the label that most of their images speak for."""
    votes: defaultdict[str, float] = defaultdict(float)
    for photograph in moved:
        prediction = witness.get(photograph.image)
        if prediction:
            votes[photograph.group] += float(np.sign(prediction.new - prediction.old))
    return LabelVotes(sum(vote < 0 for vote in votes.values()), sum(vote > 0 for vote in votes.values()))
