"""Results of a whole run: its data, the trained model, the gate's verdict, the decision, and how the run ended."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tasks.domain.datasets.data_card import DataCardSummary
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.evaluation.fine_tuning_trial import Trial
from tasks.domain.evaluation.results import CollectionAdvice, Evaluation
from tasks.domain.gate.gate import Verdict
from tasks.domain.ingestion.source_objects import IngestSummary, describe_inventory
from tasks.domain.labels.results import Labels
from tasks.domain.phrasing import count
from tasks.domain.registry.decisions import DecisionOutcome
from tasks.domain.training.calibration import Promise
from tasks.domain.training.results import DatasetFeatures, FeatureSet

Status = DecisionOutcome | Literal["unchanged", "waiting"]


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was decided and written to the ledger.

    Attributes:
        decision: The number of the decision.
        status: What was decided.
        model_version: The model version that it is about.
        reason: Why, in one sentence.
        rules: The results of the gate's rules.
        pages: The address of each page that shows more; empty where MLflow shows no pages.
    """

    decision: int
    status: DecisionOutcome
    model_version: str
    reason: str
    rules: tuple[Mapping[str, Any], ...]
    pages: Mapping[str, str]

    def __str__(self) -> str:
        """Describe the decision and its reason."""
        return f"decision {self.decision}, model version {self.model_version} {self.status}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ChampionReplaced:
    """Nothing was decided, since another champion serves than the one that the challenger was compared with.

    Attributes:
        champion: The model version that serves now; empty where none does.
    """

    champion: str

    def __str__(self) -> str:
        """Describe which version serves now."""
        serves = f"version {self.champion} serves" if self.champion else "no model serves"
        return f"nothing decided, since {serves} now: the gate is applied again, against that"


@dataclass(frozen=True, slots=True)
class AlreadyDecided:
    """Nothing was decided, since another run has decided about the same data and settings meanwhile.

    Attributes:
        decision: The number of that decision.
        version: The model version that it is about.
        outcome: What was decided.
        run_id: The MLflow run.
    """

    decision: int
    version: str
    outcome: DecisionOutcome
    run_id: str

    def __str__(self) -> str:
        """Describe that decision."""
        decided = f"decision {self.decision}, version {self.version} {self.outcome}"
        return f"another retraining of the same data was faster: {decided}"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A trained head in the store.

    Attributes:
        features: The features that the head takes.
        head: The hash of the head.
        run_id: The MLflow run.
        epochs: The epochs of fine-tuning; 0 where only the head was trained.
        validation_accuracy: The accuracy on images that were held out.
        promise: From which probability on the model is confident.
        trial: The trial of fine-tuning; None where there was none.
    """

    features: FeatureSet
    head: str
    run_id: str
    epochs: int
    validation_accuracy: float
    promise: Promise
    trial: Trial | None = None

    def __str__(self) -> str:
        """Describe the head, the training, and from which probability on the model is confident."""
        best = f"validation accuracy {self.validation_accuracy:.3f}"
        after = f" after {count(self.epochs, 'epoch')}" if self.epochs else ""
        return f"head {self.head[:12]}{after}, {best}, {self.promise}"


@dataclass(frozen=True, slots=True)
class RunData:
    """The first half of a run: the photographs, their labels, and the dataset version.

    Attributes:
        ingested: How many photographs were ingested.
        labels: Their labels.
        dataset: The dataset version.
        card: The summary of its data card; None until features are computed.
    """

    ingested: IngestSummary
    labels: Labels
    dataset: Dataset
    card: DataCardSummary | None = None

    def to_dict(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return asdict(self)

    def sentences(self) -> list[str]:
        """Say what was fetched and labelled, and what version that came to."""
        parts = (str(self.ingested), describe_inventory(self.ingested.inventory), str(self.labels), str(self.dataset))
        return [part for part in parts if part]

    def mark_decided(self, other: AlreadyDecided) -> "RunData":
        """Return the data as unchanged, with another run's decision about it as the reason."""
        reason = f"nothing new to learn from, since {other}"
        return replace(self, dataset=replace(self.dataset, state="unchanged", reason=reason))


@dataclass(frozen=True, slots=True)
class Challenger:
    """The second half of a run: the trained model and the gate's verdict on it.

    Attributes:
        features: The features of the dataset version.
        model: The trained model.
        evaluation: Its evaluation beside the champion.
        verdict: The gate's verdict.
        collect: What to collect next, the most useful first.
    """

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
class ImageCounts:
    """The run in numbers of images."""

    total: int
    new: int
    rejected: int
    embedded: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: what ``pedigree retrain --json`` prints.

    Attributes:
        status: What was decided, or why nothing was.
        reason: Why, in one sentence.
        dataset: The hash of the dataset version.
        parent: The hash of its parent version; None for a first version.
        images: The run in numbers of images.
        model_version: The version of the trained model; None where none was trained.
        run_id: The MLflow run; None where no model was trained.
        metrics: The model's metrics.
        gate: The results of the gate's rules.
        seconds: The seconds of each step.
        classes: The classes that challenger and champion share, and those that only one knows; empty where nothing was
            compared.
        collect: What to collect next, the most useful first.
        alarm: What is served otherwise than it was registered; empty where all is well.
        inventory: When the inventory was begun that told the photographs, in ISO 8601; empty where they were listed.
    """

    status: Status
    reason: str
    dataset: str
    parent: str | None
    images: ImageCounts
    model_version: str | None
    run_id: str | None
    metrics: Mapping[str, float]
    gate: tuple[Mapping[str, Any], ...]
    seconds: Mapping[str, float]
    classes: Mapping[str, Sequence[str]]
    collect: Sequence[CollectionAdvice] = ()
    alarm: str = ""
    inventory: str = ""

    def __str__(self) -> str:
        """Return the status with its reason."""
        return f"{self.status}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as values that JSON can hold."""
        return asdict(self)


def summarize_untrained_run(data: RunData, seconds: Mapping[str, float]) -> Outcome:
    """Summarize a run that ended before training: nothing was new, or too little.

    Args:
        data: The first half of the run.
        seconds: The seconds of each step.

    Returns:
        The outcome.
    """
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
        inventory=data.ingested.inventory,
    )


def summarize_decided_run(
    data: RunData, challenger: Challenger, promotion: Promotion, seconds: Mapping[str, float]
) -> Outcome:
    """Summarize a run that trained a model and decided about it.

    Args:
        data: The first half of the run.
        challenger: The second half.
        promotion: What was written to the ledger.
        seconds: The seconds of each step.

    Returns:
        The outcome.
    """
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
        inventory=data.ingested.inventory,
    )


def _images(data: RunData, embedded: int) -> ImageCounts:
    rejected = data.ingested.rejected + data.labels.conflicts
    return ImageCounts(total=data.dataset.images, new=data.ingested.new, rejected=rejected, embedded=embedded)
