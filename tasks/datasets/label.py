"""The step that labels images, from folders, a manifest and object metadata."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from configs import schema
from configs.errors import PedigreeError
from tasks.domain.ingestion.source_objects import Entry, IngestSummary, SourceFilter
from tasks.domain.ingestion.triggers import FEW
from tasks.domain.labels.labeling import Attributes, LocatedImage, SourceLabel, Spelling, label_images, read_layout
from tasks.domain.labels.manifest_formats.reading import read_manifest
from tasks.domain.labels.manifest_formats.references import KeyIndex
from tasks.domain.labels.manifest_formats.statements import ManifestOptions, ParsedManifest, join_names
from tasks.domain.labels.results import Labels, ManifestUse, MatchedStatements, count_manifest_use, match_statements
from tasks.domain.phrasing import count
from tasks.reports.prefect_ui.progress import show_progress
from tasks.step import log_line, step
from tasks.stores.objects.object_store import Bucket, ObjectChangedError, UnreadableObjectError, open_bucket
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.stores.files.labellings import LabelManifests
    from tasks.stores.tables.snapshots import SnapshotStore

# Requests for metadata wait for the network, so several run at once; a crash costs one batch at most.
_REQUESTS, _BATCH = 16, 1000
#: The largest manifest in bytes, a million rows and more: it is read whole, and takes ten times its size in memory.
LARGEST_MANIFEST = 256 * 2**20


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
    located = store.snapshots.located(ingested.source, ingested.moment)
    statements, missing, use = _gather(located, ingested, labels, store)
    gone = store.tombstones.read()
    remaining = [row for row in located if row.image not in gone]
    labelling = label_images(remaining, statements, Spelling(labels.aliases, labels.leave_out), missing)
    name = store.labellings.write(labelling, store.labellings.latest(ingested.source))
    if not ingested.moment:
        store.labellings.record_latest(ingested.source, name)
    return Labels(
        name=name,
        images=len(labelling.labelled),
        unlabelled=len(labelling.unlabelled),
        conflicts=len(labelling.conflicts),
        left_out=len(labelling.left_out),
        missing=len(labelling.missing),
        forgotten=len({row.image for row in located} & gone),
        manifest=use,
    )


def _gather(
    located: Sequence[LocatedImage], ingested: IngestSummary, labels: schema.Labels, store: Store
) -> tuple[dict[str, list[SourceLabel]], list[str], ManifestUse | None]:
    """Collect the labels that each source of labels gives to each key.

    Args:
        located: The images, with their keys in the source.
        ingested: Names the source, and the moment that is asked for.
        labels: The sources of labels, the most trusted first.
        store: Holds the listing, the metadata and the manifest, as far as they are known.

    Returns:
        The labels by key, the manifest's references that fit no object, and how the manifest was used.
    """
    statements: defaultdict[str, list[SourceLabel]] = defaultdict(list)
    missing: list[str] = []
    withheld: list[str] = []
    use = None
    for source in labels.sources:
        if source == "folder":
            for row in located:
                statements[row.key].append(read_layout(row.key, labels.layout))
        elif source == "metadata":
            withheld = _read_missing_metadata(ingested, {row.key for row in located}, store.snapshots)
            for key, metadata_statement in _from_metadata(ingested, labels, store.snapshots):
                statements[key].append(metadata_statement)
        else:
            reading, matched = _from_manifest(ingested, labels, store)
            missing += matched.missing
            for key, statement in matched.statements:
                statements[key].append(
                    SourceLabel("manifest", statement.label, _select_attributes(statement.attributes, labels))
                )
            use = count_manifest_use(reading, matched, (row.key for row in located))
    # Withheld metadata could contradict the other sources, so such an image has no label until it can be read.
    statements |= {key: [] for key in withheld}
    return statements, missing, use


def _from_manifest(
    ingested: IngestSummary, labels: schema.Labels, store: Store
) -> tuple[ParsedManifest, MatchedStatements]:
    """Read the manifest, and match its statements with objects.

    Args:
        ingested: Names the source, and the moment that is asked for.
        labels: The key of the manifest, and how it is read.
        store: Holds the listing, and the manifest where an earlier run read it.

    Returns:
        The manifest, and its statements with the keys of their objects.

    Raises:
        PedigreeError: No reference fits an object.
    """
    listed = store.snapshots.stored(ingested.source, ingested.moment)
    entry = _manifest_entry(listed, ingested.source, labels.manifest)
    requested = ManifestOptions(labels.column, labels.attributes, must_label=labels.sources[0] == "manifest")
    reading = read_manifest(_manifest_bytes(ingested.source, entry, store.label_manifests), labels.manifest, requested)
    folder = entry.key.rpartition("/")[0] if reading.beside else ""
    matched = match_statements(reading, KeyIndex(listed, ingested.source, labels.root or folder))
    if requested.must_label and len(labels.sources) > 1 and matched.missing and not matched.statements:
        raise PedigreeError(
            f"No reference of the manifest {labels.manifest} fits an object of {ingested.source}, such as "
            f"{join_names(matched.missing[:1])}: write keys, say in labels.root where they start, or take manifest out "
            "of labels.sources."
        )
    return reading, matched


def _select_attributes(attributes: Attributes, labels: schema.Labels) -> Attributes:
    return tuple(pair for pair in attributes if pair[0] in labels.attributes or not labels.attributes)


def _manifest_entry(listed: Mapping[str, Entry], source: str, name: str) -> Entry:
    """Find the manifest in the listing.

    Args:
        listed: The objects by key.
        source: The address of the source.
        name: The manifest's key, as the settings write it.

    Returns:
        The manifest.

    Raises:
        PedigreeError: It is not in the listing, or is too large to be read whole.
    """
    names = KeyIndex(listed, source).find_keys(name)
    if len(names) != 1:
        hidden = " (dot folders are passed over)" if SourceFilter().skips_key(name) else ""
        message = f"The source {source} holds no manifest {name}{hidden}: put it there, or correct labels.manifest."
        raise PedigreeError(message)
    entry = listed[names[0]]
    if entry.size > LARGEST_MANIFEST:
        raise PedigreeError(
            f"The manifest {name} in {source} has {entry.size:,} bytes, where {LARGEST_MANIFEST:,} are the most: "
            "keep to objects that are in the source, and to fields that are needed."
        )
    return entry


def _manifest_bytes(source: str, entry: Entry, manifests: "LabelManifests") -> bytes:
    """Read the manifest as it was listed, from the store where an earlier run kept it, else from the source.

    Args:
        source: The address of the source.
        entry: The manifest in the listing.
        manifests: The manifests that earlier runs kept; gets this one.

    Returns:
        The manifest.

    Raises:
        PedigreeError: It changed after it was listed, or cannot be read.
    """
    stored = manifests.read(source, entry)
    if stored is not None:
        return stored
    try:
        data = open_bucket(source).read(entry.key, entry.etag)
    except ObjectChangedError:
        raise PedigreeError(f"The manifest {entry.key} in {source} changed after it was listed: run again.") from None
    except UnreadableObjectError as unreadable:
        raise PedigreeError(
            f"The manifest {entry.key} in {source} cannot be read ({unreadable.detail}): give this user the right, "
            "or take manifest out of labels.sources."
        ) from None
    manifests.write(source, entry, data)
    return data


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
