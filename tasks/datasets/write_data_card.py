"""What leaks from training into the test split, or would if files were split at random, measured on a version."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from configs import schema
from tasks.domain.datasets.data_card import DataCardSummary, Evidence, build_data_card
from tasks.domain.datasets.exclusions import list_rejected
from tasks.domain.datasets.export_formats import build_croissant
from tasks.domain.datasets.image_issues import (
    ImageName,
    Issue,
    find_odd_images,
    report_contradictions,
    summarize_duplicates,
)
from tasks.domain.datasets.label_issues import LabelIssues
from tasks.domain.datasets.leakage import (
    RANDOM_SPLIT_KEY,
    describe_leakage,
    find_split_neighbours,
    report_split_neighbours,
    sample_groups,
)
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.published_splits import published_words, report_misplaced
from tasks.domain.datasets.splits import Split
from tasks.domain.runs.results import RunData
from tasks.domain.training.results import DatasetFeatures, FeatureSet
from tasks.evaluation.label_changes import compare_labels
from tasks.features.embedding import fit_reduction
from tasks.reports.pages.data_card_page import list_pictured_images, render_data_card
from tasks.reports.pages.template import make_thumbnail
from tasks.reports.prefect_ui.artifacts import show_data_card
from tasks.step import step
from tasks.stores.store import Store

# So many test images, and so many to learn from, are compared at most. Names are hashes: the first are a fair sample.
_TESTED, _TRAINED = 2000, 20_000


def measure_leakage(
    data: RunData, rows: Sequence[Row], feature_set: FeatureSet, settings: schema.Settings
) -> dict[str, Any]:
    """Measure for a data card what a random split over files would have claimed; nothing where the card knows it.

    Args:
        data: The night's data.
        rows: The dataset version.
        feature_set: The features in the store that heads are to take.
        settings: How heads are trained.
    """
    from tasks.modeling.head.random_split import DistinctImages, measure_random_split
    from tasks.modeling.head.training import build_fit_options

    store = settings.store.url
    if RANDOM_SPLIT_KEY in (Store(store).data_cards.read(data.dataset.hash) or {}):
        return {}
    used, assigned = [row for row in rows if row.split is not Split.HELD_OUT], Store(store).splits.stored()
    located = Store(store).snapshots.located(data.ingested.source, data.ingested.moment)
    held = Counter(source_object.image for source_object in located)
    groups, copies = [assigned[row.image].group for row in used], [max(1, held[row.image]) for row in used]
    indices = sample_groups(groups, copies)
    features = (
        Store(store).features(feature_set.fingerprint, feature_set.width).read([used[index].image for index in indices])
    )
    labels = [used[index].label for index in indices]
    images = DistinctImages(
        features, labels, [groups[index] for index in indices], [copies[index] for index in indices]
    )
    if (measured := measure_random_split(images, build_fit_options(settings.training))) is None:
        return {}
    return {RANDOM_SPLIT_KEY: asdict(replace(measured, of=sum(copies), backbone=feature_set.fingerprint))}


def find_close_across_splits(rows: Sequence[Row], feature_set: FeatureSet, store: str) -> tuple[Issue, ...]:
    """Find test images whose features nearly agree with those of an image that heads learn from.

    Args:
        rows: The dataset version.
        feature_set: The features in the store that are compared.
        store: The address of the store.
    """
    ordered, assigned = sorted(rows, key=lambda row: row.image), Store(store).splits.stored()
    tested = [row for row in ordered if row.split is Split.TEST][:_TESTED]
    trained = [row for row in ordered if row.split in {Split.TRAIN, Split.VALIDATION}][:_TRAINED]
    table = Store(store).features(feature_set.fingerprint, feature_set.width)
    tested_features, trained_features = (table.read([row.image for row in part]) for part in (tested, trained))
    neighbours = find_split_neighbours(
        tested_features, trained_features, [assigned[row.image].group for row in trained]
    )
    return report_split_neighbours(neighbours, tested, trained)


@step(hours=6)
def write_data_card(
    data: RunData, settings: schema.Settings, embedded: DatasetFeatures | None = None
) -> DataCardSummary:
    """Write the data card: counts, balance, what is odd, missing or new, as JSON, a page, and Croissant metadata.

    With features at hand, labels that they speak against and images unlike all others are found too, and what a random
    split over files would have claimed is measured.
    """
    store, dataset = settings.store.url, data.dataset
    rows = Store(store).manifests.read(dataset.hash)
    parent = Store(store).manifests.read(dataset.parent) if dataset.parent else []
    suspected, issues = _label_issues(rows, store, embedded)
    close = find_close_across_splits(rows, embedded.current, store) if embedded else ()
    card = build_data_card(rows, parent, _evidence(data, rows, settings, (*close, *suspected)))
    changes = compare_labels(
        rows, Store(store).ledger.champion(), dataset.parent, Store(store), settings.labels.aliases
    )
    moved = changes.sentences() if changes else ()
    card = replace(card, warnings=(*moved, *issues.sentences(), *card.warnings))
    written = datetime.now(UTC).isoformat()
    facts = {
        **card.to_dict(),
        "dataset": dataset.hash,
        "parent": dataset.parent,
        "written": written,
        "labels": data.labels.name,
        "waiting": list(dataset.waiting),
        "passed_over": dict(data.ingested.passed_over),
        "manifest": asdict(data.labels.manifest) if data.labels.manifest else None,
        **_count_copies(data, rows, store),
        **(measure_leakage(data, rows, embedded.current, settings) if embedded else {}),
    }
    described = build_croissant(
        dataset.hash, len(rows), len(card.classes), written, Store(store).manifests.sha256(dataset.hash)
    )
    # A card is written once: where an earlier Pedigree wrote it, what that did not know is added.
    facts = {**facts, **Store(store).data_cards.write(dataset.hash, facts, described)}
    page = render_data_card(
        facts,
        {
            image: make_thumbnail(image_bytes)
            for image, image_bytes in Store(store).images.read(list_pictured_images(facts))
        },
    )
    show_data_card(facts, Store(store).data_cards.write_page(dataset.hash, page))
    return DataCardSummary(
        len(card.added),
        len(card.removed),
        len(card.relabelled),
        sum(len(finding.images) for finding in card.findings),
        (summarize_duplicates(facts), *describe_leakage(facts)),
        # The step that read the manifest has said what of it was not used.
        tuple(warning for warning in card.warnings if warning not in set(_manifest_warnings(data))),
        issues,
    )


def _manifest_warnings(data: RunData) -> Iterable[str]:
    return data.labels.manifest.sentences() if data.labels.manifest else ()


def _evidence(data: RunData, rows: list[Row], settings: schema.Settings, suspected: Iterable[Issue]) -> Evidence:
    store, source = settings.store.url, data.ingested.source
    examined = Store(store).images.read_infos([row.image for row in rows])
    rejections = Store(store).snapshots.rejected(source, data.ingested.moment)
    return Evidence(
        labelling=Store(store).labellings.read(data.labels.name),
        rejected=list_rejected(source, rejections),
        waiting=data.dataset.waiting,
        image_infos=examined,
        forgotten=frozenset(Store(store).tombstones.read()),
        findings=(
            *_contradictions(data, rows, settings),
            *find_odd_images(rows, examined, settings.backbone.size),
            *suspected,
        ),
        manifest=data.labels.manifest,
        minimum=settings.gate.minimum_support,
    )


def _contradictions(data: RunData, rows: list[Row], settings: schema.Settings) -> tuple[Issue, ...]:
    """Name near duplicates under two labels, and images that are not in the split that was published for them."""
    store, labelling = settings.store.url, Store(settings.store.url).labellings.read(data.labels.name)
    twins = Store(store).labellings.read_twins(data.labels.name, settings.dataset.near_duplicate_bits)
    images = {labelled.image: ImageName(labelled.key, labelled.label) for labelled in labelling.labelled}
    findings = report_contradictions(twins.get("labels", ()), images, {row.image for row in rows})
    if settings.labels.splits == "ignore":
        return findings
    likes = {twin.image: images[twin.other].key for twin in twins.get("splits", ())}
    return (*findings, *report_misplaced(rows, published_words(labelling.labelled), likes))


def _label_issues(
    rows: list[Row], store: str, embedded: DatasetFeatures | None
) -> tuple[tuple[Issue, ...], LabelIssues]:
    if embedded is None:
        return (), LabelIssues()
    from tasks.domain.datasets.label_issues import find_label_issues

    used = [row for row in rows if row.split is not Split.HELD_OUT]
    assigned = Store(store).splits.stored()
    features = Store(store).features(embedded.current.fingerprint, embedded.current.width)
    images = [row.image for row in used]
    issues = find_label_issues(
        used, [assigned[image].group for image in images], fit_reduction(features, images)(images)
    )
    return issues.findings, issues.labels


def _count_copies(data: RunData, rows: list[Row], store: str) -> dict[str, Any]:
    """Count the objects that are copies, and the images that share a near-duplicate group."""
    located = Store(store).snapshots.located(data.ingested.source, data.ingested.moment)
    assigned = Store(store).splits.stored()
    sizes = Counter(assigned[row.image].group for row in rows)
    return {
        "copies": len(located) - len({source_object.image for source_object in located}),
        "alike": sum(size for size in sizes.values() if size > 1),
    }
