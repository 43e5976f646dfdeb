"""Which listings of a source a retraining has answered: one small file for each that came to its end."""

import json

from tasks.domain.canonical import sha256_of
from tasks.stores import checksums
from tasks.stores.bucket import open_bucket


def note(url: str, source: str, taken: str, ended: str) -> None:
    """Write down that a retraining has ended which listed the source at that moment, and how."""
    facts = {"source": source, "taken": taken, "ended": ended}
    checksums.create(url, f"{_place(source)}/{taken}.json", json.dumps(facts, ensure_ascii=False).encode())


def last_answered(url: str, source: str) -> str:
    """Tell when the source was listed by the latest retraining that came to its end; empty where none did."""
    keys = [entry.key for entry in open_bucket(url).entries(f"{_place(source)}/")]
    return max((key.rpartition("/")[2].removesuffix(".json") for key in keys), default="")


def _place(source: str) -> str:
    return f"nights/{sha256_of(source)[:16]}"
