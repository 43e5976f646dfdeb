"""Claims: of several runs that want to do the same costly work, one does it while the others wait."""

import json
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psutil

from tasks.stores.objects.object_store import Bucket, Changed, open_bucket

# A claim of another machine, whose processes nobody here can see, counts for so many seconds.
_VALID = 600
_LOOK_AGAIN = 0.2
# A night opens its run when it has trained, and no night works on for so many seconds after that.
_WORKS = 12 * 3600


@contextmanager
def claimed(url: str, work: str) -> Iterator[None]:
    """Hold the claim on some work, and wait for it while another living run holds it.

    A claim is void once its process has died or, where that cannot be seen from here, ten minutes after it was made.
    Should two runs find a void claim at the same moment, both may go on: what is claimed must be harmless when doubled.
    """
    bucket, key, claim = open_bucket(url), f"claims/{work}.json", _claim()
    while not bucket.create(key, claim):
        held = _read(bucket, key)
        if held is not None and _void(json.loads(held)):
            bucket.remove(key)
        else:
            time.sleep(_LOOK_AGAIN)
    try:
        yield
    finally:
        if _read(bucket, key) == claim:
            bucket.remove(key)


def _claim() -> bytes:
    process = psutil.Process()
    return json.dumps(
        {
            "machine": platform.node(),
            "process": process.pid,
            "started": process.create_time(),
            "time": datetime.now(UTC).isoformat(),
            "name": uuid4().hex,
        }
    ).encode()


def owner() -> str:
    """Name this process in a way that others can tell whether it still works."""
    return _claim().decode()


def lives(owner: str) -> bool:
    """Tell whether a process that is named so still works; of this very one, that what it did before has ended.

    One of another machine, which nobody here can see, counts as working for half a day.
    """
    try:
        claim = json.loads(owner)
        age = datetime.now(UTC) - datetime.fromisoformat(claim["time"])
        here, number, started = claim["machine"] == platform.node(), int(claim["process"]), float(claim["started"])
    except (ValueError, KeyError, TypeError):
        return False
    own = here and number == psutil.Process().pid
    seen = _alive(number, started) if here else True
    return seen and not own and age.total_seconds() < _WORKS


def _read(bucket: Bucket, key: str) -> bytes | None:
    try:
        return bucket.read(key)
    except Changed:
        return None


def _void(claim: dict[str, Any]) -> bool:
    if claim["machine"] == platform.node():
        return not _alive(claim["process"], claim["started"])
    age = datetime.now(UTC) - datetime.fromisoformat(claim["time"])
    return age.total_seconds() > _VALID


def _alive(number: int, started: float) -> bool:
    try:
        process = psutil.Process(number)
        return bool(process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
