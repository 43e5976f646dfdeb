"""What a short trial of fine-tuning says: whether a whole one is worth it, how sure that is, and what it would cost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from configs.problems import Problem
from tasks.domain.manifest import Row
from tasks.domain.splits import Split
from tasks.domain.statistics import CONFIDENCE, wilson_share
from tasks.domain.trial_images import TrialImages
from tasks.domain.wording import count

if TYPE_CHECKING:
    from configs.schema import Settings

#: A trial passes over its photographs so often.
EPOCHS = 2
#: A smaller gain in accuracy is not worth minutes to hours of every night.
LEAST_GAIN = 0.02
Answer = Literal["worth it", "not worth it", "cannot tell"]
_WORDS: Mapping[Answer, str] = {
    "worth it": "Fine-tuning is worth it",
    "not worth it": "Fine-tuning is not worth it",
    "cannot tell": "A trial cannot tell whether fine-tuning is worth it",
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a trial measured.

    Attributes:
        tuned: Whether the fine-tuned network is right about each judged image, of shape (n_images,).
        frozen: Whether a head alone is, fitted to the same photographs, of shape (n_images,).
        groups: The near-duplicate group of each judged image.
        learning: CPU seconds of one training image in one epoch.
        judging: CPU seconds of one image that is only looked at.
        seconds: CPU seconds of the whole trial.
    """

    tuned: NDArray[np.bool_]
    frozen: NDArray[np.bool_]
    groups: Sequence[str]
    learning: float
    judging: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial says: its answer, the sentence for people, its figures by name, and the day on which it ran."""

    answer: Answer
    sentence: str
    figures: Mapping[str, float]
    day: str

    def __str__(self) -> str:
        """Say the sentence."""
        return self.sentence


def trial_of(images: TrialImages, measured: Measurement, rows: Sequence[Row], settings: "Settings", day: str) -> Trial:
    """Say whether fine-tuning is worth it for this data, how sure that is, and what it would cost.

    Args:
        images: What the trial learned from, and what it was judged by.
        measured: What it came to.
        rows: The whole dataset version.
        settings: What a whole fine-tuning would be.
        day: When the trial ran, such as 2026-11-29.

    Returns:
        The answer with its figures.
    """
    tuned, frozen = (wilson_share(float(right.mean()), len(right)) for right in (measured.tuned, measured.frozen))
    gain, low, high = gain_of(measured.tuned, measured.frozen, measured.groups)
    figures = {
        "photographs": len(images.learned),
        "classes": len(images.classes),
        "epochs": epochs_of(settings),
        "images": len(measured.tuned),
        "accuracy": float(measured.tuned.mean()),
        "accuracy_low": tuned[0],
        "accuracy_high": tuned[1],
        "head_accuracy": float(measured.frozen.mean()),
        "head_accuracy_low": frozen[0],
        "head_accuracy_high": frozen[1],
        "gain": gain,
        "gain_low": low,
        "gain_high": high,
        "cpu_seconds": measured.seconds,
        "whole_cpu_seconds": _whole(measured, rows, settings),
    }
    answer: Answer = "not worth it" if high < LEAST_GAIN else "worth it" if low > 0 else "cannot tell"
    sentence = f"{_WORDS[answer]}: {_compared(figures, settings)}. {_cost(figures, rows, settings, day)}."
    return Trial(answer, sentence, figures, day)


def no_trial(problem: Problem, day: str) -> Trial:
    """Say why there was none."""
    reason = str(problem).removesuffix(" The champion stays.").removesuffix(".")
    return Trial("cannot tell", f"Fine-tuning was not tried: {reason}.", {}, day)


def epochs_of(settings: "Settings") -> int:
    """Count the epochs of a trial."""
    return min(EPOCHS, settings.fine_tuning.epochs)


def gain_of(tuned: NDArray[np.bool_], frozen: NDArray[np.bool_], groups: Sequence[str]) -> tuple[float, float, float]:
    """Bound by how much more is right in ``tuned`` than in ``frozen``, by an interval of 95%.

    Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", Statistics in Medicine
    2005: half an image more for each of the four ways in which two answers can be right and wrong, so that a few images
    on which both agree prove nothing. Near duplicates count as one witness: the spread is that between their groups.

    Args:
        tuned: Of shape (n_images,).
        frozen: Of shape (n_images,).
        groups: The near-duplicate group of each image.

    Returns:
        The gain, and its bounds.
    """
    from scipy.special import ndtri

    number = np.unique(groups, return_inverse=True)[1]
    differences = tuned.astype(np.float64) - frozen
    images, adjusted = len(differences), differences.sum() / (len(differences) + 2)
    between = np.bincount(number, differences) - adjusted * np.bincount(number)
    half = ndtri((1 + CONFIDENCE) / 2) * np.sqrt((between**2).sum() + 1 + 2 * adjusted**2) / (images + 2)
    return float(differences.mean()), float(max(adjusted - half, -1)), float(min(adjusted + half, 1))


def _whole(measured: Measurement, rows: Sequence[Row], settings: "Settings") -> float:
    """Estimate the CPU seconds of a whole fine-tuning: its epochs, what each is measured by, and what serves."""
    sizes, epochs = Counter(row.split for row in rows), settings.fine_tuning.epochs
    judged = (epochs + 2) * sizes[Split.VALIDATION] + sizes[Split.TEST]
    return epochs * sizes[Split.TRAIN] * measured.learning + judged * measured.judging


def _compared(figures: Mapping[str, float], settings: "Settings") -> str:
    of = f"{figures['photographs']:,} photographs of {count(int(figures['classes']), 'class', 'classes')}"
    learned = f"{count(int(figures['epochs']), 'epoch')} from {settings.fine_tuning.from_block} on {of}"
    tuned, head = (_bounded(figures, name) for name in ("accuracy", "head_accuracy"))
    gain = f"{figures['gain']:+.3f} (95% interval {figures['gain_low']:+.3f} to {figures['gain_high']:+.3f})"
    return (
        f"{learned} recognise {tuned} of {figures['images']:,} validation images, a head alone on the same photographs"
        f" {head}; the gain is {gain}"
    )


def _bounded(figures: Mapping[str, float], name: str) -> str:
    return f"{figures[name]:.3f} ({figures[f'{name}_low']:.3f} to {figures[f'{name}_high']:.3f})"


def _cost(figures: Mapping[str, float], rows: Sequence[Row], settings: "Settings", day: str) -> str:
    train, epochs = sum(row.split is Split.TRAIN for row in rows), settings.fine_tuning.epochs
    whole = f"{count(epochs, 'epoch')} on all {count(train, 'training image')}"
    own, all_of_it = (_rounded(figures[name]) for name in ("cpu_seconds", "whole_cpu_seconds"))
    return f"The trial of {day} took {own} CPU seconds; {whole} would take about {all_of_it}, each night that trains"


def _rounded(seconds: float) -> str:
    """Round to two figures: the next run takes some more or less."""
    return f"{float(f'{seconds:.2g}'):,.0f}"
