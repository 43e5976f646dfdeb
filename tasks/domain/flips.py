"""Flips: the test images that two models have in common and give different answers to."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tasks.domain.answers import Predictions
from tasks.domain.manifest import Row

Kind = Literal["now right", "now wrong", "wrong in another way"]


@dataclass(frozen=True, slots=True)
class Flip:
    """One image, its class by the later version, and both models' answers with how sure each was."""

    image: str
    key: str
    truth: str
    before: str
    after: str
    sure_before: float
    sure_after: float

    @property
    def kind(self) -> Kind:
        """Say whether the later model mended it, broke it, or is as wrong as the former."""
        if self.after == self.truth:
            return "now right"
        return "now wrong" if self.before == self.truth else "wrong in another way"


@dataclass(frozen=True, slots=True)
class Flips:
    """How many test images both models were asked, and those that flipped, sorted by image."""

    images: int
    flips: tuple[Flip, ...]

    def of(self, kind: Kind) -> tuple[Flip, ...]:
        """Take those of one kind, the surest answers of the later model first."""
        found = [one for one in self.flips if one.kind == kind]
        return tuple(sorted(found, key=lambda one: (-one.sure_after, one.key)))

    def plain(self) -> dict[str, Any]:
        """Turn them into what JSON can hold."""
        return {"images": self.images, "flips": [{"kind": one.kind, **asdict(one)} for one in self.flips]}


def flips(rows: Sequence[Row], before: Predictions, after: Predictions) -> Flips:
    """Name the images to which two models give different answers; predictions are in the order of the rows."""
    answers = zip(
        rows,
        before.labels(),
        after.labels(),
        before.probabilities.max(axis=1).tolist(),
        after.probabilities.max(axis=1).tolist(),
        strict=True,
    )
    found = [
        Flip(row.image, row.key, row.label, old, new, sure_old, sure_new)
        for row, old, new, sure_old, sure_new in answers
        if old != new
    ]
    return Flips(len(rows), tuple(sorted(found, key=lambda one: one.image)))
