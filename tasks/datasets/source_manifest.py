"""The label manifest of a source: found in the listing, kept in the store, and matched with the source's objects."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from configs import schema
from configs.errors import PedigreeError
from tasks.domain.ingestion.source_objects import Entry, IngestSummary, SourceFilter
from tasks.domain.labels.inbox_labels import LABEL_FILES, InboxLabel, parse_labels
from tasks.domain.labels.manifest_formats.reading import read_manifest
from tasks.domain.labels.manifest_formats.references import KeyIndex
from tasks.domain.labels.manifest_formats.statements import ManifestOptions, ParsedManifest, join_names
from tasks.domain.labels.results import MatchedStatements, match_statements
from tasks.stores.objects.object_store import ObjectChangedError, UnreadableObjectError, open_bucket
from tasks.stores.store import Store
from tasks.stores.tables.listings import entries_of

if TYPE_CHECKING:
    from tasks.stores.files.labellings import LabelManifests

#: The largest manifest in bytes, a million rows and more: it is read whole, and takes ten times its size in memory.
LARGEST_MANIFEST = 256 * 2**20


def match_manifest(
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


def read_inbox_labels(ingested: IngestSummary, store: Store) -> Mapping[str, list[InboxLabel]]:
    """Read the labels of pictures that came through the inbox.

    Args:
        ingested: Names the source, and the moment that is asked for.
        store: Holds the listing, and the label files where an earlier run read them.

    Returns:
        The labels of each key; two for a conflict.

    Raises:
        PedigreeError: A file is damaged, changed after it was listed, or cannot be read.
    """
    listing = store.snapshots.listing(ingested.source, ingested.moment)
    files = list(entries_of(listing.filter(pc.starts_with(listing["key"], LABEL_FILES))))
    texts = [(entry.key, _manifest_bytes(ingested.source, entry, store.label_manifests)) for entry in files]
    return parse_labels(read_manifest(data, key, ManifestOptions("label")) for key, data in texts)


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
            f"The manifest {entry.key} in {source} cannot be read ({unreadable.detail}): give this user the right to."
        ) from None
    manifests.write(source, entry, data)
    return data
