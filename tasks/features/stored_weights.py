"""Heads and backbones as the store holds them, never read without proof that they are what was written."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of
from tasks.stores.files.weights import read_backbone, read_head

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone
    from tasks.modeling.head.head import Head

_COPY = "put it back from a copy of the store"


def head_bytes(store: str, name: str) -> bytes:
    """Return a head's file; raise PedigreeError, naming it, where its weights have another hash than its name."""
    from tasks.modeling.head.head import Head

    data = read_head(store, name)
    try:
        intact = Head.from_bytes(data).name == name
    except PedigreeError:
        intact = False
    if not intact:
        remedy = "or remove it and train again with pedigree retrain --force"
        raise PedigreeError(f"The file heads/{name}.npz in {store} is not what was written: {_COPY}, {remedy}.")
    return data


def stored_head(store: str, name: str) -> "Head":
    """Read a head; raise PedigreeError where it is missing, or not what was written."""
    from tasks.modeling.head.head import Head

    return Head.from_bytes(head_bytes(store, name))


def backbone_files(store: str, fingerprint: str) -> tuple[bytes, dict[str, Any]]:
    """Return a backbone's weights file and its facts; raise Problem, naming the file that is not what was written."""
    from tasks.modeling.backbone.serialization import from_bytes, weights_hash

    data, facts = read_backbone(store, fingerprint)
    if sha256_of(facts) != fingerprint:
        raise _altered_file(store, f"backbones/{fingerprint}.json")
    try:
        intact = weights_hash(from_bytes(data, "")) == facts["weights"]
    except PedigreeError:
        intact = False
    if not intact:
        raise _altered_file(store, f"backbones/{fingerprint}.npz")
    return data, facts


def stored_backbone(store: str, fingerprint: str) -> "Backbone":
    """Build a backbone from the store; raise Problem where one of its files is missing, or not what was written."""
    from tasks.modeling.backbone.backbone import restore

    return restore(*backbone_files(store, fingerprint))


def check_backbone(store: str, fingerprint: str, facts: Mapping[str, Any]) -> None:
    """Raise PedigreeError where the stored backbone is not this one, which the settings' own weights made."""
    if backbone_files(store, fingerprint)[1] != facts:
        raise _altered_file(store, f"backbones/{fingerprint}.json")


def _altered_file(store: str, key: str) -> PedigreeError:
    remedy = "or move both files of that backbone away, and the next night writes what its settings name anew"
    return PedigreeError(f"The file {key} in {store} is not what was written: {_COPY}, {remedy}.")
