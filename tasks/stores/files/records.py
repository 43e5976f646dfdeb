"""Small JSON records: what each model was made from, how each training ended, and which listings were answered."""

import json
from collections.abc import Mapping
from typing import Any

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of
from tasks.domain.registry.model_record import Record, record_from_dict
from tasks.domain.training.results import FeatureSet
from tasks.stores.files import checksums
from tasks.stores.files.format_version import reject_unknown_fields
from tasks.stores.objects.object_store import ObjectChangedError, open_bucket


def write_record(url: str, record: Record) -> None:
    """Keep a record; the first one about a head and a dataset version stands."""
    checksums.create(url, _key(record.head, record.dataset), record_bytes(record))


def record_bytes(record: Record) -> bytes:
    """Write a record as JSON, with the hash of all that it says."""
    plain = record.to_dict()
    return json.dumps({**plain, "sha256": sha256_of(plain)}, ensure_ascii=False, indent=1).encode()


def read_record(url: str, head: str, dataset: str) -> Record:
    """Return the record of a head that was trained on a dataset version; raise Problem when missing or damaged."""
    key = _key(head, dataset)
    try:
        plain = _checked(json.loads(open_bucket(url).read(key)))
        # Heads that were trained in epochs could start from the champion's weights.
        plain.pop("start", None)
        for part, kind in ((plain, Record), (plain["features"], FeatureSet), (plain["made"], FeatureSet)):
            reject_unknown_fields(kind, part, key, url)
        return record_from_dict(plain)
    except ObjectChangedError:
        raise PedigreeError(f"The file {key} is missing in {url}: put it back from a copy of the store.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PedigreeError(f"The file {key} in {url} is damaged: put it back from a copy of the store.") from error


def _checked(plain: dict[str, Any]) -> dict[str, Any]:
    if plain.pop("sha256") != sha256_of(plain):
        raise ValueError("sha256")
    return plain


def _key(head: str, dataset: str) -> str:
    return f"models/{head}/{dataset}.json"


def write_training_result(url: str, name: str, facts: Mapping[str, Any]) -> None:
    """Write down how a training ended, under the hash of all that decides it; the first one stands."""
    checksums.create(url, _training_key(name), json.dumps(facts, ensure_ascii=False, default=float).encode())


def read_training_result(url: str, name: str) -> dict[str, Any] | None:
    """Return how the training of this name ended; None where it never did, or where the note is damaged."""
    try:
        facts: dict[str, Any] = {**json.loads(open_bucket(url).read(_training_key(name)))}
    except (ObjectChangedError, ValueError, TypeError):
        return None
    return facts


def _training_key(name: str) -> str:
    return f"trainings/{name}.json"


def write_processed_snapshot(url: str, source: str, taken: str, ended: str) -> None:
    """Write down that a retraining has ended which listed the source at that moment, and how."""
    facts = {"source": source, "taken": taken, "ended": ended}
    checksums.create(url, f"{_processed_folder(source)}/{taken}.json", json.dumps(facts, ensure_ascii=False).encode())


def last_processed_snapshot(url: str, source: str) -> str:
    """Tell when the source was listed by the latest retraining that came to its end; empty where none did."""
    keys = [entry.key for entry in open_bucket(url).entries(f"{_processed_folder(source)}/")]
    return max((key.rpartition("/")[2].removesuffix(".json") for key in keys), default="")


def _processed_folder(source: str) -> str:
    return f"nights/{sha256_of(source)[:16]}"
