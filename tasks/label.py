"""Step 3: say what every image shows, from folders, a manifest and object metadata."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from configs import schema
from configs.problems import Problem
from tasks.domain.label_manifest import key_of, read_manifest
from tasks.domain.labels import Attributes, Located, Said, Spelling, label_images, read_layout
from tasks.domain.listing import Entry
from tasks.domain.night import Ingested, Labels
from tasks.reports.progress import progress
from tasks.step import step
from tasks.stores.bucket import Bucket, Changed, open_bucket
from tasks.stores.datasets import keep_label_manifest, kept_label_manifest, write_labels
from tasks.stores.forgotten import forgotten_images
from tasks.stores.snapshots import SnapshotStore

# A request for metadata waits for the network, so many run at once; a batch is what a crash can cost.
_REQUESTS, _BATCH = 16, 1000


@step(hours=2)
def label(ingested: Ingested, labels: schema.Labels, store: schema.Store) -> Labels:
    """Label the images that the source holds; what is said twice and differently is a conflict, kept by name."""
    snapshots = SnapshotStore(store.url)
    located = snapshots.located(ingested.source, ingested.moment)
    said, missing = _gather(located, ingested, labels, snapshots)
    gone = forgotten_images(store.url)
    kept = [one for one in located if one.image not in gone]
    labelling = label_images(kept, said, Spelling(labels.aliases, labels.leave_out), missing)
    return Labels(
        name=write_labels(store.url, labelling),
        images=len(labelling.labelled),
        unlabelled=len(labelling.unlabelled),
        conflicts=len(labelling.conflicts),
        left_out=len(labelling.left_out),
        missing=len(labelling.missing),
        forgotten=len({one.image for one in located} & gone),
    )


def _gather(
    located: Iterable[Located], ingested: Ingested, labels: schema.Labels, snapshots: SnapshotStore
) -> tuple[dict[str, list[Said]], list[str]]:
    """Gather what the sources of labels say about each key, in their order, and keys that only a manifest knows."""
    said: defaultdict[str, list[Said]] = defaultdict(list)
    missing: list[str] = []
    for source in labels.sources:
        if source == "folder":
            for one in located:
                said[one.key].append(read_layout(one.key, labels.layout))
        elif source == "metadata":
            for key, told in _from_metadata(ingested, labels, snapshots):
                said[key].append(told)
        else:
            listed = set(snapshots.keys(ingested.source, ingested.moment))
            for statement in read_manifest(_manifest_bytes(ingested, labels, snapshots), labels.manifest):
                key_or_none = key_of(statement.reference, ingested.source, listed)
                if key_or_none is None:
                    missing.append(statement.reference)
                else:
                    said[key_or_none].append(Said("manifest", statement.label, _kept(statement.attributes, labels)))
    return said, missing


def _kept(attributes: Attributes, labels: schema.Labels) -> Attributes:
    return tuple(one for one in attributes if one[0] in labels.attributes or not labels.attributes)


def _manifest_bytes(ingested: Ingested, labels: schema.Labels, snapshots: SnapshotStore) -> bytes:
    """Read the manifest as it was listed: from the store where an earlier night kept it, else from the source."""
    source, name = ingested.source, labels.manifest
    listed = snapshots.known(source, ingested.moment)
    if name not in listed:
        raise Problem(f"The source {source} holds no manifest {name}: put it there, or correct labels.manifest.")
    kept = kept_label_manifest(snapshots.url, source, listed[name])
    if kept is not None:
        return kept
    try:
        data = open_bucket(source).read(name, listed[name].etag)
    except Changed:
        raise Problem(f"The manifest {name} in {source} changed after it was listed: run again.") from None
    keep_label_manifest(snapshots.url, source, listed[name], data)
    return data


def _from_metadata(ingested: Ingested, labels: schema.Labels, snapshots: SnapshotStore) -> Iterator[tuple[str, Said]]:
    listed = snapshots.known(ingested.source, ingested.moment)
    if not ingested.moment:
        known = snapshots.metadata(ingested.source)
        _ask(open_bucket(ingested.source), [one for one in listed.values() if one not in known], snapshots)
    for entry, beside in snapshots.metadata(ingested.source).items():
        if listed.get(entry.key) == entry:
            told = tuple(sorted((name, beside[name]) for name in labels.attributes if name in beside))
            yield entry.key, Said("metadata", beside.get("label", ""), told)


def _ask(bucket: Bucket, entries: list[Entry], snapshots: SnapshotStore) -> None:
    """Read what stands beside objects whose metadata is not known yet; one that changed meanwhile waits for a night."""

    def ask(entry: Entry) -> tuple[Entry, Mapping[str, str]] | None:
        with suppress(Changed):
            return entry, bucket.metadata(entry.key, entry.etag)
        return None

    with progress("label", len(entries)) as advance, ThreadPoolExecutor(_REQUESTS) as pool:
        for start in range(0, len(entries), _BATCH):
            batch = entries[start : start + _BATCH]
            snapshots.add_metadata(bucket.url, filter(None, pool.map(ask, batch)))
            advance(len(batch))
