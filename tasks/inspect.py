"""Step 5: the data card of a dataset version, so that a person sees what the model is made from."""

from configs import schema
from tasks.domain.card import data_card
from tasks.domain.night import Data, Inspected
from tasks.reports.artifacts import show_card
from tasks.step import step
from tasks.stores.datasets import read_manifest, write_card


@step
def inspect(data: Data, store: schema.Store) -> Inspected:
    """Count classes, splits and attributes, compare with the parent version, and write it all beside the manifest."""
    dataset = data.dataset
    parent = read_manifest(store.url, dataset.parent) if dataset.parent else []
    card = data_card(read_manifest(store.url, dataset.hash), parent)
    facts = {
        **card.plain(),
        "dataset": dataset.hash,
        "parent": dataset.parent,
        "labels": data.labels.name,
        "waiting": list(dataset.waiting),
        "unlabelled": data.labels.unlabelled,
        "conflicts": data.labels.conflicts,
    }
    write_card(store.url, dataset.hash, facts)
    show_card(facts)
    return Inspected(len(card.added), len(card.removed), len(card.relabelled), card.warnings)
