"""Whose models these are: a store has a name of its own, which MLflow's registered model carries as a tag."""

import json
from collections.abc import Mapping
from itertools import count
from uuid import uuid4

from configs.addresses import shown
from configs.errors import PedigreeError, SettingsError
from tasks.stores.files import checksums
from tasks.stores.files.ledger import Ledger
from tasks.stores.objects.object_store import ObjectChangedError, open_bucket
from tasks.stores.tracking import registry

_FILE = "identity.json"


def store_identity(store: str) -> str:
    """Return the name that a store was given once, and that its copies share; a store without one gets it now."""
    bucket = open_bucket(store)
    try:
        return _name(bucket.read(_FILE))
    except ObjectChangedError:
        checksums.create(store, _FILE, json.dumps({"store": uuid4().hex}).encode())
        return _name(bucket.read(_FILE))
    except (ValueError, KeyError, TypeError):
        raise PedigreeError(f"The file {_FILE} of the store {store} is damaged: put it back from a copy.") from None


def check_owner(store: str, url: str, model: str, tags: Mapping[str, str]) -> None:
    """Raise SettingsError where a registered model with these tags is another store's.

    One from before models were tagged becomes this store's, if this store made each version that Pedigree registered.
    """
    identity = store_identity(store)
    if tags.get(registry.STORE) == identity:
        return
    if registry.STORE in tags or _foreign(store, url, model):
        free = next(name for number in count(2) if _free(url, name := f"{model}-{number}"))
        message = (
            f"The model {model} in MLflow at {shown(url)} belongs to another store than {store}, and one name cannot"
        )
        raise SettingsError(f"{message} say which of two models serves: set tracking.model to {free}, which is free.")
    registry.tag_model(url, model, registry.STORE, identity)


def _name(data: bytes) -> str:
    return str(json.loads(data)["store"])


def _foreign(store: str, url: str, model: str) -> bool:
    """Tell whether MLflow holds versions that this store neither has a record of nor has decided about."""
    own_models = {
        entry.key.removeprefix("models/").removesuffix(".json") for entry in open_bucket(store).entries("models/")
    }
    own_models |= {f"{version.head}/{version.dataset}" for version in Ledger(store).entries()}
    registered = (version.tags for version in registry.find_versions(url, model, {}))
    return any(f"{tags.get('pedigree.head')}/{tags.get('pedigree.dataset')}" not in own_models for tags in registered)


def _free(url: str, model: str) -> bool:
    return registry.read_aliases_and_tags(url, model) == ({}, {}) and not registry.find_versions(url, model, {})
