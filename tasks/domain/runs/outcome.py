"""How a night ended: what the summary, the terminal and ``pedigree retrain --json`` tell of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tasks.domain.evaluation.collection_advice import CollectionAdvice
from tasks.domain.registry.decisions import DecisionOutcome, Promotion
from tasks.domain.runs.results import Challenger, Data

Status = DecisionOutcome | Literal["unchanged", "waiting"]


@dataclass(frozen=True, slots=True)
class Images:
    """The night in numbers of images."""

    total: int
    new: int
    rejected: int
    embedded: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the night ended: what ``pedigree retrain --json`` prints.

    The classes are those that challenger and champion share, and those that only one of them knows; empty where nothing
    was compared. ``collect`` ranks what to collect next. ``alarm`` says what is not as it was registered.
    """

    status: Status
    reason: str
    dataset: str
    parent: str | None
    images: Images
    model_version: str | None
    run_id: str | None
    metrics: Mapping[str, float]
    gate: tuple[Mapping[str, Any], ...]
    seconds: Mapping[str, float]
    classes: Mapping[str, Sequence[str]]
    collect: Sequence[CollectionAdvice] = ()
    alarm: str = ""

    def __str__(self) -> str:
        """Say how the night ended."""
        return f"{self.status}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Turn the outcome into what JSON can hold."""
        return asdict(self)


def outcome_without_training(data: Data, seconds: Mapping[str, float]) -> Outcome:
    """Describe a night that ended before any training: there was nothing new, or too little."""
    return Outcome(
        status="waiting" if data.dataset.state == "waiting" else "unchanged",
        reason=data.dataset.reason,
        dataset=data.dataset.hash,
        parent=data.dataset.parent,
        images=_images(data, embedded=0),
        model_version=None,
        run_id=None,
        metrics={},
        gate=(),
        seconds=seconds,
        classes={},
    )


def outcome_of_decision(
    data: Data, challenger: Challenger, promotion: Promotion, seconds: Mapping[str, float]
) -> Outcome:
    """Describe a night that trained a model and decided about it."""
    comparison = challenger.evaluation.comparison
    return Outcome(
        status=promotion.status,
        reason=promotion.reason,
        dataset=data.dataset.hash,
        parent=data.dataset.parent,
        images=_images(data, challenger.embedded.computed),
        model_version=promotion.model_version,
        run_id=challenger.trained.run_id,
        metrics=challenger.evaluation.metrics,
        gate=promotion.rules,
        seconds=seconds,
        classes=comparison.classes() if comparison else {},
        collect=challenger.collect,
    )


def _images(data: Data, embedded: int) -> Images:
    rejected = data.ingested.rejected + data.labels.conflicts
    return Images(total=data.dataset.images, new=data.ingested.new, rejected=rejected, embedded=embedded)
