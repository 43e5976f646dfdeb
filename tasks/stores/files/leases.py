"""Leases: of several runs that want to do the same costly work, one does it while the others wait."""

import json
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psutil

from tasks.stores.objects.object_store import Bucket, ObjectChangedError

# Seconds for which a lease of another machine is valid, since its processes cannot be seen from here.
_VALID = 600
_LOOK_AGAIN = 0.2
# A run opens its MLflow run after it has trained; no run works on for this many seconds after that.
_WORKS = 12 * 3600


@dataclass(frozen=True)
class Leases:
    """The files ``claims/<work>.json``, each there while a run does this work."""

    objects: Bucket

    @contextmanager
    def hold(self, work: str) -> Iterator[None]:
        """Hold the lease on some work, and wait for it while another living run holds it.

        A lease is void once its process has died or, where that cannot be seen from here, ten minutes after it was
        made. Should two runs find a void lease at the same moment, both may go on: what is leased must be harmless when
        doubled.

        Args:
            work: Name of the work.

        Yields:
            Nothing.
        """
        key, lease = f"claims/{work}.json", _new_lease()
        while not self.objects.create(key, lease):
            held = self._read(key)
            if held is not None and _is_void(json.loads(held)):
                self.objects.remove(key)
            else:
                time.sleep(_LOOK_AGAIN)
        try:
            yield
        finally:
            if self._read(key) == lease:
                self.objects.remove(key)

    def _read(self, key: str) -> bytes | None:
        try:
            return self.objects.read(key)
        except ObjectChangedError:
            return None


def _new_lease() -> bytes:
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
    """Return a description of this process, by which others can check whether it is still running."""
    return _new_lease().decode()


def is_alive(owner: str) -> bool:
    """Check whether another process is still running.

    A process on another machine, which cannot be seen from here, counts as running for half a day.

    Args:
        owner: The description of the process.

    Returns:
        False also for this very process, since its earlier work has ended.
    """
    try:
        lease = json.loads(owner)
        age = datetime.now(UTC) - datetime.fromisoformat(lease["time"])
        same_machine, number, started = (
            lease["machine"] == platform.node(),
            int(lease["process"]),
            float(lease["started"]),
        )
    except (ValueError, KeyError, TypeError):
        return False
    same_process = same_machine and number == psutil.Process().pid
    running = _is_running(number, started) if same_machine else True
    return running and not same_process and age.total_seconds() < _WORKS


def _is_void(lease: dict[str, Any]) -> bool:
    if lease["machine"] == platform.node():
        return not _is_running(lease["process"], lease["started"])
    age = datetime.now(UTC) - datetime.fromisoformat(lease["time"])
    return age.total_seconds() > _VALID


def _is_running(number: int, started: float) -> bool:
    try:
        process = psutil.Process(number)
        return bool(process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
