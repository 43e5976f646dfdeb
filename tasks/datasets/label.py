"""Step 3: say what every image shows, from folders, a manifest and object metadata."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from configs import schema
from configs.errors import Problem
from tasks.domain.ingestion.source_filter import SourceFilter
from tasks.domain.ingestion.source_objects import Entry, Ingested
from tasks.domain.ingestion.triggers import FEW
from tasks.domain.labels.labeling import Attributes, Located, Said, Spelling, label_images, read_layout
from tasks.domain.labels.manifest_formats.reading import read_manifest
from tasks.domain.labels.manifest_formats.references import KeyIndex
from tasks.domain.labels.manifest_formats.statements import Asked, Reading, shown
from tasks.domain.labels.manifest_formats.use import ManifestUse, Matched, manifest_use, match
from tasks.domain.labels.results import Labels
from tasks.domain.phrasing import count
from tasks.reports.prefect_ui.progress import progress
from tasks.step import say, step
from tasks.stores.files.manifests import keep_label_manifest, kept_label_manifest, note_labelling, write_labels
from tasks.stores.files.tombstones import forgotten_images
from tasks.stores.objects.object_store import Bucket, Changed, Unreadable, open_bucket
from tasks.stores.tables.snapshots import SnapshotStore

# A request for metadata waits for the network, so many run at once; a batch is what a crash can cost.
_REQUESTS, _BATCH = 16, 1000
#: A manifest is read whole, and takes about ten times its size in memory; so many bytes are a million rows and more.
LARGEST_MANIFEST = 256 * 2**20


@step(hours=2)
def label(ingested: Ingested, labels: schema.Labels, store: schema.Store) -> Labels:
    """Label the images that the source holds; what is said twice and differently is a conflict, kept by name."""
    snapshots = SnapshotStore(store.url)
    located = snapshots.located(ingested.source, ingested.moment)
    said, missing, use = _gather(located, ingested, labels, snapshots)
    gone = forgotten_images(store.url)
    kept = [one for one in located if one.image not in gone]
    labelling = label_images(kept, said, Spelling(labels.aliases, labels.leave_out), missing)
    name = write_labels(store.url, labelling)
    if not ingested.moment:
        note_labelling(store.url, ingested.source, name)
    return Labels(
        name=name,
        images=len(labelling.labelled),
        unlabelled=len(labelling.unlabelled),
        conflicts=len(labelling.conflicts),
        left_out=len(labelling.left_out),
        missing=len(labelling.missing),
        forgotten=len({one.image for one in located} & gone),
        manifest=use,
    )


def _gather(
    located: Sequence[Located], ingested: Ingested, labels: schema.Labels, snapshots: SnapshotStore
) -> tuple[dict[str, list[Said]], list[str], ManifestUse | None]:
    """Gather what the sources of labels say about each key, in their order, and how a manifest fits the source."""
    said: defaultdict[str, list[Said]] = defaultdict(list)
    missing: list[str] = []
    withheld: list[str] = []
    use = None
    for source in labels.sources:
        if source == "folder":
            for one in located:
                said[one.key].append(read_layout(one.key, labels.layout))
        elif source == "metadata":
            withheld = _ask_for_metadata(ingested, {one.key for one in located}, snapshots)
            for key, told in _from_metadata(ingested, labels, snapshots):
                said[key].append(told)
        else:
            reading, matched = _from_manifest(ingested, labels, snapshots)
            missing += matched.missing
            for key, statement in matched.statements:
                said[key].append(Said("manifest", statement.label, _kept(statement.attributes, labels)))
            use = manifest_use(reading, matched, (one.key for one in located))
    # What nobody may read could say otherwise than the other sources: such an image has no label until it is read.
    said |= {key: [] for key in withheld}
    return said, missing, use


def _from_manifest(ingested: Ingested, labels: schema.Labels, snapshots: SnapshotStore) -> tuple[Reading, Matched]:
    """Read the manifest, and find the object of each of its statements."""
    listed = snapshots.known(ingested.source, ingested.moment)
    entry = _manifest_entry(listed, ingested.source, labels.manifest)
    asked = Asked(labels.column, labels.attributes, must_label=labels.sources[0] == "manifest")
    reading = read_manifest(_manifest_bytes(ingested.source, entry, snapshots), labels.manifest, asked)
    folder = entry.key.rpartition("/")[0] if reading.beside else ""
    matched = match(reading, KeyIndex(listed, ingested.source, labels.root or folder))
    if asked.must_label and len(labels.sources) > 1 and matched.missing and not matched.statements:
        raise Problem(
            f"No reference of the manifest {labels.manifest} fits an object of {ingested.source}, such as "
            f"{shown(matched.missing[:1])}: write keys, say in labels.root where they start, or take manifest out of "
            "labels.sources."
        )
    return reading, matched


def _kept(attributes: Attributes, labels: schema.Labels) -> Attributes:
    return tuple(one for one in attributes if one[0] in labels.attributes or not labels.attributes)


def _manifest_entry(listed: Mapping[str, Entry], source: str, name: str) -> Entry:
    """Find the manifest in the listing; its size is bounded, since it is read whole."""
    names = KeyIndex(listed, source).named(name)
    if len(names) != 1:
        hidden = " (dot folders are passed over)" if SourceFilter().skips_key(name) else ""
        message = f"The source {source} holds no manifest {name}{hidden}: put it there, or correct labels.manifest."
        raise Problem(message)
    entry = listed[names[0]]
    if entry.size > LARGEST_MANIFEST:
        raise Problem(
            f"The manifest {name} in {source} has {entry.size:,} bytes, where {LARGEST_MANIFEST:,} are the most: "
            "keep to objects that are in the source, and to fields that are needed."
        )
    return entry


def _manifest_bytes(source: str, entry: Entry, snapshots: SnapshotStore) -> bytes:
    """Read the manifest as it was listed: from the store where an earlier night kept it, else from the source."""
    kept = kept_label_manifest(snapshots.url, source, entry)
    if kept is not None:
        return kept
    try:
        data = open_bucket(source).read(entry.key, entry.etag)
    except Changed:
        raise Problem(f"The manifest {entry.key} in {source} changed after it was listed: run again.") from None
    except Unreadable as unreadable:
        raise Problem(
            f"The manifest {entry.key} in {source} cannot be read ({unreadable.detail}): give this user the right, "
            "or take manifest out of labels.sources."
        ) from None
    keep_label_manifest(snapshots.url, source, entry, data)
    return data


def _from_metadata(ingested: Ingested, labels: schema.Labels, snapshots: SnapshotStore) -> Iterator[tuple[str, Said]]:
    listed = snapshots.known(ingested.source, ingested.moment)
    for entry, beside in snapshots.metadata(ingested.source).items():
        if listed.get(entry.key) == entry:
            told = tuple(sorted((name, beside[name]) for name in labels.attributes if name in beside))
            yield entry.key, Said("metadata", beside.get("label", ""), told)


def _ask_for_metadata(ingested: Ingested, keys: set[str], snapshots: SnapshotStore) -> list[str]:
    """Read what stands beside objects whose metadata is not known yet, and name those images whose own is withheld.

    Raises:
        Unreadable: It is withheld of so many images that the rights are wrong, and not the images.
    """
    if ingested.moment:
        return []
    known = snapshots.metadata(ingested.source)
    entries = [one for one in snapshots.known(ingested.source).values() if one not in known]
    refused = {key: one for key, one in _ask(open_bucket(ingested.source), entries, snapshots).items() if key in keys}
    if len(refused) >= FEW and len(refused) > len(keys) / 2:
        raise next(iter(refused.values()))
    if refused:
        key, why = next((key, one.detail) for key, one in refused.items())
        say(f"{count(len(refused), 'image')} whose metadata cannot be read, such as {key} ({why}): no label yet")
    return sorted(refused)


def _ask(bucket: Bucket, entries: list[Entry], snapshots: SnapshotStore) -> dict[str, Unreadable]:
    """Read what stands beside these objects, and return whose is withheld; one that changed waits for a night."""

    def ask(entry: Entry) -> tuple[Entry, Mapping[str, str] | Unreadable] | None:
        try:
            return entry, bucket.metadata(entry.key, entry.etag)
        except Changed:
            return None
        except Unreadable as unreadable:
            return entry, unreadable

    refused: dict[str, Unreadable] = {}
    with progress("label", len(entries)) as advance, ThreadPoolExecutor(_REQUESTS) as pool:
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            answers = list(filter(None, pool.map(ask, batch)))
            snapshots.add_metadata(bucket.url, [(one, text) for one, text in answers if isinstance(text, Mapping)])
            refused |= {one.key: text for one, text in answers if isinstance(text, Unreadable)}
            advance(len(batch))
    return refused
