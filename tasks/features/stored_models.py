"""The networks of a store: backbones and heads, read from their files and held against the hashes that name them."""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of, sha256_of_bytes
from tasks.stores.store import Store

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone
    from tasks.modeling.head.head import Head

_COPY = "put it back from a copy of the store"


def head_bytes(store: Store, name: str) -> bytes:
    """Read a head's file.

    Args:
        store: Holds the head.
        name: Hash of its weights.

    Returns:
        The file.

    Raises:
        PedigreeError: The file is missing, or its weights have another hash than its name.
    """
    from tasks.modeling.head.head import Head

    data, intact = store.heads.read(name), False
    with suppress(PedigreeError):
        intact = Head.from_bytes(data).name == name
    if not intact:
        remedy = "or remove it and train again with pedigree retrain --force"
        raise PedigreeError(f"The file heads/{name}.npz in {store.url} is not what was written: {_COPY}, {remedy}.")
    return data


def stored_head(store: Store, name: str) -> "Head":
    """Read a head.

    Args:
        store: Holds the head.
        name: Hash of its weights.

    Returns:
        The head.

    Raises:
        PedigreeError: Its file is missing, or is not what was written.
    """
    from tasks.modeling.head.head import Head

    return Head.from_bytes(head_bytes(store, name))


def backbone_files(store: Store, fingerprint: str) -> tuple[bytes, dict[str, Any]]:
    """Read the file that a backbone's engine computes with, and the facts that its fingerprint covers.

    Args:
        store: Holds the backbone.
        fingerprint: The hash that names it.

    Returns:
        The weights file or the graph, and the facts.

    Raises:
        PedigreeError: One of the files is missing, or is not what was written.
    """
    facts = store.backbones.read_facts(fingerprint)
    if sha256_of(facts) != fingerprint:
        raise PedigreeError(_altered_file(store, f"backbones/{fingerprint}.json"))
    if "graph" not in facts:
        return _weights_file(store, fingerprint, facts), facts
    graph = store.backbones.read_graph(facts)
    if sha256_of_bytes(graph) != facts["graph"]:
        raise PedigreeError(_altered_file(store, f"backbones/{facts['graph']}.onnx"))
    return graph, facts


def _weights_file(store: Store, fingerprint: str, facts: Mapping[str, Any]) -> bytes:
    from tasks.modeling.backbone.serialization import from_bytes, hash_weights

    data, intact = store.backbones.read_weights(fingerprint), False
    with suppress(PedigreeError):
        intact = hash_weights(from_bytes(data, "")) == facts["weights"]
    if not intact:
        raise PedigreeError(_altered_file(store, f"backbones/{fingerprint}.npz"))
    return data


def stored_backbone(store: Store, fingerprint: str) -> "Backbone":
    """Build a backbone from its files in the store.

    Args:
        store: Holds the backbone.
        fingerprint: The hash that names it.

    Returns:
        The backbone, ready to embed.

    Raises:
        PedigreeError: One of its files is missing, or is not what was written.
    """
    from tasks.modeling.backbone.backbone import restore_backbone

    return restore_backbone(*backbone_files(store, fingerprint))


def trainable_backbone(store: Store, fingerprint: str) -> "Backbone":
    """Build a backbone on TensorFlow, whatever engine computes its features.

    Args:
        store: Holds the backbone.
        fingerprint: The hash that names it.

    Returns:
        The backbone, ready to be fine-tuned.

    Raises:
        PedigreeError: One of its files is missing, or is not what was written.
    """
    from tasks.modeling.backbone.backbone import restore_backbone

    data, facts = backbone_files(store, fingerprint)
    if "graph" not in facts:
        return restore_backbone(data, facts)
    weights = _weights_file(store, fingerprint, facts)
    return restore_backbone(weights, {name: fact for name, fact in facts.items() if name != "graph"})


def keep_backbone(store: Store, backbone: "Backbone", weights: bytes) -> None:
    """Write a backbone into the store.

    Args:
        store: Gets the backbone.
        backbone: The backbone, on the engine that computes its features.
        weights: Its weights file, which fine-tuning starts from.
    """
    graph = backbone.to_bytes() if "graph" in backbone.facts else b""
    store.backbones.write(backbone.fingerprint, weights, backbone.facts, graph)


def check_backbone(store: Store, fingerprint: str, facts: Mapping[str, Any]) -> None:
    """Check that the stored backbone is the one that the settings' own weights give.

    Args:
        store: Holds the backbone.
        fingerprint: The hash that names both.
        facts: What the fingerprint covers, of the settings' own weights.

    Raises:
        PedigreeError: The stored one is another.
    """
    if backbone_files(store, fingerprint)[1] != facts:
        raise PedigreeError(_altered_file(store, f"backbones/{fingerprint}.json"))


def _altered_file(store: Store, key: str) -> str:
    remedy = "or move both files of that backbone away, and the next run writes what its settings name anew"
    return f"The file {key} in {store.url} is not what was written: {_COPY}, {remedy}."
