"""Reproducing, step 1: find the decision that a person means, and the record of its model."""

from configs import schema
from configs.errors import PedigreeError
from tasks.domain.datasets.manifest import dataset_hash
from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.registry.model_record import LoadedRecord, VerifiedImages
from tasks.reports.prefect_ui.progress import show_progress
from tasks.step import step
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store


@step(hours=2)
def load_record(store: schema.Store, model: str) -> LoadedRecord:
    """Read what a model was made from; raise PedigreeError where nothing was decided about such a model."""
    open_bucket(store.url).check()
    Store(store.url).check_format()
    decision = Store(store.url).ledger.named(model)
    record = Store(store.url).records.read(decision.head, decision.dataset)
    return LoadedRecord(decision.number, decision.model_version, decision.run_id, record)


@step(hours=12)
def verify_images(original: LoadedRecord, store: schema.Store) -> VerifiedImages:
    """Hash the manifest and every image again; what is lost is named, since a model of other images is another one."""
    name = original.record.dataset
    rows = Store(store.url).manifests.read(name)
    if dataset_hash(rows) != name:
        raise PedigreeError(f"The manifest of {name[:12]} is damaged: put it back from a copy of the store.")
    lost = []
    with show_progress("verify_images", len(rows)) as advance:
        for image, data in Store(store.url).images.salvage([row.image for row in rows]):
            advance(1)
            if isinstance(data, PedigreeError) or sha256_of_bytes(data) != image:
                lost.append(image)
    missing = (
        f"{len(lost):,} of its {len(rows):,} images are missing or damaged, the first is {lost[0]}" if lost else ""
    )
    return VerifiedImages(len(rows), Store(store.url).tombstones.describe(name, lost).rstrip(".") or missing)
