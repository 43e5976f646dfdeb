"""The manifest of a dataset version, and the hash that names it."""

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from tasks.domain.canonical import canonical_json
from tasks.domain.labels import Attributes
from tasks.domain.splits import Split

# Changes when a row would mean something else; two versions of different meaning never share a hash.
_MEANING = b"pedigree dataset 1\n"


class Row(NamedTuple):
    """One image of a dataset version; the key says where it was found and is not part of the version's hash."""

    image: str
    label: str
    split: Split
    attributes: Attributes
    key: str


def canonical(row: Row) -> bytes:
    """Write what the hash covers: image, label, split and attributes."""
    return b"[" + canonical_json(row.image) + b"," + _told(row.label, row.split, row.attributes) + b"]"


@lru_cache(maxsize=2**14)
def _told(label: str, split: Split, attributes: Attributes) -> bytes:
    """Write what many images have in common, and keep it: there are few classes, and few values of an attribute."""
    return canonical_json([label, split.value, [list(one) for one in sorted(attributes)]])[1:-1]


def dataset_hash(rows: Iterable[Row]) -> str:
    """Name a dataset version: SHA-256 over its sorted rows, 64 hex digits, whatever order they come in."""
    digest = hashlib.sha256(_MEANING)
    for line in sorted(canonical(row) for row in rows):
        digest.update(line + b"\n")
    return digest.hexdigest()
