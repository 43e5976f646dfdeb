"""Leases: of several runs that want to do the same costly work, one does it while the others wait."""

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from uuid import uuid4

import psutil

from configs.errors import PedigreeError
from tasks.domain.hashing import sha256_of_bytes
from tasks.stores.files.store_clock import age, store_time
from tasks.stores.objects.object_store import Bucket, ObjectChangedError

# Seconds between two signs of life, and after how many without one a lease of another machine is void.
_RENEWED, _VALID = 60.0, 300
# Seconds between two looks at a lease that another run holds: often at first, since most work is short.
_FIRST_LOOK, _LAST_LOOK, _SLOWER = 0.2, 5.0, 1.1
# A run opens its MLflow run after it has trained; no run works on for this many seconds after that.
_WORKS = 12 * 3600


@dataclass
class Lease:
    """A lease that this process holds, and renews each minute until it gives it back.

    Attributes:
        objects: The store's files.
        work: Name of the work.
        content: What its file holds, which no other lease does.
    """

    objects: Bucket
    work: str
    content: bytes
    _renewals: int = 0
    _ended: Event = field(default_factory=Event)

    def is_held(self) -> bool:
        """Check that no other run has taken the work over; to be asked before each write that must not be doubled."""
        return _read(self.objects, _key(self.work)) == self.content

    def renew(self) -> None:
        """Leave a sign of life; the store's clock says when that was."""
        former = self._sign()
        self._renewals += 1
        self.objects.create(self._sign(), b"")
        self.objects.remove(former)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew the lease each minute while the block runs, and then give it back."""
        thread = Thread(target=self._renew_each_minute, name=f"lease {self.work}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(_LAST_LOOK)
            if self._renewals:
                _remove_signs(self.objects, self.work, self.content)
            if self.is_held():
                self.objects.remove(_key(self.work))

    def _renew_each_minute(self) -> None:
        while not self._ended.wait(_RENEWED):
            # A server that does not answer now may do so in a minute; whether the lease still holds is asked apart.
            with suppress(PedigreeError, ObjectChangedError):
                if not self.is_held():
                    return
                self.renew()

    def _sign(self) -> str:
        return f"{_signs(self.work, self.content)}{self._renewals:06}"


@dataclass(frozen=True)
class Leases:
    """The files ``claims/<work>.json``, each there while a run does this work, with a sign of life each minute."""

    objects: Bucket

    @contextmanager
    def hold(self, work: str) -> Iterator[Lease]:
        """Hold the lease on some work, and wait for it while another living run holds it.

        A lease is void once its process has died or, where that cannot be seen from here, after five minutes without a
        sign of life, by the store's clock. What is leased must be harmless when doubled all the same: a process that
        was stopped for that long may write once more before it asks whether it still holds its lease.

        Args:
            work: Name of the work.

        Yields:
            The lease, which is renewed each minute.
        """
        lease, pause = Lease(self.objects, work, _new_lease()), _FIRST_LOOK
        while not self._take(lease):
            time.sleep(pause)
            pause = min(pause * _SLOWER, _LAST_LOOK)
        with lease.kept():
            yield lease

    @contextmanager
    def hold_if_free(self, work: str) -> Iterator[Lease | None]:
        """Hold the lease on some work, or leave it to the living run that holds it.

        Args:
            work: Name of the work.

        Yields:
            The lease; None where another run holds it.
        """
        lease = Lease(self.objects, work, _new_lease())
        if not self._take(lease):
            yield None
            return
        with lease.kept():
            yield lease

    def _take(self, lease: Lease) -> bool:
        """Create the lease's file, in the place of one that is void; of several runs that find it void one may."""
        if self.objects.create(_key(lease.work), lease.content):
            return True
        held = _read(self.objects, _key(lease.work))
        if held is None or not self._is_void(lease.work, held):
            return False
        ticket = f"{_signs(lease.work, held)}void"
        if not self.objects.create(ticket, b""):
            self._drop_old(ticket)
            return False
        if _read(self.objects, _key(lease.work)) == held:
            self.objects.remove(_key(lease.work))
        taken = self.objects.create(_key(lease.work), lease.content)
        _remove_signs(self.objects, lease.work, held)
        return taken

    def _is_void(self, work: str, held: bytes) -> bool:
        running = _is_running_here(held)
        if running is not None:
            return not running
        signs = [*self.objects.entries(_key(work)), *self.objects.entries(_signs(work, held))]
        now = store_time(self.objects)
        return bool(signs) and min(age(sign.modified, now) for sign in signs) > timedelta(seconds=_VALID)

    def _drop_old(self, ticket: str) -> None:
        """Remove what a run left that died while it took over a void lease."""
        now = store_time(self.objects)
        for entry in list(self.objects.entries(ticket)):
            if age(entry.modified, now) > timedelta(seconds=_RENEWED):
                self.objects.remove(entry.key)


def _key(work: str) -> str:
    return f"claims/{work}.json"


def _signs(work: str, content: bytes) -> str:
    """Return how the keys begin that say something of this very lease."""
    return f"claims/{work}.{sha256_of_bytes(content)[:16]}."


def _remove_signs(objects: Bucket, work: str, content: bytes) -> None:
    for entry in list(objects.entries(_signs(work, content))):
        objects.remove(entry.key)


def _read(objects: Bucket, key: str) -> bytes | None:
    try:
        return objects.read(key)
    except ObjectChangedError:
        return None


def _is_running_here(held: bytes) -> bool | None:
    """Check whether the process that holds a lease is running; None where that cannot be seen from here."""
    try:
        lease = json.loads(held)
        same_machine = (lease["machine"], lease.get("namespace", _namespace())) == (platform.node(), _namespace())
        return _is_running(int(lease["process"]), float(lease["started"])) if same_machine else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _namespace() -> str:
    """Return what tells containers apart that share a machine's name and not its processes; empty outside Linux."""
    with suppress(OSError):
        return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - it is no path
    return ""


def _new_lease() -> bytes:
    process = psutil.Process()
    return json.dumps(
        {
            "machine": platform.node(),
            "namespace": _namespace(),
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
        since = datetime.now(UTC) - datetime.fromisoformat(lease["time"])
        same_machine, number, started = (
            lease["machine"] == platform.node(),
            int(lease["process"]),
            float(lease["started"]),
        )
    except (ValueError, KeyError, TypeError):
        return False
    same_process = same_machine and number == psutil.Process().pid
    running = _is_running(number, started) if same_machine else True
    return running and not same_process and since.total_seconds() < _WORKS


def _is_running(number: int, started: float) -> bool:
    try:
        process = psutil.Process(number)
        return bool(process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
