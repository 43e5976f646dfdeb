"""The card of an exported model: what the store knows of it, in the sections that the pages of runs have too."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.card import Card
from configs.sections import Gate
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.evaluation.metrics import Measurement, measure_models
from tasks.domain.evaluation.slices import exclude_whole_slices
from tasks.domain.gate.rule_result import COLUMNS, build_rule_row
from tasks.domain.phrasing import SHORT, count
from tasks.domain.registry.decisions import Decision, find_champion
from tasks.domain.registry.model_record import Record
from tasks.domain.training.calibration import Promise
from tasks.evaluation.evaluation_sets import build_evaluation_set
from tasks.features.embedding import predict
from tasks.features.stored_models import stored_head
from tasks.reports.pages.hub_card import HubMetadata, describe_license, render_card_markdown
from tasks.reports.pages.model_card import (
    Section,
    Table,
    describe_classes,
    describe_figures,
    describe_scope,
    describe_slices,
    describe_use,
)
from tasks.stores.store import Store

_SPLITS = (Split.TRAIN, Split.VALIDATION, Split.TEST)
# What of a model's settings says how it was trained; where photographs and labels lie is nobody else's business.
_SETTINGS = ("images", "backbone", "training")
_WEIGHTS = {
    "imagenet": "The weights of the network were learned from ImageNet, as Keras brings them.",
    "demo": "The weights of the network were learned from drawn dogs; on photographs they are worth little.",
    "random": "The weights of the network were drawn at random: it has learned nothing from pictures.",
}
_GROUPS = (
    "All images of a group are in the same split, so that no test image resembles a training image too closely. "
    "None of these photographs is part of this folder."
)
# Classes and slices with fewer test images are not measured.
_MINIMUM = Gate().minimum_support
_USE = """\
pip install -r requirements.txt
python predict.py --check
python predict.py photograph.jpg"""
_FILES = (
    ("model.onnx", "the network and the head: from bytes of a square to features and calibrated probabilities"),
    ("predict.py", "the program that answers photographs; it needs NumPy, Pillow and ONNX Runtime"),
    ("code/", "the pixel function of the training, byte for byte: it decodes, turns, converts and resizes a file"),
    ("config.json", "labels, size, threshold, limits and hashes, for programs"),
    ("weights/", "the weights of the network and of the head, from which the graph was written"),
    ("golden/", "drawn test pictures with the answers that are expected of them"),
    ("SHA256SUMS", "the hash of every file, for sha256sum --check"),
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How near the exported model's answers are to those that were evaluated.

    Attributes:
        pictures: The number of pictures that it was asked.
        widest: The widest difference of a probability.
        tolerance: The difference that is allowed.
    """

    pictures: int
    widest: float
    tolerance: float

    def __str__(self) -> str:
        """Say it in a sentence."""
        apart = f"at most {self.widest:.1g} apart" if self.widest else "the same bit for bit"
        return (
            f"On {count(self.pictures, 'picture')} this folder gave, in a process of its own, the pixels and the "
            f"answers that the model was evaluated with: probabilities {apart}, where {self.tolerance:g} is allowed."
        )


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """The model that is exported.

    Attributes:
        name: The name under which it is registered.
        decision: The last decision about it.
        record: What it was made from.
    """

    name: str
    decision: Decision
    record: Record


def write_card(path: Path, store: Store, details: ModelDetails, card: Card, agreement: Agreement) -> None:
    """Write the model card of an export.

    Args:
        path: The file to write.
        store: The store that holds the model.
        details: The model.
        card: The licence and whatever else only a person can say.
        agreement: How near its answers are to those that were evaluated.
    """
    measurement = _measure(store, details)
    metadata = HubMetadata(
        name=details.name,
        library="onnxruntime",
        card=card,
        dataset=details.decision.dataset,
        figures=measurement.figures,
        slices=measurement.slices,
    )
    title = f"{details.name}, version {details.decision.model_version}"
    sections = _sections(store, details, card, measurement, agreement)
    path.write_text(render_card_markdown(title, sections, metadata), encoding="utf-8")


def _measure(store: Store, details: ModelDetails) -> Measurement:
    """Measure the model on the test split once more, from stored features."""
    rows = list(store.manifests.columns(details.decision.dataset).of_split(Split.TEST))
    predictions = predict(store, details.record.made, details.decision.head, [row.image for row in rows])
    return measure_models(predictions, None, build_evaluation_set(store, rows), _MINIMUM)


def _sections(
    store: Store, details: ModelDetails, card: Card, measurement: Measurement, agreement: Agreement
) -> tuple[Section, ...]:
    head, data_card = stored_head(store, details.decision.head), store.data_cards.read(details.decision.dataset) or {}
    promise = Promise(details.record.settings.get("training", {}).get("sure_precision", 0.0), head.threshold)
    return (
        describe_use(head.classes, promise),
        describe_scope(),
        Section("How to use it", (str(agreement),), code=_USE),
        Section("Files", table=Table(("file", "what it is"), _FILES)),
        describe_license(card),
        _training(details.record, store.backbones.read_facts(details.decision.backbone)),
        _data(store, details.decision.dataset),
        describe_figures(measurement.figures, promise, data_card),
        describe_classes(measurement.figures),
        describe_slices(measurement.slices),
        _decision(store, details.decision),
        _limits(measurement, data_card),
        _origin(details),
    )


def _training(record: Record, facts: Mapping[str, Any]) -> Section:
    """List the settings of the training, and what the network's weights are."""
    settings = record.settings
    sections = (*_SETTINGS, *(("fine_tuning",) if settings.get("training", {}).get("method") == "fine-tune" else ()))
    rows = tuple(
        (f"{section}.{name}", _shorten(name, value))
        for section in sections
        for name, value in settings.get(section, {}).items()
        if value != ""
    )
    sentences = (
        f"InceptionV3 up to {facts['cut']}, on pictures of {facts['size']} x {facts['size']} pixels.",
        *((_describe_weights(settings["backbone"]),) if "backbone" in settings else ()),
        "Behind it a softmax regression tells the classes apart, with a temperature fitted on images held out.",
    )
    return Section("Training", sentences, table=Table(("setting", "value"), rows) if rows else None)


def _describe_weights(backbone: Mapping[str, Any]) -> str:
    """Say where the network's weights come from; of a file only its name, since folders tell about people."""
    weights, sha256 = str(backbone["weights"]), backbone.get("sha256") or "unknown"
    return _WEIGHTS.get(weights, f"Its weights come from the file {_last_part(weights)}, of SHA-256 {sha256}.")


def _shorten(name: str, value: object) -> str:
    """Return a setting as text; of a file's path no more than its name, since folders tell about people."""
    return _last_part(str(value)) if name == "weights" else str(value)


def _last_part(address: str) -> str:
    return address.replace("\\", "/").rpartition("/")[2]


def _data(store: Store, dataset: str) -> Section:
    """Count the images of each class by split."""
    rows = store.manifests.columns(dataset)
    counts = {split: _count_labels(rows.of_split(split)) for split in _SPLITS}
    images = rows.of_split(*_SPLITS).images.to_pylist()
    groups = len(set(store.splits.stored().group_names(images)))
    table = tuple(
        (label, *(f"{counts[split][label]:,}" for split in _SPLITS)) for label in sorted(set().union(*counts.values()))
    )
    size = f"Dataset version {dataset}: {count(len(images), 'image')} in {groups:,} groups of near duplicates."
    return Section("Data", (size, _GROUPS), table=Table(("class", *map(str, _SPLITS)), table))


def _count_labels(rows: VersionRows) -> Counter[str]:
    return Counter(row.label for row in rows)


def _decision(store: Store, decision: Decision) -> Section:
    """List the gate's rules with what happened; who overruled them is not told outside."""
    entries = store.ledger.entries()
    judged = [entry for entry in entries if entry.model == decision.model and entry.decided_by_gate]
    champion = find_champion(entries)
    serves = champion is not None and champion.model == decision.model
    state = f"When this folder was written, this model {'was' if serves else 'was not'} the champion, which serves."
    sentences: Sequence[str] = (
        (f"{state} {decision.outcome.capitalize()} by a person.",) if decision.person else (state,)
    )
    if not judged:
        return Section("Decision", tuple(sentences))
    gate = f"The gate said {judged[-1].outcome}: {judged[-1].reason}."
    rows = tuple(tuple(build_rule_row(rule)) for rule in judged[-1].rules)
    return Section("Decision", (*sentences, gate), table=Table(COLUMNS, rows) if rows else None)


def _limits(measurement: Measurement, data_card: Mapping[str, Any]) -> Section:
    """Say where the model is worst, between which groups it differs most, and of what nothing is known."""
    items = [
        f"By {gap.attribute}, {gap.worst} is recognised {gap.gap:.1%} less often than {gap.best}."
        for gap in sorted(measurement.gaps, key=lambda gap: -(gap.gap or 0))
        if gap.gap
    ]
    if worst := measurement.worst:
        items.append(f"The worst slice that is known is {worst.name}: {worst.recall:.1%} of {worst.images:,} images.")
    unknown = [entry.name for entry in exclude_whole_slices(measurement.slices) if not entry.known]
    unknown += [entry.label for entry in measurement.figures.classes if not entry.known]
    if unknown:
        parts = count(len(unknown), "class or slice", "classes and slices")
        items.append(f"For lack of test images nothing is known of {parts}.")
    items += [f"The data card warns: {warning}." for warning in data_card.get("warnings", ())]
    note = "Attributes that nobody wrote down may divide the photographs as well; of these the figures say nothing."
    return Section("Limits and bias", (note,), items=tuple(items))


def _origin(details: ModelDetails) -> Section:
    """Say from which code, on which machine and from which versions of the libraries the model came."""
    record, head = details.record, details.decision.head
    facts = tuple(
        (name, value[:SHORT] if name in {"git_commit", "lock"} else value) for name, value in record.code.items()
    )
    machine = tuple((name, str(value)) for name, value in record.machine.items())
    sentences = (
        f"Head {head} on backbone {details.decision.backbone}, trained by Pedigree.",
        "Whoever has the store trains this very model again with the command below, which compares it bit for bit.",
    )
    table = Table(("made with", "version"), (*facts, *machine))
    return Section("How to train it again", sentences, table=table, code=f"pedigree reproduce {head[:SHORT]} -c FILE")
