"""Backbones and heads, kept under their names so that a later night needs no download and no training."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs.errors import PedigreeError
from tasks.stores.files import checksums
from tasks.stores.objects.object_store import ObjectChangedError, open_bucket


def write_backbone(url: str, fingerprint: str, data: bytes, facts: Mapping[str, Any]) -> None:
    """Keep a backbone's weights file, and beside it the facts that its fingerprint covers."""
    checksums.create(url, f"backbones/{fingerprint}.npz", data)
    checksums.create(url, f"backbones/{fingerprint}.json", json.dumps(facts, sort_keys=True, indent=1).encode())


def has_backbone(url: str, fingerprint: str) -> bool:
    """Tell whether the store holds a backbone, its weights and its facts."""
    return len(list(open_bucket(url).entries(f"backbones/{fingerprint}."))) > 1


def read_backbone(url: str, fingerprint: str) -> tuple[bytes, dict[str, Any]]:
    """Return a backbone's weights file and its facts."""
    data, key = _read(url, f"backbones/{fingerprint}.npz"), f"backbones/{fingerprint}.json"
    try:
        return data, {**json.loads(_read(url, key))}
    except (ValueError, TypeError):
        raise PedigreeError(f"The file {key} in {url} is damaged: put it back from a copy of the store.") from None


def remember_backbone(url: str, outside: str, facts: Mapping[str, str]) -> None:
    """Note which backbone came of weights from outside, under the name of all that decided it."""
    checksums.create(url, f"backbones/outside/{outside}.json", json.dumps(facts, sort_keys=True, indent=1).encode())


def remembered_backbone(url: str, outside: str) -> str | None:
    """Return the fingerprint of the backbone that was noted; None where the store lacks note or backbone."""
    key = f"backbones/outside/{outside}.json"
    try:
        fingerprint = str(json.loads(open_bucket(url).read(key))["fingerprint"])
    except ObjectChangedError:
        return None
    except (ValueError, KeyError, TypeError):
        raise PedigreeError(
            f"The file {key} in {url} is damaged: remove it, and the next night writes it anew."
        ) from None
    return fingerprint if has_backbone(url, fingerprint) else None


def write_head(url: str, name: str, data: bytes) -> None:
    """Keep a head's file under the hash of its weights."""
    checksums.create(url, f"heads/{name}.npz", data)


def has_head(url: str, name: str) -> bool:
    """Tell whether the store holds a head."""
    return any(open_bucket(url).entries(f"heads/{name}.npz"))


def read_head(url: str, name: str) -> bytes:
    """Return a head's file."""
    return _read(url, f"heads/{name}.npz")


def _read(url: str, key: str) -> bytes:
    try:
        return open_bucket(url).read(key)
    except ObjectChangedError:
        raise PedigreeError(f"The file {key} is missing in {url}: put it back from a copy of the store.") from None


_FOLDER = "checkpoints/"


@dataclass(frozen=True)
class CheckpointStore:
    """The checkpoints of one fine-tuning, which is named by the hash of all that decides it."""

    url: str
    name: str

    def last(self) -> tuple[int, bytes] | None:
        """Return the newest checkpoint with the number of its epoch, if there is one."""
        bucket, keys = open_bucket(self.url), self._keys()
        for epoch in sorted(keys, reverse=True):
            try:
                return epoch, bucket.read(keys[epoch])
            except ObjectChangedError:
                # The same fine-tuning runs twice, and the other one has just come further or ended.
                continue
        return None

    def keep(self, epoch: int, data: bytes) -> None:
        """Keep a checkpoint, whole or not at all; the former ones go when it stands."""
        bucket = open_bucket(self.url)
        bucket.create(f"{_FOLDER}{self.name}/{epoch}.npz", data)
        for former, key in self._keys().items():
            if former < epoch:
                bucket.remove(key)

    def remove(self, epoch: int) -> None:
        """Remove one checkpoint, such as a damaged one."""
        open_bucket(self.url).remove(f"{_FOLDER}{self.name}/{epoch}.npz")

    def clear(self) -> None:
        """Remove what this fine-tuning left, and what others left that never ended; they can begin again."""
        bucket = open_bucket(self.url)
        for entry in list(bucket.entries(_FOLDER)):
            bucket.remove(entry.key)

    def _keys(self) -> dict[int, str]:
        prefix = f"{_FOLDER}{self.name}/"
        keys = [entry.key for entry in open_bucket(self.url).entries(prefix)]
        return {int(key.removeprefix(prefix).removesuffix(".npz")): key for key in keys}
