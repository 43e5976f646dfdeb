"""The step that writes the data card of a dataset version: counts, image and label issues, and leakage."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs import schema
from configs.cores import single_threaded_blas
from tasks.domain.columns import whole
from tasks.domain.datasets.data_card import DataCard, DataCardSummary, Evidence, build_data_card
from tasks.domain.datasets.exclusions import list_rejected
from tasks.domain.datasets.export_formats import build_croissant
from tasks.domain.datasets.image_issues import (
    ImageName,
    Issue,
    Twin,
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
from tasks.domain.datasets.measured_sample import describe_measured, select_measured
from tasks.domain.datasets.published_splits import report_misplaced
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.labels.labelled_images import LabelledImages, Labelling
from tasks.domain.runs.results import RunData
from tasks.domain.training.results import DatasetFeatures, FeatureSet
from tasks.evaluation.label_changes import compare_labels
from tasks.features.embedding import fit_reduction
from tasks.reports.pages.data_card_page import list_pictured_images, render_data_card
from tasks.reports.pages.template import make_thumbnail
from tasks.reports.prefect_ui.artifacts import show_data_card
from tasks.step import step
from tasks.stores.store import Store

# The most test images, and images to learn from, that are compared. Names are hashes, so the first are a fair sample.
_TESTED, _TRAINED = 2000, 20_000


def measure_leakage(
    data: RunData, rows: Sequence[Row], feature_set: FeatureSet, training: schema.Training, store: Store
) -> dict[str, Any]:
    """Measure the accuracy that a random split over files would have claimed, unless the data card knows it already.

    Args:
        data: The run's data.
        rows: The dataset version.
        feature_set: The features that heads are trained on.
        training: How heads are trained.
        store: Holds features, splits, the listing, and the data card where an earlier run wrote it.

    Returns:
        The measurement as one entry of the data card; empty where the card has it, or where nothing can be measured.
    """
    from tasks.modeling.head.random_split import DistinctImages, measure_random_split
    from tasks.modeling.head.training import build_fit_options

    if RANDOM_SPLIT_KEY in (store.data_cards.read(data.dataset.hash) or {}):
        return {}
    used = VersionRows.of(rows).of_split(Split.TRAIN, Split.VALIDATION, Split.TEST)
    located = whole(store.snapshots.located(data.ingested.source, data.ingested.moment)["image"])
    positions = np.asarray(pc.fill_null(pc.index_in(located, used.images), -1), np.int64)
    copies = np.maximum(1, np.bincount(positions[positions >= 0], minlength=len(used)))
    groups = store.splits.stored().group_names(used.images)
    indices = np.array(sample_groups(groups, copies.tolist()), np.int64)
    table, sampled = store.features(feature_set.fingerprint, feature_set.width), list(used.take(indices))
    features, labels = table.read([row.image for row in sampled]), [row.label for row in sampled]
    images = DistinctImages(features, labels, [groups[index] for index in indices], copies[indices].tolist())
    if (measured := measure_random_split(images, build_fit_options(training))) is None:
        return {}
    return {RANDOM_SPLIT_KEY: asdict(replace(measured, of=int(copies.sum()), backbone=feature_set.fingerprint))}


@single_threaded_blas()
def find_close_across_splits(rows: Sequence[Row], feature_set: FeatureSet, store: Store) -> tuple[Issue, ...]:
    """Find test images whose features nearly agree with those of an image that heads learn from.

    Args:
        rows: The dataset version.
        feature_set: The features that are compared.
        store: Holds features and splits.

    Returns:
        The test images, each with its nearest neighbour.
    """
    ordered = VersionRows.of(rows).in_order()
    tested = list(ordered.of_split(Split.TEST)[:_TESTED])
    trained = list(ordered.of_split(Split.TRAIN, Split.VALIDATION)[:_TRAINED])
    table = store.features(feature_set.fingerprint, feature_set.width)
    tested_features, trained_features = (table.read([row.image for row in part]) for part in (tested, trained))
    groups = store.splits.stored().group_names([row.image for row in trained])
    neighbours = find_split_neighbours(tested_features, trained_features, groups)
    return report_split_neighbours(neighbours, tested, trained)


@step(hours=6)
def write_data_card(
    data: RunData, settings: schema.Settings, embedded: DatasetFeatures | None = None
) -> DataCardSummary:
    """Write the data card of a dataset version as JSON, as a page, and as Croissant metadata.

    Args:
        data: What the photographs came to.
        settings: All of them: labels, dataset, backbone, training, gate and store each say something here.
        embedded: The features of the images; without them label issues and leakage are left out.

    Returns:
        The changes since the parent version, and what people should look at.
    """
    store, dataset = Store(settings.store.url), data.dataset
    rows = store.manifests.columns(dataset.hash)
    parent = store.manifests.columns(dataset.parent) if dataset.parent else VersionRows.of(())
    measured = select_measured(rows, parent)
    suspected, issues = _label_issues(measured, store, embedded)
    close = find_close_across_splits(rows, embedded.current, store) if embedded else ()
    card = build_data_card(rows, parent, _evidence(data, (rows, measured), settings, store, (*close, *suspected)))
    changes = compare_labels(rows, store.ledger.champion(), dataset.parent, store, settings.labels.aliases)
    moved = changes.sentences() if changes else ()
    card = replace(card, warnings=(*moved, *issues.sentences(), *card.warnings))
    leakage = measure_leakage(data, rows, embedded.current, settings.training, store) if embedded else {}
    facts = _store_card(card, rows, {**_run_facts(data), **_count_copies(data, rows, store), **leakage}, store)
    return DataCardSummary(
        len(card.added),
        len(card.removed),
        len(card.relabelled),
        sum(len(finding.images) for finding in card.findings),
        (summarize_duplicates(facts), *describe_leakage(facts), *filter(None, [describe_measured(facts)])),
        # The labelling step has reported already what of the manifest was not used.
        tuple(warning for warning in card.warnings if warning not in set(_manifest_warnings(data))),
        issues,
    )


def _run_facts(data: RunData) -> dict[str, Any]:
    """Return what the data card says about the run that wrote it, in the order of its JSON."""
    return {
        "dataset": data.dataset.hash,
        "parent": data.dataset.parent,
        "written": datetime.now(UTC).isoformat(),
        "labels": data.labels.name,
        "waiting": list(data.dataset.waiting),
        "passed_over": dict(data.ingested.passed_over),
        "manifest": asdict(data.labels.manifest) if data.labels.manifest else None,
    }


def _store_card(card: DataCard, rows: VersionRows, run_facts: Mapping[str, Any], store: Store) -> dict[str, Any]:
    """Store the data card in its three forms, and show its page in Prefect.

    Args:
        card: The counts, the findings and the warnings.
        rows: The dataset version.
        run_facts: What is written beside them.
        store: Holds the images; gets the card.

    Returns:
        All that the card says; what an earlier run wrote stands.
    """
    name, facts = run_facts["dataset"], {**card.to_dict(), **run_facts}
    metadata = build_croissant(name, len(rows), len(card.classes), facts["written"], store.manifests.sha256(name))
    # A card is written once; what an earlier Pedigree did not know is added to it.
    facts = {**facts, **store.data_cards.write(name, facts, metadata)}
    pictured = store.images.read(list_pictured_images(facts))
    page = render_data_card(facts, {image: make_thumbnail(image_bytes) for image, image_bytes in pictured})
    show_data_card(facts, store.data_cards.write_page(name, page))
    return facts


def _manifest_warnings(data: RunData) -> Iterable[str]:
    return data.labels.manifest.sentences() if data.labels.manifest else ()


def _evidence(
    data: RunData,
    version: tuple[VersionRows, list[Row]],
    settings: schema.Settings,
    store: Store,
    suspected: Iterable[Issue],
) -> Evidence:
    """Collect what the card is made from.

    Args:
        data: What the photographs came to.
        version: All rows, and those that are measured.
        settings: Those of datasets, labels, backbone and gate.
        store: Holds the labelling, the images and what was rejected.
        suspected: The issues that features reveal.

    Returns:
        The evidence.
    """
    rows, measured = version
    source, labelling = data.ingested.source, store.labellings.read(data.labels.name)
    image_infos = store.images.read_infos([row.image for row in measured])
    rejections = store.snapshots.rejected(source, data.ingested.moment)
    twins = store.labellings.read_twins(data.labels.name, settings.dataset.near_duplicate_bits)
    return Evidence(
        labelling=labelling,
        rejected=list_rejected(source, rejections),
        waiting=data.dataset.waiting,
        image_infos=image_infos,
        forgotten=frozenset(store.tombstones.read()),
        findings=(
            *_contradictions(labelling, twins, rows, obeys_splits=settings.labels.splits != "ignore"),
            *find_odd_images(measured, image_infos, settings.backbone.size),
            *suspected,
        ),
        manifest=data.labels.manifest,
        minimum=settings.gate.minimum_support,
        measured=measured,
    )


def _contradictions(
    labelling: Labelling, twins: Mapping[str, Sequence[Twin]], rows: VersionRows, *, obeys_splits: bool
) -> tuple[Issue, ...]:
    """Report near duplicates under two labels, and images that are not in the split that was published for them."""
    named = pa.array([name for pairs in twins.values() for twin in pairs for name in twin[:2]], pa.string())
    labelled = LabelledImages.of(labelling.labelled)
    contradictory = labelled.take(np.asarray(pc.is_in(labelled.images, named)))
    images = {entry.image: ImageName(entry.key, entry.label) for entry in contradictory}
    shown = set(rows.images.filter(pc.is_in(rows.images, named)).to_pylist())
    findings = report_contradictions(twins.get("labels", ()), images, shown)
    if not obeys_splits:
        return findings
    likes = {twin.image: images[twin.other].key for twin in twins.get("splits", ())}
    return (*findings, *report_misplaced(rows, labelled, likes))


def _label_issues(
    rows: list[Row], store: Store, embedded: DatasetFeatures | None
) -> tuple[tuple[Issue, ...], LabelIssues]:
    if embedded is None:
        return (), LabelIssues()
    from tasks.domain.datasets.label_issues import find_label_issues

    used = [row for row in rows if row.split is not Split.HELD_OUT]
    features = store.features(embedded.current.fingerprint, embedded.current.width)
    images = [row.image for row in used]
    groups = store.splits.stored().group_names(images)
    issues = find_label_issues(used, groups, fit_reduction(features, images)(images))
    return issues.findings, issues.labels


def _count_copies(data: RunData, rows: VersionRows, store: Store) -> dict[str, Any]:
    """Count the objects that are copies, and the images that share a near-duplicate group."""
    located = store.snapshots.located(data.ingested.source, data.ingested.moment)
    groups = pa.array(store.splits.stored().group_names(rows.images), pa.string())
    sizes = np.asarray(groups.value_counts().field("counts"))
    return {
        "copies": located.num_rows - len(located["image"].unique()),
        "alike": int(sizes[sizes > 1].sum()),
    }
