"""A look at the source before a run: whether there is anything to do that a former run has not foreseen.

It imports neither Prefect, MLflow, TensorFlow nor Lance, whose imports and start take longer than to list a source.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from configs import schema
from tasks.domain.hashing import sha256_of
from tasks.domain.images.preprocessing import decoder_versions, limits_from_settings
from tasks.domain.images.rejections import Circumstances
from tasks.domain.ingestion.source_objects import Snapshot
from tasks.domain.registry.model_record import hash_settings
from tasks.domain.runs.known_inputs import label_inputs, snapshot_inputs
from tasks.domain.runs.quiet_run import QuietRun, foresee
from tasks.domain.runs.results import RunData
from tasks.ingestion.source_listing import ListedSource, look_up_source
from tasks.stores.files.known_steps import is_answered, is_fetched, known_version
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tasks.stores.tables.listings import listing_hash
from tasks.stores.tracking.database import SQLITE, check_database
from tasks.stores.tracking.embedded_mark import mark_embedded

Kind = Literal["retrain", "rebuild"]


@dataclass(frozen=True)
class Look:
    """What a look found.

    Attributes:
        listing: The source's listing.
        quiet: What a run would come to; None where a run has to find that out.
    """

    listing: ListedSource
    quiet: QuietRun | None


def look(kind: Kind, settings: schema.Settings) -> Look:
    """List the source, and take what a former run foresaw, where nothing that it depends on has changed since.

    Args:
        kind: The flow that would run.
        settings: All of them, resolved.

    Returns:
        The listing, and what the run would come to.

    Raises:
        PedigreeError: The source or the store does not answer, or another Pedigree made the store.
    """
    open_bucket(settings.source.url).check()
    store = Store(settings.store.url)
    listing = look_up_source(settings.source)
    store.check_format()
    if not settings.tracking.url.startswith(SQLITE):
        return Look(listing, None)
    check_database(settings.tracking.url)
    if settings.backbone.cut == schema.AUTO:
        from tasks.features.backbone_cuts import with_chosen_cut

        settings = with_chosen_cut(settings, store)
    if settings.evaluation.golden:
        from tasks.evaluation.evaluation_sets import with_named_golden

        settings = with_named_golden(settings, store)
    inputs = _inputs(kind, listing.facts, settings, store)
    facts = store.known_results.read(kind, inputs) if inputs else None
    quiet = QuietRun.from_dict(facts) if facts else None
    if quiet is None or quiet.files != _files(quiet.data, store):
        return Look(listing, None)
    # These are no part of the listing, and may differ.
    told = listing.facts
    ingested = replace(quiet.data.ingested, passed_over=told.passed_over, inventory=told.inventory)
    return Look(listing, replace(quiet, data=replace(quiet.data, ingested=ingested)))


def note_quiet_run(
    kind: Kind, listed: Snapshot, data: RunData, settings: schema.Settings, words: tuple[str, ...] = (), card: str = ""
) -> None:
    """Write down what the next run comes to, if it finds everything as it is now.

    Args:
        kind: The flow that has run.
        listed: The listing that it has processed.
        data: What the photographs came to.
        settings: All of them, with the cut that was chosen.
        words: What each run adds to its reason as long as MLflow and the ledger stay as they are.
        card: What the run log said of the data card.
    """
    store = Store(settings.store.url)
    versions = store.known_results.table_versions(kind)
    done = _is_decided(data, settings, store)
    if listed.moment or not (_is_confirmed(listed, data, settings, store) and _is_foreseeable(kind, data, done=done)):
        return
    quiet = foresee(data, done=done and kind == "retrain")
    if inputs := _inputs(kind, listed, settings, store):
        run = QuietRun(quiet, words, card, _files(quiet, store))
        store.known_results.write(kind, inputs, versions, run.to_dict())


def _is_foreseeable(kind: Kind, data: RunData, *, done: bool) -> bool:
    """Check that the next run needs no training: a rebuild never does."""
    return kind == "rebuild" or done or data.dataset.state == "waiting"


def _is_decided(data: RunData, settings: schema.Settings, store: Store) -> bool:
    recipe = hash_settings(settings)
    decided = [entry for entry in store.ledger.entries() if entry.decided_by_gate]
    return any((entry.dataset, entry.recipe) == (data.dataset.hash, recipe) for entry in decided)


def _is_confirmed(listed: Snapshot, data: RunData, settings: schema.Settings, store: Store) -> bool:
    """Check that each step of a next run would find the same in the tables as they are now, and fetch nothing."""
    known = store.known_results
    recorded = listing_hash(store.snapshots.listing(listed.source)) == listed.listing
    labels = known.read("label", label_inputs(listed.source, listed.listing, settings.labels, store.tombstones.read()))
    version = known_version(known, data.labels.name, settings)
    same = (labels or {}).get("name") == data.labels.name and (version or {}).get("hash") == data.dataset.hash
    return recorded and same and (is_fetched(known, listed, settings) or _nothing_pends(listed, settings, store))


def _nothing_pends(listed: Snapshot, settings: schema.Settings, store: Store) -> bool:
    """Check that a next run fetches nothing, now or after some days."""
    limits = limits_from_settings(settings.images)
    now = Circumstances(
        limits.max_bytes, limits.max_pixels, limits.min_side, decoder_versions(), datetime.now(UTC).isoformat()
    )
    if store.snapshots.is_retried_in_time(listed.source):
        return False
    return not len(store.snapshots.pending(listed.source, "", settings.labels.manifest, now))


def _inputs(kind: Kind, listed: Snapshot, settings: schema.Settings, store: Store) -> Mapping[str, Any] | None:
    """Return all that a run depends on besides code and tables, as JSON; None where that cannot be told from here."""
    mark = mark_embedded(settings.tracking) if kind == "retrain" else {}
    if mark is None:
        return None
    answered = store.processed_snapshots.last(listed.source)
    current = not answered or is_answered(store.known_results, replace(listed, answered=answered))
    return {
        **snapshot_inputs(listed.source, listed.listing),
        "settings": settings.model_dump(mode="json", exclude={"watch"}),
        "decoders": decoder_versions(),
        "forgotten": sha256_of(sorted(store.tombstones.read())),
        "ledger": {entry.key: entry.etag for entry in store.objects.entries("ledger/")},
        # Photographs that vanished since are counted from the listing that was answered.
        "answered": "" if current else answered,
        "mlflow": mark,
    }


def _files(data: RunData, store: Store) -> dict[str, str]:
    """Return the ETags of the files of a labelling and of a dataset version, by their keys."""
    prefixes = (f"labels/{data.labels.name}", f"datasets/{data.dataset.hash}/")
    return {entry.key: entry.etag for prefix in prefixes for entry in store.objects.entries(prefix)}
