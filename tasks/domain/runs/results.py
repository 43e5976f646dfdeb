"""What the two halves of a run came to: its data, and the challenger with its verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tasks.domain.datasets.data_card import DataCardSummary
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.evaluation.fine_tuning_trial import Trial
from tasks.domain.evaluation.results import CollectionAdvice, Evaluation
from tasks.domain.gate.gate import Verdict
from tasks.domain.ingestion.source_objects import IngestSummary
from tasks.domain.labels.results import Labels
from tasks.domain.phrasing import count
from tasks.domain.registry.decisions import AlreadyDecided, DecisionOutcome, Promotion
from tasks.domain.training.calibration import Promise
from tasks.domain.training.results import DatasetFeatures, FeatureSet

Status = DecisionOutcome | Literal["unchanged", "waiting"]


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A stored head, whose features it takes, the MLflow run with its story, and a trial of fine-tuning, if any."""

    features: FeatureSet
    head: str
    run_id: str
    epochs: int
    validation_accuracy: float
    promise: Promise
    trial: Trial | None = None

    def __str__(self) -> str:
        """Name the head and say how the training went, and from which probability on the model is sure."""
        best = f"validation accuracy {self.validation_accuracy:.3f}"
        after = f" after {count(self.epochs, 'epoch')}" if self.epochs else ""
        return f"head {self.head[:12]}{after}, {best}, {self.promise}"


@dataclass(frozen=True, slots=True)
class RunData:
    """The first half of a night: what the photographs came to; ``inspected`` is missing until features were at hand."""

    ingested: IngestSummary
    labels: Labels
    dataset: Dataset
    card: DataCardSummary | None = None

    def to_dict(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return asdict(self)

    def mark_decided(self, other: AlreadyDecided) -> "RunData":
        """Say that there is nothing to decide any more, since another run has."""
        reason = f"nothing new to learn from, since {other}"
        return replace(self, dataset=replace(self.dataset, state="unchanged", reason=reason))


@dataclass(frozen=True, slots=True)
class Challenger:
    """The second half of a night: the model just trained, what the gate says of it, and what to collect next."""

    features: DatasetFeatures
    model: TrainedModel
    evaluation: Evaluation
    verdict: Verdict
    collect: tuple[CollectionAdvice, ...] = ()


@dataclass(frozen=True, slots=True)
class ChallengerOutcome:
    """A challenger, and what the ledger says about it."""

    challenger: Challenger
    promotion: Promotion


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


def summarize_untrained_run(data: RunData, seconds: Mapping[str, float]) -> Outcome:
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


def summarize_decided_run(
    data: RunData, challenger: Challenger, promotion: Promotion, seconds: Mapping[str, float]
) -> Outcome:
    """Describe a night that trained a model and decided about it."""
    comparison = challenger.evaluation.comparison
    return Outcome(
        status=promotion.status,
        reason=promotion.reason,
        dataset=data.dataset.hash,
        parent=data.dataset.parent,
        images=_images(data, challenger.features.computed),
        model_version=promotion.model_version,
        run_id=challenger.model.run_id,
        metrics=challenger.evaluation.metrics,
        gate=promotion.rules,
        seconds=seconds,
        classes=comparison.classes() if comparison else {},
        collect=challenger.collect,
    )


def _images(data: RunData, embedded: int) -> Images:
    rejected = data.ingested.rejected + data.labels.conflicts
    return Images(total=data.dataset.images, new=data.ingested.new, rejected=rejected, embedded=embedded)
