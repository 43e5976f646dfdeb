"""What changed about live pictures, in figures and in words, beside the test images."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.domain.phrasing import list_names
from tasks.domain.serving.drift import Kind
from tasks.domain.serving.nearest import UNUSUAL

# How many classes are named whose shares changed most, and the smallest change of a share or a level worth a word.
_NAMED, _CHANGE = 3, 0.05
_LOOK_LEVELS = {"brightness": ("darker", "brighter"), "tone": ("darker in the middle", "brighter in the middle")}


@dataclass(frozen=True, slots=True)
class PictureFigures:
    """What pictures have in common.

    Attributes:
        pictures: Their number.
        shares: The estimated share of each class: its mean probability.
        unsure: The share to which the answer was "I don't know".
        unusual: The share that is more unusual than 95% of the test images; None where that is not known.
        brightness: The mean grey level, from 0 to 1; None where it was not measured.
        tone: That of the middle of the picture; None where it was not measured.
        accuracy: The share of answers that are right, as the calibrated probabilities estimate it: their mean. It
            cannot see what a model is confidently wrong about, such as classes that it never learned.
    """

    pictures: int
    shares: Mapping[str, float]
    unsure: float
    unusual: float | None
    brightness: float | None
    tone: float | None
    accuracy: float

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON can hold them."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PictureColumns:
    """What is known of each of some pictures.

    Attributes:
        probabilities: Calibrated probabilities of shape (n_pictures, n_classes).
        sure: Whether each answer was confident, of shape (n_pictures,).
        unusual: How unusual each picture is; NaN where that is not known.
        brightness: The mean grey level of each picture, from 0 to 1; NaN where it was not measured.
        tone: That of its middle.
    """

    probabilities: NDArray[np.float64]
    sure: NDArray[np.bool_]
    unusual: NDArray[np.float64]
    brightness: NDArray[np.float64]
    tone: NDArray[np.float64]


def summarize_pictures(classes: Sequence[str], columns: PictureColumns) -> PictureFigures:
    """Summarise pictures.

    Args:
        classes: The classes, in the order of the probabilities.
        columns: What is known of each picture; there is one at least.

    Returns:
        The figures.
    """
    rarities = columns.unusual[~np.isnan(columns.unusual)]
    return PictureFigures(
        len(columns.sure),
        dict(zip(classes, columns.probabilities.mean(axis=0).tolist(), strict=True)),
        float(1 - columns.sure.mean()),
        float((rarities >= UNUSUAL).mean()) if len(rarities) else None,
        _mean(columns.brightness),
        _mean(columns.tone),
        float(columns.probabilities.max(axis=1).mean()),
    )


def _mean(levels: NDArray[np.float64]) -> float | None:
    present = levels[~np.isnan(levels)]
    return float(present.mean()) if len(present) else None


def describe_drift(kinds: Sequence[Kind], reference: PictureFigures, live: PictureFigures) -> tuple[str, ...]:
    """Describe in words what changed, the most telling first.

    Args:
        kinds: In what live pictures differ beyond chance.
        reference: The test images.
        live: Live pictures.

    Returns:
        Sentences; the first says whether anything changed.
    """
    return (
        _headline(kinds, live.pictures),
        *(_describe_shares(reference, live) if kinds else ()),
        *(_describe_levels(reference, live) if "look" in kinds else ()),
        _compare("of the answers are I don't know", reference.unsure, live.unsure),
        *_describe_unusual(live),
        _describe_accuracy(reference, live),
    )


def _headline(kinds: Sequence[Kind], pictures: int) -> str:
    sentences = {
        (): f"{pictures:,} live pictures are like the test images",
        ("mixture",): f"people bring other classes than the test images show, as {pictures:,} live pictures tell",
        ("look",): f"{pictures:,} live pictures look unlike the test images of the same classes",
    }
    return sentences[tuple(kinds)]


def _describe_shares(reference: PictureFigures, live: PictureFigures) -> list[str]:
    return [
        f"{label} is {live.shares[label]:.0%} of them, {reference.shares[label]:.0%} of the test images"
        for label in _largest_changes(reference, live)
    ]


def describe_need(kinds: Sequence[Kind], reference: PictureFigures, live: PictureFigures) -> str:
    """Describe which photographs must be labelled before training again can help; empty where nothing drifted.

    Args:
        kinds: In what live pictures differ beyond chance.
        reference: The test images.
        live: Live pictures.

    Returns:
        What to label, as the end of a sentence.
    """
    if "look" in kinds:
        levels = ", ".join(level.removeprefix("they are ") for level in _describe_levels(reference, live))
        looks = f" ({levels})" if levels else ""
        return f"photographs of every class as people take them now{looks}, and those first that are most unusual"
    if "mixture" in kinds:
        more = [label for label, change in _largest_changes(reference, live).items() if change > 0]
        return f"photographs of {list_names(more)}" if more else "photographs of all classes as people bring them now"
    return ""


def _largest_changes(reference: PictureFigures, live: PictureFigures) -> Mapping[str, float]:
    """Return the changes of share that are worth a word, the largest first."""
    changes = {label: live.shares[label] - reference.shares[label] for label in reference.shares}
    largest = sorted(changes, key=lambda label: (-abs(changes[label]), label))[:_NAMED]
    return {label: changes[label] for label in largest if abs(changes[label]) >= _CHANGE}


def _describe_levels(reference: PictureFigures, live: PictureFigures) -> list[str]:
    sentences = []
    for name, (less, more) in _LOOK_LEVELS.items():
        before, after = getattr(reference, name), getattr(live, name)
        if before and after is not None and abs(after / before - 1) >= _CHANGE:
            sentences.append(f"they are {abs(after / before - 1):.0%} {less if after < before else more}")
    return sentences


def _describe_unusual(live: PictureFigures) -> list[str]:
    if live.unusual is None:
        return []
    return [f"{live.unusual:.0%} of them lie farther from all training images than 95% of the test images do"]


def _describe_accuracy(reference: PictureFigures, live: PictureFigures) -> str:
    return (
        f"the model's own probabilities promise that {live.accuracy:.0%} of the answers are right, "
        f"{reference.accuracy:.0%} of those about test images; that cannot see what it is confidently wrong about"
    )


def _compare(sentence: str, before: float, after: float) -> str:
    return f"{after:.0%} {sentence}, {before:.0%} among the test images"
