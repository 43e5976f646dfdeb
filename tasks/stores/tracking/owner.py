"""Which store a registered model in MLflow belongs to: one name cannot say which of two stores' models serves."""

from collections.abc import Mapping
from itertools import count

from configs.errors import SettingsError
from configs.visible_text import shown
from tasks.stores.store import Store
from tasks.stores.tracking.registry import STORE, find_versions, read_aliases_and_tags, tag_model


def check_owner(store: Store, url: str, model: str, tags: Mapping[str, str]) -> None:
    """Check that a registered model belongs to this store.

    A model without the store's tag, from an earlier version, is tagged if this store made all of its versions.

    Args:
        store: The store.
        url: MLflow's address.
        model: The name of the registered model.
        tags: The model's tags.

    Raises:
        SettingsError: It belongs to another store.
    """
    identity = store.identity()
    if tags.get(STORE) == identity:
        return
    if STORE in tags or _foreign(store, url, model):
        free = next(name for number in count(2) if _free(url, name := f"{model}-{number}"))
        owner = f"The model {model} in MLflow at {shown(url)} belongs to another store than {store.url}"
        advice = f"set tracking.model to {free}, which is free"
        raise SettingsError(f"{owner}, and one name cannot say which of two models serves: {advice}.")
    tag_model(url, model, STORE, identity)


def _foreign(store: Store, url: str, model: str) -> bool:
    """Return whether MLflow has versions that are neither in this store's records nor in its ledger."""
    own_models = {entry.key.removeprefix("models/").removesuffix(".json") for entry in store.objects.entries("models/")}
    own_models |= {f"{version.head}/{version.dataset}" for version in store.ledger.entries()}
    registered = (version.tags for version in find_versions(url, model, {}))
    return any(f"{tags.get('pedigree.head')}/{tags.get('pedigree.dataset')}" not in own_models for tags in registered)


def _free(url: str, model: str) -> bool:
    return read_aliases_and_tags(url, model) == ({}, {}) and not find_versions(url, model, {})
