"""Backbones and heads, kept under their names so that a later night needs no download and no training."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from configs.problems import Problem
from tasks.stores.bucket import Changed, open_bucket


def write_backbone(url: str, fingerprint: str, data: bytes, facts: Mapping[str, Any]) -> None:
    """Keep a backbone's weights file, and beside it the facts that its fingerprint covers."""
    bucket = open_bucket(url)
    bucket.create(f"backbones/{fingerprint}.npz", data)
    bucket.create(f"backbones/{fingerprint}.json", json.dumps(facts, sort_keys=True, indent=1).encode())


def has_backbone(url: str, fingerprint: str) -> bool:
    """Tell whether the store holds a backbone, its weights and its facts."""
    return len(list(open_bucket(url).entries(f"backbones/{fingerprint}."))) > 1


def read_backbone(url: str, fingerprint: str) -> tuple[bytes, dict[str, Any]]:
    """Return a backbone's weights file and its facts."""
    return _backbone(partial(_read, url), fingerprint)


def remember_backbone(url: str, outside: str, facts: Mapping[str, str]) -> None:
    """Note which backbone came of weights from outside, under the name of all that decided it."""
    open_bucket(url).create(f"backbones/outside/{outside}.json", json.dumps(facts, sort_keys=True, indent=1).encode())


def remembered_backbone(url: str, outside: str) -> tuple[bytes, dict[str, Any]] | None:
    """Return the file and the facts of the backbone that was noted; None where the store lacks note or backbone."""
    bucket = open_bucket(url)
    try:
        noted = json.loads(bucket.read(f"backbones/outside/{outside}.json"))
        return _backbone(bucket.read, noted["fingerprint"])
    except Changed:
        return None


def write_head(url: str, name: str, data: bytes) -> None:
    """Keep a head's file under the hash of its weights."""
    open_bucket(url).create(f"heads/{name}.npz", data)


def read_head(url: str, name: str) -> bytes:
    """Return a head's file."""
    return _read(url, f"heads/{name}.npz")


def _backbone(read: Callable[[str], bytes], fingerprint: str) -> tuple[bytes, dict[str, Any]]:
    return read(f"backbones/{fingerprint}.npz"), json.loads(read(f"backbones/{fingerprint}.json"))


def _read(url: str, key: str) -> bytes:
    try:
        return open_bucket(url).read(key)
    except Changed:
        raise Problem(f"The file {key} is missing in {url}: put it back from a copy of the store.") from None
