"""What sure answers are promised to be, in the same words wherever a person reads of it, and what became of that."""

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.domain.phrasing import count
from tasks.domain.significance import wilson_share
from tasks.domain.training.calibration import NEVER, witnesses_needed


@dataclass(frozen=True, slots=True)
class Promise:
    """From which probability on a model is sure, so that a share of its sure answers is right.

    Attributes:
        precision: The share that is promised, ``training.sure_precision``.
        threshold: The probability; ``NEVER`` where nothing can be promised.
        groups: So many near-duplicate groups were held out to find it; None where an earlier Pedigree did not count.
    """

    precision: float
    threshold: float
    groups: int | None = None

    @property
    def never(self) -> bool:
        """Tell whether no answer of the model is sure."""
        return self.threshold >= NEVER

    def __str__(self) -> str:
        """Say from where on the model is sure, or why it never is."""
        if not self.never:
            right = f"where {self.precision:g} of the answers are promised to be right"
            return f"sure from probability {self.threshold:.3f} on, {right}"
        return f"never sure: {self._why}"

    @property
    def _why(self) -> str:
        needed = witnesses_needed(self.precision)
        promise = f"promise that {self.precision:g} of its sure answers are right"
        if needed is None:
            return f"no number of images is enough to {promise}"
        if self.groups is None:
            return f"too few images were held out, or too many answers about them wrong, to {promise}"
        held = count(self.groups, "group of near duplicates was held out", "groups of near duplicates were held out")
        if self.groups < needed:
            return f"{held}, and it takes at least {needed:,} to {promise}"
        return f"{held}, and too many answers about them are wrong to {promise}"

    def held(self, figures: Mapping[str, float], images: int) -> str:
        """Say what was held on so many test images, and of how many answers: figures holds coverage and precision."""
        coverage = figures.get("coverage", 0.0)
        sure = round(coverage * images)
        if not sure or "precision_when_sure" not in figures:
            return f"promised {self.precision:g}; no answer about {count(images, 'test image')} was sure, coverage 0"
        low, high = wilson_share(figures["precision_when_sure"], sure)
        return (
            f"promised {self.precision:g}, held {figures['precision_when_sure']:.3f} of "
            f"{count(sure, 'sure answer')} (95% interval {low:.3f} to {high:.3f}), coverage {coverage:.3f} of "
            f"{count(images, 'test image')}"
        )
