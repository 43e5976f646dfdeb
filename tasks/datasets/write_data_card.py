"""Step 6: the data card of a dataset version, so that a person sees what the model is made from."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from configs import schema
from tasks.datasets.leakage import close_across_splits, leakage
from tasks.domain.datasets.contradictions import Named, alike_under_two_labels, likeness
from tasks.domain.datasets.data_card import Evidence, Inspected, data_card
from tasks.domain.datasets.exclusions import rejected
from tasks.domain.datasets.export_formats import croissant
from tasks.domain.datasets.image_issues import Finding, odd_pictures
from tasks.domain.datasets.label_issue_counts import LabelIssues
from tasks.domain.datasets.leakage import leakage_sentences
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.published_splits import elsewhere, published
from tasks.domain.datasets.splits import Split
from tasks.domain.runs.results import Data
from tasks.domain.training.results import Embedded
from tasks.evaluation.label_changes import label_changes
from tasks.features.pca import reduction
from tasks.reports.pages.data_card_page import card_page, pictured
from tasks.reports.pages.template import thumbnail
from tasks.reports.prefect_ui.artifacts import show_card
from tasks.step import step
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.manifests import manifest_sha256, read_labels, read_manifest, read_twins, write_card, write_page
from tasks.stores.files.tombstones import forgotten_images
from tasks.stores.tables.features import FeatureStore
from tasks.stores.tables.images import ImageStore
from tasks.stores.tables.snapshots import SnapshotStore
from tasks.stores.tables.splits import SplitStore


@step(hours=6)
def inspect(data: Data, settings: schema.Settings, embedded: Embedded | None = None) -> Inspected:
    """Write the data card: counts, balance, what is odd, missing or new, as JSON, a page, and Croissant metadata.

    With features at hand, labels that they speak against and images unlike all others are found too, and what a random
    split over files would have claimed is measured.
    """
    store, dataset = settings.store.url, data.dataset
    rows = read_manifest(store, dataset.hash)
    parent = read_manifest(store, dataset.parent) if dataset.parent else []
    suspected, issues = _suspects(rows, store, embedded)
    close = close_across_splits(rows, embedded.today, store) if embedded else ()
    card = data_card(rows, parent, _evidence(data, rows, settings, (*close, *suspected)))
    changes = label_changes(rows, Ledger(store).champion(), dataset.parent, settings)
    moved = changes.sentences() if changes else ()
    card = replace(card, warnings=(*moved, *issues.sentences(), *card.warnings))
    written = datetime.now(UTC).isoformat()
    facts = {
        **card.plain(),
        "dataset": dataset.hash,
        "parent": dataset.parent,
        "written": written,
        "labels": data.labels.name,
        "waiting": list(dataset.waiting),
        "passed_over": dict(data.ingested.passed_over),
        "manifest": asdict(data.labels.manifest) if data.labels.manifest else None,
        **_likeness(data, rows, store),
        **(leakage(data, rows, embedded.today, settings) if embedded else {}),
    }
    described = croissant(dataset.hash, len(rows), len(card.classes), written, manifest_sha256(store, dataset.hash))
    # A card is written once: where an earlier Pedigree wrote it, what that did not know is added.
    facts = {**facts, **write_card(store, dataset.hash, facts, described)}
    page = card_page(facts, {image: thumbnail(found) for image, found in ImageStore(store).read(pictured(facts))})
    show_card(facts, write_page(store, dataset.hash, page))
    return Inspected(
        len(card.added),
        len(card.removed),
        len(card.relabelled),
        sum(len(one.images) for one in card.findings),
        (likeness(facts), *leakage_sentences(facts)),
        # The step that read the manifest has said what of it was not used.
        tuple(warning for warning in card.warnings if warning not in set(_of_manifest(data))),
        issues,
    )


def _of_manifest(data: Data) -> Iterable[str]:
    return data.labels.manifest.sentences() if data.labels.manifest else ()


def _evidence(data: Data, rows: list[Row], settings: schema.Settings, suspected: Iterable[Finding]) -> Evidence:
    store, source = settings.store.url, data.ingested.source
    examined = ImageStore(store).examined([row.image for row in rows])
    rejections = SnapshotStore(store).rejected(source, data.ingested.moment)
    return Evidence(
        labelling=read_labels(store, data.labels.name),
        rejected=rejected(source, rejections),
        waiting=data.dataset.waiting,
        examined=examined,
        forgotten=frozenset(forgotten_images(store)),
        findings=(
            *_contradictions(data, rows, settings),
            *odd_pictures(rows, examined, settings.backbone.size),
            *suspected,
        ),
        manifest=data.labels.manifest,
        minimum=settings.gate.minimum_support,
    )


def _contradictions(data: Data, rows: list[Row], settings: schema.Settings) -> tuple[Finding, ...]:
    """Name near duplicates under two labels, and images that are not in the split that was published for them."""
    store, labelling = settings.store.url, read_labels(settings.store.url, data.labels.name)
    twins = read_twins(store, data.labels.name, settings.dataset.near_duplicate_bits)
    images = {one.image: Named(one.key, one.label) for one in labelling.labelled}
    found = alike_under_two_labels(twins.get("labels", ()), images, {row.image for row in rows})
    if settings.labels.splits == "ignore":
        return found
    likes = {twin.image: images[twin.other].key for twin in twins.get("splits", ())}
    return (*found, *elsewhere(rows, published(labelling.labelled), likes))


def _suspects(rows: list[Row], store: str, embedded: Embedded | None) -> tuple[tuple[Finding, ...], LabelIssues]:
    if embedded is None:
        return (), LabelIssues()
    from tasks.domain.datasets.label_issues import suspects

    used = [row for row in rows if row.split is not Split.HELD_OUT]
    known = SplitStore(store).known()
    features = FeatureStore(store, embedded.today.fingerprint, embedded.today.width)
    images = [row.image for row in used]
    found = suspects(used, [known[image].group for image in images], reduction(features, images)(images))
    return found.findings, found.labels


def _likeness(data: Data, rows: list[Row], store: str) -> dict[str, Any]:
    """Count the objects that are copies, and the images that share a near-duplicate group."""
    located = SnapshotStore(store).located(data.ingested.source, data.ingested.moment)
    known = SplitStore(store).known()
    sizes = Counter(known[row.image].group for row in rows)
    return {
        "copies": len(located) - len({one.image for one in located}),
        "alike": sum(size for size in sizes.values() if size > 1),
    }
