"""The step that labels images, from folders, a manifest and object metadata."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs import schema
from tasks.datasets.source_manifest import match_manifest, read_inbox_labels
from tasks.domain.columns import whole
from tasks.domain.ingestion.source_objects import Entry, IngestSummary
from tasks.domain.ingestion.triggers import FEW
from tasks.domain.labels.attributes import Attributes
from tasks.domain.labels.inbox_labels import INBOX_FOLDER
from tasks.domain.labels.label_images import Statements, label_images
from tasks.domain.labels.labeling import SourceLabel, Spelling
from tasks.domain.labels.results import Labels, ManifestUse, MatchedStatements, count_manifest_use
from tasks.domain.phrasing import count
from tasks.domain.runs.known_inputs import Inputs, label_inputs
from tasks.reports.prefect_ui.progress import show_progress
from tasks.step import log_line, step
from tasks.stores.files.known_results import TableVersion
from tasks.stores.files.known_steps import known_labels
from tasks.stores.objects.object_store import Bucket, ObjectChangedError, UnreadableObjectError, open_bucket
from tasks.stores.store import Store
from tasks.stores.tables.listings import listing_hash

if TYPE_CHECKING:
    from tasks.stores.tables.snapshots import SnapshotStore

# Requests for metadata wait for the network, so several run at once; a crash costs one batch at most.
_REQUESTS, _BATCH = 16, 1000


@step(hours=2)
def label(ingested: IngestSummary, labels: schema.Labels, store_settings: schema.Store) -> Labels:
    """Label the images that the source holds; an image with two different labels is a conflict, and is kept by name.

    Args:
        ingested: Names the source, and the moment that is asked for.
        labels: Where labels come from, and how they are spelled.
        store_settings: Where the store is.

    Returns:
        The name of the labelling in the store, and how many images are labelled or not.

    Raises:
        PedigreeError: The manifest is missing, too large or not readable, or fits no object of the source.
    """
    store = Store(store_settings.url)
    gone = store.tombstones.read()
    if found := known_labels(store.known_results, ingested, labels, gone):
        store.labellings.record_latest(ingested.source, found.name)
        return found
    versions = store.known_results.table_versions("label")
    located = store.snapshots.located(ingested.source, ingested.moment)
    gathered = _gather(whole(located["key"]), ingested, labels, store)
    kept = ~np.asarray(pc.is_in(located["image"], pa.array(sorted(gone), pa.string())))
    spelling = Spelling(labels.aliases, labels.leave_out)
    labelling = label_images(located.filter(kept), gathered.statements.take(kept), spelling, gathered.missing)
    name = store.labellings.write(labelling, store.labellings.latest(ingested.source))
    if not ingested.moment:
        store.labellings.record_latest(ingested.source, name)
    found = Labels(
        name=name,
        images=len(labelling.labelled),
        unlabelled=len(labelling.unlabelled),
        conflicts=len(labelling.conflicts),
        left_out=len(labelling.left_out),
        missing=len(labelling.missing),
        forgotten=len(located.filter(~kept)["image"].unique()),
        manifest=gathered.use,
    )
    if ingested.listing and not gathered.withheld:
        _note_known(found, label_inputs(ingested.source, ingested.listing, labels, gone), versions, store)
    return found


def _note_known(found: Labels, inputs: Inputs, versions: Mapping[str, TableVersion], store: Store) -> None:
    """Write down what was found, unless another run may have listed or fetched something meanwhile.

    Args:
        found: The labels.
        inputs: What they depend on.
        versions: The versions of the tables before they were read.
        store: Where it is written down.
    """
    same = listing_hash(store.snapshots.listing(inputs["source"])) == inputs["listing"]
    if same and store.known_results.table_versions("label") == versions:
        store.known_results.write("label", inputs, versions, asdict(found))


class _Gathered(NamedTuple):
    """What the sources of labels say, and what of them could not be used.

    Attributes:
        statements: What they say about each located object.
        missing: The manifest's references that fit no object.
        use: How the manifest was used; None without one.
        withheld: The keys of images whose metadata is withheld.
    """

    statements: Statements
    missing: list[str]
    use: ManifestUse | None
    withheld: list[str]


def _gather(keys: pa.Array, ingested: IngestSummary, labels: schema.Labels, store: Store) -> _Gathered:
    """Collect the labels that each source of labels gives to each key.

    Args:
        keys: The keys of the images in the source, texts.
        ingested: Names the source, and the moment that is asked for.
        labels: The sources of labels, the most trusted first.
        store: Holds the listing, the metadata and the manifest, as far as they are known.

    Returns:
        What was said, and what could not be used of it.
    """
    sources: list[Statements] = []
    missing: list[str] = []
    withheld: list[str] = []
    use = None
    for source in labels.sources:
        if source == "folder":
            sources.append(Statements.by_folder(keys, labels.layout))
        elif source == "metadata":
            withheld = _read_missing_metadata(ingested, set(keys.to_pylist()), store.snapshots)
            metadata = {key: [said] for key, said in _from_metadata(ingested, labels, store.snapshots)}
            sources.append(Statements.by_key(keys, metadata))
        else:
            reading, matched = match_manifest(ingested, labels, store)
            missing += matched.missing
            sources.append(Statements.by_key(keys, _manifest_labels(matched, labels)))
            outside = pc.invert(pc.starts_with(keys, INBOX_FOLDER))
            use = count_manifest_use(reading, matched, keys.filter(outside).to_pylist())
    statements = Statements.join(sources, len(keys))
    if withheld:
        # Withheld metadata could contradict the other sources, so such an image has no label until it can be read.
        statements = statements.without(np.asarray(pc.is_in(keys, pa.array(withheld))))
    return _Gathered(_with_inbox(statements, keys, ingested, store), missing, use, withheld)


def _with_inbox(statements: Statements, keys: pa.Array, ingested: IngestSummary, store: Store) -> Statements:
    """Let the label files of the inbox alone speak of the pictures in its folder."""
    inside = np.asarray(pc.starts_with(keys, INBOX_FOLDER))
    if not inside.any():
        return statements
    inbox = {
        key: [SourceLabel("inbox", label.label, label.attributes) for label in labels]
        for key, labels in read_inbox_labels(ingested, store).items()
        if key.startswith(INBOX_FOLDER)
    }
    return Statements.join([Statements.by_key(keys, inbox), statements.without(inside)], len(keys))


def _manifest_labels(matched: MatchedStatements, labels: schema.Labels) -> dict[str, list[SourceLabel]]:
    source_labels: defaultdict[str, list[SourceLabel]] = defaultdict(list)
    for key, statement in matched.statements:
        attributes = _select_attributes(statement.attributes, labels)
        source_labels[key].append(SourceLabel("manifest", statement.label, attributes))
    return source_labels


def _select_attributes(attributes: Attributes, labels: schema.Labels) -> Attributes:
    return tuple(pair for pair in attributes if pair[0] in labels.attributes or not labels.attributes)


def _from_metadata(
    ingested: IngestSummary, labels: schema.Labels, snapshots: "SnapshotStore"
) -> Iterator[tuple[str, SourceLabel]]:
    listed = snapshots.stored(ingested.source, ingested.moment)
    for entry, beside in snapshots.metadata(ingested.source).items():
        if listed.get(entry.key) == entry:
            attributes = tuple(sorted((name, beside[name]) for name in labels.attributes if name in beside))
            yield entry.key, SourceLabel("metadata", beside.get("label", ""), attributes)


def _read_missing_metadata(ingested: IngestSummary, keys: set[str], snapshots: "SnapshotStore") -> list[str]:
    """Read the metadata of objects where it is not known yet.

    Args:
        ingested: Names the source, and the moment that is asked for.
        keys: The keys of the images.
        snapshots: Holds the listing and the known metadata; gets the new one.

    Returns:
        The keys of images whose metadata is withheld, sorted.

    Raises:
        UnreadableObjectError: It is withheld of most images, so that the rights must be wrong.
    """
    if ingested.moment:
        return []
    known_metadata = snapshots.metadata(ingested.source)
    entries = [entry for entry in snapshots.stored(ingested.source).values() if entry not in known_metadata]
    refused = {
        key: refusal
        for key, refusal in _read_metadata(open_bucket(ingested.source), entries, snapshots).items()
        if key in keys
    }
    if len(refused) >= FEW and len(refused) > len(keys) / 2:
        first = next(iter(refused.values()))
        raise first
    if refused:
        key, why = next((key, refusal.detail) for key, refusal in refused.items())
        log_line(f"{count(len(refused), 'image')} whose metadata cannot be read, such as {key} ({why}): no label yet")
    return sorted(refused)


def _read_metadata(
    bucket: Bucket, entries: list[Entry], snapshots: "SnapshotStore"
) -> dict[str, UnreadableObjectError]:
    """Read and store the metadata of objects; an object that changed after it was listed is left to the next run.

    Returns:
        The errors of objects whose metadata is withheld, by key.
    """

    def fetch(entry: Entry) -> tuple[Entry, Mapping[str, str] | UnreadableObjectError] | None:
        try:
            return entry, bucket.metadata(entry.key, entry.etag)
        except ObjectChangedError:
            return None
        except UnreadableObjectError as unreadable:
            return entry, unreadable

    refused: dict[str, UnreadableObjectError] = {}
    with show_progress("label", len(entries)) as advance, ThreadPoolExecutor(_REQUESTS) as pool:
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            answers = list(filter(None, pool.map(fetch, batch)))
            snapshots.add_metadata(
                bucket.url, [(source_entry, text) for source_entry, text in answers if isinstance(text, Mapping)]
            )
            refused |= {
                source_entry.key: text for source_entry, text in answers if isinstance(text, UnreadableObjectError)
            }
            advance(len(batch))
    return refused
