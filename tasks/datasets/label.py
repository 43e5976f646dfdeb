"""Step 3: say what every image shows, from folders, a manifest and object metadata."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

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
from tasks.stores.tables.snapshots import SnapshotStore

# A request for metadata waits for the network, so many run at once; a batch is what a crash can cost.
_REQUESTS, _BATCH = 16, 1000
#: A manifest is read whole, and takes about ten times its size in memory; so many bytes are a million rows and more.
LARGEST_MANIFEST = 256 * 2**20


@step(hours=2)
def label(ingested: IngestSummary, labels: schema.Labels, store: schema.Store) -> Labels:
    """Label the images that the source holds; what is said twice and differently is a conflict, kept by name."""
    snapshots = Store(store.url).snapshots
    located = snapshots.located(ingested.source, ingested.moment)
    statements, missing, use = _gather(located, ingested, labels, snapshots)
    gone = Store(store.url).tombstones.read()
    remaining = [row for row in located if row.image not in gone]
    labelling = label_images(remaining, statements, Spelling(labels.aliases, labels.leave_out), missing)
    name = Store(store.url).labellings.write(labelling)
    if not ingested.moment:
        Store(store.url).labellings.record_latest(ingested.source, name)
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
    located: Sequence[LocatedImage], ingested: IngestSummary, labels: schema.Labels, snapshots: SnapshotStore
) -> tuple[dict[str, list[SourceLabel]], list[str], ManifestUse | None]:
    """Gather what the sources of labels say about each key, in their order, and how a manifest fits the source."""
    statements: defaultdict[str, list[SourceLabel]] = defaultdict(list)
    missing: list[str] = []
    withheld: list[str] = []
    use = None
    for source in labels.sources:
        if source == "folder":
            for row in located:
                statements[row.key].append(read_layout(row.key, labels.layout))
        elif source == "metadata":
            withheld = _read_missing_metadata(ingested, {row.key for row in located}, snapshots)
            for key, metadata_statement in _from_metadata(ingested, labels, snapshots):
                statements[key].append(metadata_statement)
        else:
            reading, matched = _from_manifest(ingested, labels, snapshots)
            missing += matched.missing
            for key, statement in matched.statements:
                statements[key].append(
                    SourceLabel("manifest", statement.label, _select_attributes(statement.attributes, labels))
                )
            use = count_manifest_use(reading, matched, (row.key for row in located))
    # What nobody may read could say otherwise than the other sources: such an image has no label until it is read.
    statements |= {key: [] for key in withheld}
    return statements, missing, use


def _from_manifest(
    ingested: IngestSummary, labels: schema.Labels, snapshots: SnapshotStore
) -> tuple[ParsedManifest, MatchedStatements]:
    """Read the manifest, and find the object of each of its statements."""
    listed = snapshots.stored(ingested.source, ingested.moment)
    entry = _manifest_entry(listed, ingested.source, labels.manifest)
    requested = ManifestOptions(labels.column, labels.attributes, must_label=labels.sources[0] == "manifest")
    reading = read_manifest(_manifest_bytes(ingested.source, entry, snapshots), labels.manifest, requested)
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
    """Find the manifest in the listing; its size is bounded, since it is read whole."""
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


def _manifest_bytes(source: str, entry: Entry, snapshots: SnapshotStore) -> bytes:
    """Read the manifest as it was listed: from the store where an earlier night kept it, else from the source."""
    stored = Store(snapshots.objects.url).label_manifests.read(source, entry)
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
    Store(snapshots.objects.url).label_manifests.write(source, entry, data)
    return data


def _from_metadata(
    ingested: IngestSummary, labels: schema.Labels, snapshots: SnapshotStore
) -> Iterator[tuple[str, SourceLabel]]:
    listed = snapshots.stored(ingested.source, ingested.moment)
    for entry, beside in snapshots.metadata(ingested.source).items():
        if listed.get(entry.key) == entry:
            attributes = tuple(sorted((name, beside[name]) for name in labels.attributes if name in beside))
            yield entry.key, SourceLabel("metadata", beside.get("label", ""), attributes)


def _read_missing_metadata(ingested: IngestSummary, keys: set[str], snapshots: SnapshotStore) -> list[str]:
    """Read what stands beside objects whose metadata is not known yet, and name those images whose own is withheld.

    Raises:
        UnreadableObjectError: It is withheld of so many images that the rights are wrong, and not the images.
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
        raise next(iter(refused.values()))
    if refused:
        key, why = next((key, refusal.detail) for key, refusal in refused.items())
        log_line(f"{count(len(refused), 'image')} whose metadata cannot be read, such as {key} ({why}): no label yet")
    return sorted(refused)


def _read_metadata(bucket: Bucket, entries: list[Entry], snapshots: SnapshotStore) -> dict[str, UnreadableObjectError]:
    """Read what stands beside these objects, and return whose is withheld; one that changed waits for a night."""

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
