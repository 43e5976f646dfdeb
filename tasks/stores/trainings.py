"""What a training came to, so that a night which could not tell MLflow does not train again."""

import json
from collections.abc import Mapping
from typing import Any

from tasks.stores import checksums
from tasks.stores.bucket import Changed, open_bucket


def keep_training(url: str, name: str, facts: Mapping[str, Any]) -> None:
    """Write down how a training ended, under the hash of all that decides it; the first one stands."""
    checksums.create(url, _key(name), json.dumps(facts, ensure_ascii=False, default=float).encode())


def kept_training(url: str, name: str) -> dict[str, Any] | None:
    """Return how the training of this name ended; None where it never did, or where the note is damaged."""
    try:
        facts: dict[str, Any] = {**json.loads(open_bucket(url).read(_key(name)))}
    except (Changed, ValueError, TypeError):
        return None
    return facts


def _key(name: str) -> str:
    return f"trainings/{name}.json"
