"""Trial of fine-tuning: which images it uses, and what its figures say about whether fine-tuning is worth it."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from configs.errors import PedigreeError
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.phrasing import count
from tasks.domain.significance import CONFIDENCE, wilson_share

if TYPE_CHECKING:
    from configs.schema import Settings

# The fewest photographs of a class that teach anything, and the fewest validation images that tell methods apart.
_LEAST_OF_A_CLASS, _LEAST_VALIDATION = 5, 30
# The most validation images that a trial uses, which bounds its time on a large data set.
_MOST_VALIDATION = 1000
#: The near-duplicate group of each image; an image without an entry is a group of its own.
Groups = Mapping[str, str]
#: The epochs of a trial, unless the settings ask for fewer.
EPOCHS = 2
#: A smaller gain in accuracy is not worth the minutes to hours that fine-tuning adds to every run.
LEAST_GAIN = 0.02
Answer = Literal["worth it", "not worth it", "cannot tell"]
_WORDS: Mapping[Answer, str] = {
    "worth it": "Fine-tuning is worth it",
    "not worth it": "Fine-tuning is not worth it",
    "cannot tell": "A trial cannot tell whether fine-tuning is worth it",
}


@dataclass(frozen=True, slots=True)
class TrialImages:
    """The training and validation images of a trial, of the same classes."""

    train: Sequence[Row]
    validation: Sequence[Row]

    @property
    def classes(self) -> list[str]:
        """Return the classes, sorted."""
        return sorted({row.label for row in self.train})


def choose_trial_images(rows: Sequence[Row], groups: Groups, settings: "Settings") -> TrialImages:
    """Choose a class-balanced sample of the training images, and validation images to compare the methods on.

    Test images are never used: the test split decides between models, and choosing a method by it would make its result
    too optimistic. Near-duplicate groups stay whole.

    Args:
        rows: A dataset version.
        groups: The near-duplicate group of each image.
        settings: How large the sample is, and where fine-tuning begins.

    Returns:
        Both sets of images.

    Raises:
        PedigreeError: Where a trial could not tell anything.
    """
    if settings.learns_behind_the_cut:
        block, cut = settings.fine_tuning.from_block, settings.backbone.cut
        raise PedigreeError(f"fine_tuning.from_block is {block}, behind backbone.cut {cut}: set an earlier one")
    train = [row for row in rows if row.split is Split.TRAIN]
    classes, most = {row.label for row in train}, settings.fine_tuning.trial
    if most < _LEAST_OF_A_CLASS * len(classes):
        least = _LEAST_OF_A_CLASS * len(classes)
        raise PedigreeError(
            f"fine_tuning.trial is {most:,}, too few for {len(classes):,} classes: set it to {least:,} or more"
        )
    validation = [row for row in rows if row.split is Split.VALIDATION and row.label in classes]
    chosen = _order_by_group(validation, groups, settings.training.seed)[:_MOST_VALIDATION]
    if len(chosen) < _LEAST_VALIDATION:
        raise PedigreeError(
            f"the validation split holds {count(len(chosen), 'image')}, too few to tell: {_LEAST_VALIDATION} can"
        )
    return TrialImages(sample_balanced(train, groups, most, settings.training.seed), chosen)


def sample_balanced(rows: Sequence[Row], groups: Groups, most: int, seed: int) -> list[Row]:
    """Sample whole near-duplicate groups, the next one always of the class with the fewest images so far.

    Args:
        rows: The images to sample from.
        groups: The near-duplicate group of each image.
        most: The largest number of images.
        seed: Seed of the order in which groups are drawn.

    Returns:
        At most ``most`` images.
    """
    members: defaultdict[str, list[Row]] = defaultdict(list)
    for row in _order_by_group(rows, groups, seed):
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


def _order_by_group(rows: Sequence[Row], groups: Groups, seed: int) -> list[Row]:
    """Return the images ordered by group, the groups in an order that the seed decides."""

    def sort_key(row: Row) -> tuple[bytes, str]:
        group = groups.get(row.image, row.image)
        return sha256(f"{seed} {group}".encode()).digest(), row.image

    return sorted(rows, key=sort_key)


@dataclass(frozen=True, slots=True)
class TrialMeasurement:
    """What a trial measured.

    Attributes:
        tuned_correct: Whether the fine-tuned network predicts each validation image correctly, of shape (n_images,).
        head_correct: Whether a head alone, fitted to the same photographs, does, of shape (n_images,).
        groups: The near-duplicate group of each validation image.
        seconds_per_training_image: CPU seconds of one training image in one epoch.
        seconds_per_evaluated_image: CPU seconds of one image that is only predicted.
        seconds: CPU seconds of the whole trial.
    """

    tuned_correct: NDArray[np.bool_]
    head_correct: NDArray[np.bool_]
    groups: Sequence[str]
    seconds_per_training_image: float
    seconds_per_evaluated_image: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a trial.

    Attributes:
        answer: Whether fine-tuning is worth it.
        sentence: The answer in words, with its figures and the cost.
        figures: The figures by name.
        day: The day of the trial, such as 2026-11-29.
    """

    answer: Answer
    sentence: str
    figures: Mapping[str, float]
    day: str

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


def conclude_trial(
    images: TrialImages, measurement: TrialMeasurement, rows: Sequence[Row], settings: "Settings", day: str
) -> Trial:
    """Conclude whether fine-tuning is worth it for this data, how certain that is, and what it would cost.

    Args:
        images: The images of the trial.
        measurement: What the trial measured.
        rows: The whole dataset version.
        settings: The settings of a whole fine-tuning.
        day: The day of the trial, such as 2026-11-29.

    Returns:
        The answer with its figures.
    """
    tuned, frozen = (
        wilson_share(float(right.mean()), len(right)) for right in (measurement.tuned_correct, measurement.head_correct)
    )
    gain, low, high = estimate_gain(measurement.tuned_correct, measurement.head_correct, measurement.groups)
    figures = {
        "photographs": len(images.train),
        "classes": len(images.classes),
        "epochs": count_trial_epochs(settings),
        "images": len(measurement.tuned_correct),
        "accuracy": float(measurement.tuned_correct.mean()),
        "accuracy_low": tuned[0],
        "accuracy_high": tuned[1],
        "head_accuracy": float(measurement.head_correct.mean()),
        "head_accuracy_low": frozen[0],
        "head_accuracy_high": frozen[1],
        "gain": gain,
        "gain_low": low,
        "gain_high": high,
        "cpu_seconds": measurement.seconds,
        "whole_cpu_seconds": _estimate_cpu_seconds(measurement, rows, settings),
    }
    answer: Answer = "not worth it" if high < LEAST_GAIN else "worth it" if low > 0 else "cannot tell"
    sentence = f"{_WORDS[answer]}: {_describe_gain(figures, settings)}. {_describe_cost(figures, rows, settings, day)}."
    return Trial(answer, sentence, figures, day)


def skip_trial(problem: PedigreeError, day: str) -> Trial:
    """Return the result of a trial that could not be run.

    Args:
        problem: Why it could not be run.
        day: The day of the trial, such as 2026-11-29.

    Returns:
        A result that cannot tell, with the reason in its sentence.
    """
    reason = str(problem).removesuffix(" The champion stays.").removesuffix(".")
    return Trial("cannot tell", f"Fine-tuning was not tried: {reason}.", {}, day)


def count_trial_epochs(settings: "Settings") -> int:
    """Return the number of epochs of a trial."""
    return min(EPOCHS, settings.fine_tuning.epochs)


def estimate_gain(
    tuned: NDArray[np.bool_], frozen: NDArray[np.bool_], groups: Sequence[str]
) -> tuple[float, float, float]:
    """Estimate by how much accuracy rises with fine-tuning, with a 95% interval.

    Agresti and Min, "Simple improved confidence intervals for comparing matched proportions", Statistics in Medicine
    2005: half an image is added to each of the four combinations of right and wrong, so that a few images on which both
    agree prove nothing. The spread is that between near-duplicate groups, whose images are no independent witnesses.

    Args:
        tuned: Whether the fine-tuned network predicts each image correctly, of shape (n_images,).
        frozen: Whether the head alone does, of shape (n_images,).
        groups: The near-duplicate group of each image.

    Returns:
        The gain, and the lower and the upper end of its interval.
    """
    from scipy.special import ndtri

    number = np.unique(groups, return_inverse=True)[1]
    differences = tuned.astype(np.float64) - frozen
    images, adjusted = len(differences), differences.sum() / (len(differences) + 2)
    between = np.bincount(number, differences) - adjusted * np.bincount(number)
    half = ndtri((1 + CONFIDENCE) / 2) * np.sqrt((between**2).sum() + 1 + 2 * adjusted**2) / (images + 2)
    return float(differences.mean()), float(max(adjusted - half, -1)), float(min(adjusted + half, 1))


def _estimate_cpu_seconds(measurement: TrialMeasurement, rows: Sequence[Row], settings: "Settings") -> float:
    """Estimate the CPU seconds of a whole fine-tuning, with the evaluations between its epochs and after them."""
    sizes, epochs = Counter(row.split for row in rows), settings.fine_tuning.epochs
    evaluated = (epochs + 2) * sizes[Split.VALIDATION] + sizes[Split.TEST]
    return (
        epochs * sizes[Split.TRAIN] * measurement.seconds_per_training_image
        + evaluated * measurement.seconds_per_evaluated_image
    )


def _describe_gain(figures: Mapping[str, float], settings: "Settings") -> str:
    of = f"{figures['photographs']:,} photographs of {count(int(figures['classes']), 'class', 'classes')}"
    learned = f"{count(int(figures['epochs']), 'epoch')} from {settings.fine_tuning.from_block} on {of}"
    tuned, head = (_format_interval(figures, name) for name in ("accuracy", "head_accuracy"))
    gain = f"{figures['gain']:+.3f} (95% interval {figures['gain_low']:+.3f} to {figures['gain_high']:+.3f})"
    return (
        f"{learned} recognise {tuned} of {figures['images']:,} validation images, a head alone on the same photographs"
        f" {head}; the gain is {gain}"
    )


def _format_interval(figures: Mapping[str, float], name: str) -> str:
    return f"{figures[name]:.3f} ({figures[f'{name}_low']:.3f} to {figures[f'{name}_high']:.3f})"


def _describe_cost(figures: Mapping[str, float], rows: Sequence[Row], settings: "Settings", day: str) -> str:
    train, epochs = sum(row.split is Split.TRAIN for row in rows), settings.fine_tuning.epochs
    tuning = f"{count(epochs, 'epoch')} on all {count(train, 'training image')}"
    trial, full = (_format_seconds(figures[name]) for name in ("cpu_seconds", "whole_cpu_seconds"))
    return f"The trial of {day} took {trial} CPU seconds; {tuning} would take about {full}, in each run that trains"


def _format_seconds(seconds: float) -> str:
    """Return the seconds rounded to two digits: the next run takes some more or less."""
    return f"{float(f'{seconds:.2g}'):,.0f}"
