"""Evidence for old and new labels of relabelled photographs, from the champion and from a head that never saw them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from configs.cores import single_threaded_blas
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.label_changes import ClassChange, RelabelledImage, Relabelling
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.significance import mcnemar

# The head does not learn a class with fewer photographs that nobody moved.
_FEWEST = 3


@dataclass(frozen=True, slots=True)
class LabelVotes:
    """Votes of near-duplicate groups: for how many the old label is the likelier one, and for how many the new one."""

    old: int = 0
    new: int = 0

    @property
    def p_value_for_new(self) -> float:
        """Return the p value of as many votes for the new labels if both were as likely (exact binomial test)."""
        return float(mcnemar(np.array(self.new), np.array(self.old)))

    @property
    def p_value_for_old(self) -> float:
        """Return the p value of as many votes for the old labels if both were as likely (exact binomial test)."""
        return float(mcnemar(np.array(self.old), np.array(self.new)))


@dataclass(frozen=True, slots=True)
class LabelPrediction:
    """What a model predicts for a relabelled photograph.

    Attributes:
        answer: The predicted class.
        old: The probability of the old label.
        new: The probability of the new label.
    """

    answer: str
    old: float
    new: float


@dataclass(frozen=True, slots=True)
class ClassEvidence:
    """The evidence for the photographs that one class lost or gained: the head's votes and the champion's."""

    change: ClassChange
    head: LabelVotes
    champion: LabelVotes


@dataclass(frozen=True, slots=True)
class RecallDrop:
    """The recall of both models on a class whose recall fell.

    Attributes:
        label: The class, by its former labels.
        images: The number of test images with that label, new ones included.
        challenger: The challenger's recall.
        champion: The champion's recall.
    """

    label: str
    images: int
    challenger: float
    champion: float

    @property
    def drop(self) -> float:
        """Return by how much the challenger's recall is lower."""
        return self.champion - self.challenger


@dataclass(frozen=True, slots=True)
class LabelEvidence:
    """The relabelled photographs, and the evidence for their old and their new labels.

    Attributes:
        relabelling: What moved.
        classes: The evidence for each class and direction.
        head: The head's prediction for each relabelled photograph, in their order; None where it knows one of the two
            classes too little. It learned only from photographs that nobody moved and that are no near duplicates of
            moved ones.
        champion: The champion's prediction for each; only for test images, since it learned the old labels of the
            others.
        falls: The classes that the challenger recognises less often by their former labels, the largest drop first.
    """

    relabelling: Relabelling
    classes: tuple[ClassEvidence, ...] = ()
    head: tuple[LabelPrediction | None, ...] = ()
    champion: tuple[LabelPrediction | None, ...] = ()
    falls: tuple[RecallDrop, ...] = ()

    def truncate(self, most: int) -> "LabelEvidence":
        """Return the evidence for the first relabelled photographs."""
        relabelling = replace(self.relabelling, moved=self.relabelling.moved[:most])
        return replace(self, relabelling=relabelling, head=self.head[:most], champion=self.champion[:most])

    def pool_votes(self, classes: Sequence[ClassEvidence]) -> LabelVotes:
        """Count the head's votes on all photographs that moved in one of several ways."""
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
    """Collect the evidence by class and direction.

    Args:
        relabelling: What moved.
        head: The head's prediction for each relabelled image, by name.
        champion: The champion's predictions, by name.
        falls: The classes that the challenger recognises less often by their former labels.

    Returns:
        The evidence.
    """
    classes = tuple(
        ClassEvidence(
            change,
            _count_votes(_select_moved(relabelling.moved, change), head),
            _count_votes(_select_moved(relabelling.moved, change), champion),
        )
        for change in relabelling.changes
    )
    head_predictions, champion_predictions = (
        tuple(predictions.get(photograph.image) for photograph in relabelling.moved) for predictions in (head, champion)
    )
    return LabelEvidence(relabelling, classes, head_predictions, champion_predictions, tuple(falls))


def find_recall_drops(labels: Sequence[str], challenger: Sequence[str], champion: Sequence[str]) -> list[RecallDrop]:
    """Find the classes that the challenger recognises less often than the champion by their former labels.

    Args:
        labels: The former label of each image.
        challenger: The challenger's prediction for each image.
        champion: The champion's prediction for each image.

    Returns:
        The classes, the largest drop first.
    """
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
    """Predict relabelled photographs with a head that learned from none of them.

    Args:
        relabelling: What moved.
        features: Features of all images of today's version, of shape (n_images, width), with a width that suits a
            linear discriminant.
        labels: Their labels in the common vocabulary.
        groups: Their near-duplicate groups.
        images: Their names.

    Returns:
        The prediction for each relabelled image, by name; empty where fewer than two classes can be learned.
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
    return read_label_predictions([moved[name] for name in names], _fit_and_predict(features, labels, learned, queried))


def read_champion_predictions(
    relabelling: Relabelling, images: Sequence[str], predictions: Predictions
) -> dict[str, LabelPrediction | None]:
    """Return the champion's predictions for the relabelled test images.

    Args:
        relabelling: What moved.
        images: The names of the test images.
        predictions: The champion's predictions for these, in their order.

    Returns:
        The prediction for each relabelled test image, by name.
    """
    moved = {photograph.image: photograph for photograph in relabelling.moved if photograph.split == Split.TEST.value}
    queried = np.array([image in moved for image in images], bool)
    return read_label_predictions([moved[image] for image in images if image in moved], predictions.select(queried))


def read_label_predictions(
    moved: Sequence[RelabelledImage], predictions: Predictions
) -> dict[str, LabelPrediction | None]:
    """Return what a model predicts for relabelled images.

    Args:
        moved: The relabelled images.
        predictions: The model's predictions for these, in their order.

    Returns:
        The prediction for each image, by name; None where the model does not know one of its two classes.
    """
    columns = {label: number for number, label in enumerate(predictions.classes)}
    return {
        photograph.image: LabelPrediction(
            answer, float(row[columns[photograph.before]]), float(row[columns[photograph.after]])
        )
        if photograph.before in columns and photograph.after in columns
        else None
        for photograph, answer, row in zip(moved, predictions.labels(), predictions.probabilities, strict=True)
    }


@single_threaded_blas()
def _fit_and_predict(
    features: NDArray[np.float32], labels: Sequence[str], learned: NDArray[np.bool_], queried: NDArray[np.bool_]
) -> Predictions:
    """Fit a linear discriminant with equal class priors to some images, and predict others.

    Returns:
        The predictions for the queried images.
    """
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


def _count_votes(moved: Sequence[RelabelledImage], predictions: Mapping[str, LabelPrediction | None]) -> LabelVotes:
    """Count near-duplicate groups by the label that most of their images vote for."""
    votes: defaultdict[str, float] = defaultdict(float)
    for photograph in moved:
        prediction = predictions.get(photograph.image)
        if prediction:
            votes[photograph.group] += float(np.sign(prediction.new - prediction.old))
    return LabelVotes(sum(vote < 0 for vote in votes.values()), sum(vote > 0 for vote in votes.values()))
