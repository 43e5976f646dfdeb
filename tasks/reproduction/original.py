"""The original of a reproduction: the record of the model that a person means, and whether its images are whole."""

from configs import schema
from configs.errors import PedigreeError
from configs.sections import Scale
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.registry.reproduction import LoadedRecord, VerifiedImages
from tasks.engine.engine import open_engine
from tasks.reports.prefect_ui.progress import show_progress
from tasks.step import log_line, step
from tasks.stores.rehash import rehash
from tasks.stores.store import Store


@step(hours=2)
def load_record(settings: schema.Store, model: str) -> LoadedRecord:
    """Read what a model was made from.

    Args:
        settings: Where the store is.
        model: A model version, an alias, an MLflow run id, or a day.

    Returns:
        The record, with the decision that names it.

    Raises:
        PedigreeError: Nothing was decided about such a model, or its record is lost.
    """
    store = Store(settings.url)
    store.objects.check()
    store.check_format()
    decision = store.ledger.named(model)
    record = store.records.read(decision.head, decision.dataset)
    return LoadedRecord(decision.number, decision.model_version, decision.run_id, record)


@step(hours=12)
def verify_images(original: LoadedRecord, settings: schema.Store, scale: Scale) -> VerifiedImages:
    """Hash the manifest and every image again: a model of other images is another model.

    Args:
        original: The model's record.
        settings: Where the store is.
        scale: Whether this process hashes them, or workers do.

    Returns:
        How many images there are, and what of them is lost.

    Raises:
        PedigreeError: The manifest is damaged.
    """
    store, name = Store(settings.url), original.record.dataset
    rows = store.manifests.read(name)
    if dataset_hash(rows) != name:
        raise PedigreeError(f"The manifest of {name[:12]} is damaged: put it back from a copy of the store.")
    engine = open_engine(scale, log_line)
    with show_progress("verify_images", len(rows), dashboard=engine.dashboard) as advance:
        damaged = {damage.image for damage in rehash(engine, store.url, [row.image for row in rows], advance)}
    lost = [row.image for row in rows if row.image in damaged]
    missing = (
        f"{len(lost):,} of its {len(rows):,} images are missing or damaged, the first is {lost[0]}" if lost else ""
    )
    return VerifiedImages(len(rows), store.tombstones.describe(name, lost).rstrip(".") or missing)
