"""Backbones and heads, kept under their names so that a later night needs no download and no training."""

import json
from collections.abc import Mapping
from typing import Any

from tasks.stores.bucket import Changed, open_bucket


def write_backbone(url: str, fingerprint: str, data: bytes, facts: Mapping[str, Any]) -> None:
    """Keep a backbone's weights file, and beside it the facts that its fingerprint covers."""
    bucket = open_bucket(url)
    bucket.create(f"backbones/{fingerprint}.npz", data)
    bucket.create(f"backbones/{fingerprint}.json", json.dumps(facts, sort_keys=True, indent=1).encode())


def read_backbone(url: str, fingerprint: str) -> tuple[bytes, dict[str, Any]]:
    """Return a backbone's weights file and its facts."""
    bucket = open_bucket(url)
    facts: dict[str, Any] = json.loads(bucket.read(f"backbones/{fingerprint}.json"))
    return bucket.read(f"backbones/{fingerprint}.npz"), facts


def remember_backbone(url: str, outside: str, facts: Mapping[str, str]) -> None:
    """Note which backbone came of weights from outside, under the name of all that decided it."""
    open_bucket(url).create(f"backbones/outside/{outside}.json", json.dumps(facts, sort_keys=True, indent=1).encode())


def remembered_backbone(url: str, outside: str) -> tuple[bytes, dict[str, Any]] | None:
    """Return the file and the facts of the backbone that was noted; None where the store lacks note or backbone."""
    try:
        noted = json.loads(open_bucket(url).read(f"backbones/outside/{outside}.json"))
        return read_backbone(url, noted["fingerprint"])
    except Changed:
        return None


def write_head(url: str, name: str, data: bytes) -> None:
    """Keep a head's file under the hash of its weights."""
    open_bucket(url).create(f"heads/{name}.npz", data)


def read_head(url: str, name: str) -> bytes:
    """Return a head's file."""
    return open_bucket(url).read(f"heads/{name}.npz")
