"""What the two halves of a run came to: its data, and the challenger with its verdict."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from tasks.domain.datasets.data_card import DataCardSummary
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.evaluation.collection_advice import CollectionAdvice
from tasks.domain.evaluation.fine_tuning_trial import Trial
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.gate.gate import Verdict
from tasks.domain.ingestion.source_objects import IngestSummary
from tasks.domain.labels.results import Labels
from tasks.domain.phrasing import count
from tasks.domain.registry.decisions import AlreadyDecided
from tasks.domain.training.results import DatasetFeatures, FeatureSet
from tasks.domain.training.selective_accuracy import Promise


@dataclass(frozen=True, slots=True)
class Trained:
    """A stored head, whose features it takes, the MLflow run with its story, and a trial of fine-tuning, if any."""

    made: FeatureSet
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
class Data:
    """The first half of a night: what the photographs came to; ``inspected`` is missing until features were at hand."""

    ingested: IngestSummary
    labels: Labels
    dataset: Dataset
    inspected: DataCardSummary | None = None

    def to_dict(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return asdict(self)

    def decided_by(self, other: AlreadyDecided) -> "Data":
        """Say that there is nothing to decide any more, since another run has."""
        reason = f"nothing new to learn from, since {other}"
        return replace(self, dataset=replace(self.dataset, state="unchanged", reason=reason))


@dataclass(frozen=True, slots=True)
class Challenger:
    """The second half of a night: the model just trained, what the gate says of it, and what to collect next."""

    embedded: DatasetFeatures
    trained: Trained
    evaluation: Evaluation
    verdict: Verdict
    collect: tuple[CollectionAdvice, ...] = ()
