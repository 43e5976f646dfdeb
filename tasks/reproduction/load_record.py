"""Reproducing, step 1: find the decision that a person means, and the record of its model."""

from configs import schema
from tasks.domain.registry.reproduction import LoadedRecord
from tasks.step import step
from tasks.stores.files.format_version import check_format
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.records import read_record
from tasks.stores.objects.object_store import open_bucket


@step(hours=2)
def load_record(store: schema.Store, model: str) -> LoadedRecord:
    """Read what a model was made from; raise PedigreeError where nothing was decided about such a model."""
    open_bucket(store.url).check()
    check_format(store.url)
    decision = Ledger(store.url).named(model)
    record = read_record(store.url, decision.head, decision.dataset)
    return LoadedRecord(decision.number, decision.model_version, decision.run_id, record)
