"""The small values that the steps of a night hand to each other; each reads as one line of the night's diary."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from tasks.domain.collecting import Wanted
from tasks.domain.comparison import Comparison
from tasks.domain.decisions import AlreadyDecided, Decided
from tasks.domain.gate import Verdict
from tasks.domain.growth import Growth
from tasks.domain.label_issues import LabelIssues
from tasks.domain.label_manifest.use import ManifestUse
from tasks.domain.measured import Measured
from tasks.domain.mistakes import NOTHING, Mistakes
from tasks.domain.promise import Promise
from tasks.domain.trial import Trial
from tasks.domain.witnesses import LabelEvidence
from tasks.domain.wording import count, listed


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of the objects that had never been fetched before."""

    source: str
    fetched: int
    new: int
    rejected: int
    moment: str = ""
    passed_over: tuple[tuple[str, int], ...] = ()

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
    manifest: ManifestUse | None = None

    def __str__(self) -> str:
        """Say how many images have a label, have none, have two, or are left out, and what a manifest names in vain."""
        parts = [f"{count(self.images, 'labelled image')}, {self.unlabelled:,} without a label"]
        parts += [count(self.conflicts, "conflict")] if self.conflicts else []
        parts += [f"{self.left_out:,} of classes left out"] if self.left_out else []
        parts += [f"{self.forgotten:,} removed for good"] if self.forgotten else []
        return "; ".join((", ".join(parts), *(self.manifest.sentences() if self.manifest else ())))


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset version, and whether there is something to train on.

    ``decided`` is the number of the ledger's last entry at that moment: what is younger, another run has decided.
    """

    hash: str
    parent: str | None
    images: int
    classes: tuple[str, ...]
    waiting: tuple[str, ...]
    state: Literal["new", "unchanged", "waiting"]
    reason: str
    decided: int = 0
    contradictory: int = 0

    def __str__(self) -> str:
        """Name the version and say what it holds."""
        classes = count(len(self.classes), "class", "classes")
        text = f"version {self.hash[:12]} with {count(self.images, 'image')} of {classes}: {self.reason}"
        if self.state == "waiting" or not self.waiting:
            return text
        some = f"{len(self.waiting):,} classes wait, such as {self.waiting[0]}"
        return f"{text}; {some if self.waiting[1:] else f'{self.waiting[0]} waits'}"


@dataclass(frozen=True, slots=True)
class Inspected:
    """The data card of a dataset version, in short."""

    added: int
    removed: int
    relabelled: int
    findings: int
    leakage: tuple[str, ...]
    warnings: tuple[str, ...]
    labels: LabelIssues

    def __str__(self) -> str:
        """Say what changed since the parent version, and what to look at."""
        text = (
            f"{self.added:,} added, {self.removed:,} removed, {self.relabelled:,} relabelled since the parent version"
        )
        text += f", {count(self.findings, 'finding')}" if self.findings else ""
        return "; ".join((text, *self.leakage, *self.warnings))


@dataclass(frozen=True, slots=True)
class Reviewed:
    """How many images the golden set has."""

    golden: int

    def __str__(self) -> str:
        """Say that the golden set, where there is one, fits this version."""
        return f"{count(self.golden, 'golden image')}, none of them trained on" if self.golden else ""


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Features in the store: the fingerprint of the backbone that made them, and how many numbers an image has."""

    fingerprint: str
    width: int


@dataclass(frozen=True, slots=True)
class Embedded:
    """Features in the store: of every image under today's backbone, of the test images under the champion's.

    ``latency`` is how long today's takes for one image, from its bytes, in milliseconds on this machine. ``choice``
    says why today's ends where it does, if ``backbone.cut: auto`` came to mean that; else it is empty.
    """

    today: FeatureSet
    champion: FeatureSet
    computed: int
    reused: int
    latency: float | None = None
    choice: str = ""

    def __str__(self) -> str:
        """Say how many images went through the backbone and how many did not need to."""
        return f"{count(self.computed, 'image')} through backbone {self.today.fingerprint[:12]}, {self.reused:,} reused"


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
class Evaluation:
    """Challenger and champion on the same images: the test split's, and those of a golden set where there is one.

    ``champion`` is the number of the decision that made it; ``champion_problem`` says why it could not be measured, and
    then nothing is compared. ``latency`` is that of one image on this machine in milliseconds, None if not measured.
    ``growth`` says what the challenger learned from beyond the champion; None where that cannot be known.
    ``labels`` is what became of the labels under which the champion was judged.
    """

    images: int
    metrics: Mapping[str, float]
    champion: int | None
    test: Measured
    golden: Measured | None = None
    latency: float | None = None
    champion_problem: str = ""
    mistakes: Mistakes = NOTHING
    growth: Growth | None = None
    labels: LabelEvidence | None = None

    @property
    def comparison(self) -> Comparison | None:
        """What is compared on the test split; None where there is no champion, or none that can be measured."""
        return self.test.comparison

    def __str__(self) -> str:
        """Give the accuracies with the number of images behind them, and name the classes that only one model knows."""
        text = f"accuracy {self.metrics['accuracy']:.3f} on {count(self.images, 'test image')}"
        if self.test.worst:
            text += f", worst slice {self.test.worst.name} {self.test.worst.recall:.3f}"
        if self.champion_problem:
            return f"{text}; the champion cannot be measured: {self.champion_problem}"
        if self.comparison is None:
            return f"{text}, no champion yet"
        changes = self.labels.relabelling.sentences() if self.labels else ()
        return "; ".join((text, *_compared(self.comparison), *changes))


def _compared(found: Comparison) -> list[str]:
    shared = count(len(found.shared), "class", "classes")
    if found.champion is None or found.challenger is None:
        lines = [f"no test image of the {shared} that the champion shares{' kept its label' * bool(found.moved)}"]
    else:
        lines = [f"on the {shared} that the champion shares {found.challenger:.3f} against {found.champion:.3f}"]
    if found.moved and found.everywhere:
        ours, theirs = found.everywhere
        lines += [f"with {count(found.moved, 'relabelled one')} {ours:.3f} against {theirs:.3f}"]
    lines += [f"new to the champion: {listed(found.only_challenger)}"] if found.only_challenger else []
    lines += [f"known to the champion alone: {listed(found.only_champion)}"] if found.only_champion else []
    return lines


@dataclass(frozen=True, slots=True)
class Data:
    """The first half of a night: what the photographs came to; ``inspected`` is missing until features were at hand."""

    ingested: Ingested
    labels: Labels
    dataset: Dataset
    inspected: Inspected | None = None

    def plain(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return asdict(self)

    def decided_by(self, other: AlreadyDecided) -> "Data":
        """Say that there is nothing to decide any more, since another run has."""
        reason = f"nothing new to learn from, since {other}"
        return replace(self, dataset=replace(self.dataset, state="unchanged", reason=reason))


@dataclass(frozen=True, slots=True)
class Challenger:
    """The second half of a night: the model just trained, what the gate says of it, and what to collect next."""

    embedded: Embedded
    trained: Trained
    evaluation: Evaluation
    verdict: Verdict
    collect: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True)
class Explained:
    """The evaluation report in short: mistakes on the test split, what came of them since the champion, its page.

    ``collect`` is what to collect next, ranked.
    """

    mistakes: int
    since: str
    page: str
    collect: tuple[Wanted, ...] = ()

    def __str__(self) -> str:
        """Count the mistakes, and say where they can be looked at."""
        text = f"{count(self.mistakes, 'mistake')}{self.since}"
        return f"{text}: {self.page or 'evaluation/report.html in the MLflow run'}"


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was decided and written to the ledger, about which model version, and the pages that show more.

    A page's address is empty where MLflow is a database that has no pages.
    """

    decision: int
    status: Decided
    model_version: str
    reason: str
    rules: tuple[Mapping[str, Any], ...]
    pages: Mapping[str, str]

    def __str__(self) -> str:
        """Say the decision and its reason."""
        return f"decision {self.decision}, model version {self.model_version} {self.status}: {self.reason}"
