"""What nights note beside their labellings: which one is a source's latest, and which near duplicates contradict it."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from tasks.domain.canonical import sha256_of
from tasks.domain.contradictions import Twin
from tasks.stores import checksums
from tasks.stores.bucket import Changed, open_bucket


def note_labelling(url: str, source: str, labels: str) -> None:
    """Write down that this is the source's labelling now, unless it was the latest anyway."""
    if latest_labelling(url, source) != labels:
        checksums.create(url, f"{_place(source)}/{datetime.now(UTC).isoformat()}-{labels}", b"")


def latest_labelling(url: str, source: str) -> str:
    """Name the source's latest labelling; empty where none was noted."""
    keys = [entry.key for entry in open_bucket(url).entries(f"{_place(source)}/")]
    return max(keys, default="").rpartition("-")[2]


def write_twins(url: str, labels: str, bits: int, twins: Mapping[str, Sequence[Twin]]) -> None:
    """Keep which images of a labelling are near duplicates and marked differently, by what they are marked with."""
    data = json.dumps({kind: [list(twin) for twin in some] for kind, some in twins.items()}).encode()
    checksums.create(url, _twins(labels, bits), data)


def read_twins(url: str, labels: str, bits: int | None = None) -> Mapping[str, tuple[Twin, ...]]:
    """Return what was kept of a labelling with this setting, or with the last one; nothing where nothing was."""
    bucket = open_bucket(url)
    keys = [entry.key for entry in bucket.entries(f"contradictions/{labels}-")] if bits is None else []
    with suppress(Changed):
        kept = json.loads(bucket.read(max(keys, default=_twins(labels, bits or 0))))
        return {kind: tuple(Twin(*twin) for twin in some) for kind, some in kept.items()}
    return {}


def _twins(labels: str, bits: int) -> str:
    return f"contradictions/{labels}-{bits:03}.json"


def _place(source: str) -> str:
    return f"labellings/{sha256_of(source)[:16]}"
