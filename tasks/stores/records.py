"""The records of models: what each was made from, as plain JSON, under the head and the dataset version."""

import json
from typing import Any

from configs.problems import Problem
from tasks.domain.canonical import sha256_of
from tasks.domain.night import FeatureSet
from tasks.domain.record import Record, record_from
from tasks.stores import checksums
from tasks.stores.bucket import Changed, open_bucket
from tasks.stores.format import understood


def write_record(url: str, record: Record) -> None:
    """Keep a record; the first one about a head and a dataset version stands."""
    checksums.create(url, _key(record.head, record.dataset), record_bytes(record))


def record_bytes(record: Record) -> bytes:
    """Write a record as JSON, with the hash of all that it says."""
    plain = record.plain()
    return json.dumps({**plain, "sha256": sha256_of(plain)}, ensure_ascii=False, indent=1).encode()


def read_record(url: str, head: str, dataset: str) -> Record:
    """Return the record of a head that was trained on a dataset version; raise Problem when missing or damaged."""
    key = _key(head, dataset)
    try:
        plain = _checked(json.loads(open_bucket(url).read(key)))
        # Heads that were trained in epochs could start from the champion's weights.
        plain.pop("start", None)
        for place, kind in ((plain, Record), (plain["features"], FeatureSet), (plain["made"], FeatureSet)):
            understood(kind, place, key, url)
        return record_from(plain)
    except Changed:
        raise Problem(f"The file {key} is missing in {url}: put it back from a copy of the store.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Problem(f"The file {key} in {url} is damaged: put it back from a copy of the store.") from error


def _checked(plain: dict[str, Any]) -> dict[str, Any]:
    if plain.pop("sha256") != sha256_of(plain):
        raise ValueError("sha256")
    return plain


def _key(head: str, dataset: str) -> str:
    return f"models/{head}/{dataset}.json"
