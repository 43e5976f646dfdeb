"""The small values that the steps of a night hand to each other; each reads as one line of the night's diary."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tasks.domain.gate import Verdict

Status = Literal["promoted", "rejected", "unchanged", "waiting"]


def count(number: int, thing: str, plural: str = "") -> str:
    """Write a number with its noun, such as ``1 image`` and ``1,200 images``."""
    return f"{number:,} {thing if number == 1 else plural or thing + 's'}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The source at one moment; the moment is empty where that is now."""

    source: str
    taken: str
    objects: int
    changed: int
    moment: str = ""

    def __str__(self) -> str:
        """Say how many objects the source holds and how many are different from the last look."""
        if self.moment:
            return f"{count(self.objects, 'object')} in {self.source} on {self.moment[:16]} (UTC)"
        return f"{count(self.objects, 'object')} in {self.source}, {self.changed:,} new or changed or gone"


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of the objects that had never been fetched before."""

    source: str
    fetched: int
    new: int
    rejected: int
    moment: str = ""

    def __str__(self) -> str:
        """Say what was fetched and what became of it."""
        if not self.fetched:
            return "nothing to fetch"
        return f"{count(self.fetched, 'object')} fetched: {count(self.new, 'new image')}, {self.rejected:,} rejected"


@dataclass(frozen=True, slots=True)
class Labels:
    """Which image has which label; the rows lie in the store under ``name``."""

    name: str
    images: int
    unlabelled: int
    conflicts: int
    left_out: int
    missing: int
    forgotten: int

    def __str__(self) -> str:
        """Say how many images have a label, have none, have two, or are left out, and what a manifest names in vain."""
        parts = [f"{count(self.images, 'labelled image')}, {self.unlabelled:,} without a label"]
        parts += [count(self.conflicts, "conflict")] if self.conflicts else []
        parts += [f"{self.left_out:,} of classes left out"] if self.left_out else []
        parts += [f"{count(self.missing, 'key')} of the manifest not in the source"] if self.missing else []
        parts += [f"{self.forgotten:,} removed for good"] if self.forgotten else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset version, and whether there is something to train on."""

    hash: str
    parent: str | None
    images: int
    classes: tuple[str, ...]
    waiting: tuple[str, ...]
    state: Literal["new", "unchanged", "waiting"]
    reason: str

    def __str__(self) -> str:
        """Name the version and say what it holds."""
        classes = count(len(self.classes), "class", "classes")
        return f"version {self.hash[:12]} with {count(self.images, 'image')} of {classes}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Inspected:
    """The data card of a dataset version, in short."""

    added: int
    removed: int
    relabelled: int
    findings: int
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        """Say what changed since the parent version, and what to look at."""
        text = (
            f"{self.added:,} added, {self.removed:,} removed, {self.relabelled:,} relabelled since the parent version"
        )
        text += f", {count(self.findings, 'finding')}" if self.findings else ""
        return "; ".join((text, *self.warnings))


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Features in the store: the fingerprint of the backbone that made them, and how many numbers an image has."""

    fingerprint: str
    width: int


@dataclass(frozen=True, slots=True)
class Embedded:
    """Features in the store: of every image under today's backbone, of the test images under the champion's."""

    today: FeatureSet
    champion: FeatureSet
    computed: int
    reused: int

    def __str__(self) -> str:
        """Say how many images went through the backbone and how many did not need to."""
        return f"{count(self.computed, 'image')} through backbone {self.today.fingerprint[:12]}, {self.reused:,} reused"


@dataclass(frozen=True, slots=True)
class Trained:
    """A head, kept in the store under its name, whose features it takes, and the MLflow run that tells its story."""

    made: FeatureSet
    head: str
    run_id: str
    epochs: int
    validation_accuracy: float

    def __str__(self) -> str:
        """Name the head and say how the training went."""
        best = f"validation accuracy {self.validation_accuracy:.3f}"
        return f"head {self.head[:12]} after {count(self.epochs, 'epoch')}, {best}"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Challenger and champion on the same test images; accuracies to compare cover the classes that both know."""

    images: int
    metrics: Mapping[str, float]
    champion: int | None
    champion_accuracy: float | None
    comparable_accuracy: float

    def __str__(self) -> str:
        """Give the accuracies with the number of images behind them."""
        text = f"accuracy {self.metrics['accuracy']:.3f} on {count(self.images, 'test image')}"
        if self.champion_accuracy is None:
            return f"{text}, no champion yet"
        return f"{text}; on the champion's classes {self.comparable_accuracy:.3f} against {self.champion_accuracy:.3f}"


@dataclass(frozen=True, slots=True)
class Data:
    """The first half of a night: what the photographs came to."""

    ingested: Ingested
    labels: Labels
    dataset: Dataset

    def plain(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Challenger:
    """The second half of a night: the model just trained, and what the gate says of it."""

    embedded: Embedded
    trained: Trained
    evaluation: Evaluation
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was decided and written to the ledger, about which model version, and where its data card is shown."""

    decision: int
    status: Literal["promoted", "rejected"]
    model_version: str
    reason: str
    rules: tuple[Mapping[str, Any], ...]
    card_page: str

    def __str__(self) -> str:
        """Say the decision and its reason."""
        return f"decision {self.decision}, model version {self.model_version} {self.status}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Images:
    """The night in numbers of images."""

    total: int
    new: int
    rejected: int
    embedded: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the night ended: what ``pedigree retrain --json`` prints."""

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

    def __str__(self) -> str:
        """Say how the night ended."""
        return f"{self.status}: {self.reason}"

    def plain(self) -> dict[str, Any]:
        """Turn the outcome into what JSON can hold."""
        return asdict(self)


def settled(data: Data, seconds: Mapping[str, float]) -> Outcome:
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
    )


def decided(data: Data, challenger: Challenger, promotion: Promotion, seconds: Mapping[str, float]) -> Outcome:
    """Describe a night that trained a model and decided about it."""
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
    )


def _images(data: Data, embedded: int) -> Images:
    rejected = data.ingested.rejected + data.labels.conflicts
    return Images(total=data.dataset.images, new=data.ingested.new, rejected=rejected, embedded=embedded)
