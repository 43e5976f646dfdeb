"""What former runs found in each step before training, where nothing that the step depends on has changed."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from configs import schema
from tasks.domain.ingestion.source_objects import IngestSummary, Snapshot
from tasks.domain.runs.known_inputs import assemble_inputs, ingest_inputs, label_inputs, snapshot_inputs
from tasks.stores.files.known_results import KnownResults

if TYPE_CHECKING:
    from tasks.domain.labels.results import Labels


def is_answered(known: KnownResults, listed: Snapshot) -> bool:
    """Check whether a listing is the one that was recorded last, and that a retraining has answered.

    Args:
        known: What former runs found.
        listed: The listing.

    Returns:
        Whether nothing is to be recorded, compared or refused.
    """
    facts = known.read("snapshot", snapshot_inputs(listed.source, listed.listing))
    return facts is not None and bool(facts["changed"] <= listed.answered)


def is_fetched(known: KnownResults, listed: Snapshot, settings: schema.Settings) -> bool:
    """Check whether a former run has seen that no object of a listing is to be fetched.

    Args:
        known: What former runs found.
        listed: The listing.
        settings: All of them.

    Returns:
        Whether nothing is to be fetched.
    """
    return bool(listed.listing) and known.read("ingest", fetch_inputs(listed, settings)) is not None


def fetch_inputs(listed: Snapshot, settings: schema.Settings) -> Mapping[str, Any]:
    """Return what decides which objects of a listing are to be fetched.

    Args:
        listed: The listing.
        settings: All of them.

    Returns:
        The inputs, as JSON.
    """
    from tasks.domain.images.preprocessing import decoder_versions, limits_from_settings

    limits = limits_from_settings(settings.images)
    return ingest_inputs(listed.source, listed.listing, limits, settings.labels.manifest, decoder_versions())


def known_labels(
    known: KnownResults, ingested: IngestSummary, labels: schema.Labels, forgotten: set[str]
) -> "Labels | None":
    """Return the labels that a former run found.

    Args:
        known: What former runs found.
        ingested: Names the source and the listing.
        labels: The settings of labels.
        forgotten: The images that were removed for good.

    Returns:
        The labels; None where they are not known, or their rows are not in the store any more.
    """
    from tasks.domain.labels.results import Labels

    facts = known.read("label", label_inputs(ingested.source, ingested.listing, labels, forgotten))
    if not ingested.listing or facts is None:
        return None
    return Labels.from_dict(facts) if any(known.objects.entries(f"labels/{facts['name']}.")) else None


def known_version(known: KnownResults, labelling: str, settings: schema.Settings) -> Mapping[str, Any] | None:
    """Return the dataset version that a former run assembled.

    Args:
        known: What former runs found.
        labelling: Hash of the labelling.
        settings: All of them.

    Returns:
        What was found, as JSON; None where it is not known.
    """
    return known.read("assemble", assemble_inputs(labelling, settings.labels, settings.dataset))
