"""What each step before training depends on, so that what it found is taken again where all of that is the same."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tasks.domain.hashing import sha256_of

if TYPE_CHECKING:
    from configs import schema
    from tasks.domain.images.preprocessing import Limits

#: The tables that each step reads; their versions are among what it depends on.
TABLES: Mapping[str, tuple[str, ...]] = {
    "snapshot": ("objects",),
    "ingest": ("contents", "rejects"),
    "label": ("contents", "metadata"),
    "assemble": ("splits",),
    "retrain": ("objects", "contents", "rejects", "metadata", "splits"),
    "rebuild": ("objects", "contents", "rejects", "metadata", "splits"),
}
Inputs = Mapping[str, Any]


def snapshot_inputs(source: str, listing: str) -> Inputs:
    """Return what decides whether a listing is the last one that was recorded.

    Args:
        source: Address of the source.
        listing: Hash of what was listed.

    Returns:
        The inputs, as JSON.
    """
    return {"source": source, "listing": listing}


def ingest_inputs(source: str, listing: str, limits: "Limits", manifest: str, decoders: str) -> Inputs:
    """Return what decides which objects are to be fetched.

    Args:
        source: Address of the source.
        listing: Hash of what was listed.
        limits: The largest and smallest pictures.
        manifest: The key of the label manifest, which is no image.
        decoders: Versions of the decoders.

    Returns:
        The inputs, as JSON.
    """
    return {**snapshot_inputs(source, listing), "limits": asdict(limits), "manifest": manifest, "decoders": decoders}


def label_inputs(source: str, listing: str, labels: "schema.Labels", forgotten: Collection[str]) -> Inputs:
    """Return what decides the label of each image.

    Args:
        source: Address of the source.
        listing: Hash of what was listed.
        labels: The settings of labels.
        forgotten: The images that were removed for good.

    Returns:
        The inputs, as JSON.
    """
    gone = sha256_of(sorted(forgotten))
    return {**snapshot_inputs(source, listing), "labels": labels.model_dump(mode="json"), "forgotten": gone}


def assemble_inputs(labelling: str, labels: "schema.Labels", dataset: "schema.Dataset") -> Inputs:
    """Return what decides the dataset version.

    Args:
        labelling: Hash of the labelling.
        labels: The settings of labels.
        dataset: The settings of datasets.

    Returns:
        The inputs, as JSON.
    """
    settings = {"labels": labels.model_dump(mode="json"), "dataset": dataset.model_dump(mode="json")}
    return {"labelling": labelling, **settings}
