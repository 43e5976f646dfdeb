"""Tasks for engines that need no store, and note in a folder who did what."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from configs.errors import PedigreeError, ServiceUnavailableError, UnlikeMachineError
from tasks.engine.engine import Report, ReportProgress


def ignore(_report: Report) -> None:
    """Take a report that nobody reads."""


@dataclass(frozen=True)
class Square:
    """Squares numbers, and kills or stops its own process at some of them, once each.

    Attributes:
        folder: Gets a file for each attempt.
        deadly: The number at which the process dies before it answers.
        stopping: The number at which it is stopped, as by SIGSTOP.
    """

    folder: str
    deadly: int = -1
    stopping: int = -1

    def prepare(self) -> None:
        """Note who was asked whether it may."""
        (Path(self.folder) / f"prepared-{os.getpid()}").touch()

    def __call__(self, item: int, report: ReportProgress) -> int:
        """Square a number."""
        note = Path(self.folder) / f"{item}-{os.getpid()}"
        first = not list(note.parent.glob(f"{item}-*"))
        note.touch()
        if first and item in {self.deadly, self.stopping}:
            os.kill(os.getpid(), signal.SIGKILL if item == self.deadly else signal.SIGSTOP)
        report(1, {"network": 0.5})
        return item * item


@dataclass(frozen=True)
class Failing:
    """Fails on each number, as a store does that does not answer, or as one that is damaged.

    Attributes:
        folder: Gets a file for each attempt.
        busy: Whether trying again may help.
        tries: How many attempts fail; later ones succeed.
    """

    folder: str
    busy: bool
    tries: int = 1000

    def prepare(self) -> None:
        """Do nothing."""

    def __call__(self, item: int, report: ReportProgress) -> int:
        """Fail, or answer after enough attempts."""
        attempts = len(list(Path(self.folder).iterdir()))
        (Path(self.folder) / str(attempts)).touch()
        if attempts < self.tries:
            raise (ServiceUnavailableError if self.busy else PedigreeError)("The store is not well.")
        report(1, {})
        return item


@dataclass(frozen=True)
class Unwilling:
    """May not be done here."""

    def prepare(self) -> None:
        """Refuse."""
        raise PedigreeError("The bucket s3://nowhere is not there.")

    def __call__(self, item: int, _report: ReportProgress) -> int:
        """Never."""
        return item


@dataclass(frozen=True)
class Alike:
    """May be done by workers whose environment does not call them unlike."""

    def prepare(self) -> None:
        """Refuse where the environment says so."""
        if os.environ.get("PEDIGREE_UNLIKE"):
            raise UnlikeMachineError("This machine gives other bits.")

    def __call__(self, _item: int, report: ReportProgress) -> int:
        """Return who did it."""
        report(1, {})
        return os.getpid()


@dataclass(frozen=True)
class Hungry:
    """Needs a gigabyte, which a worker with a limit does not have."""

    def prepare(self) -> None:
        """Do nothing."""

    def __call__(self, item: int, _report: ReportProgress) -> int:
        """Fill memory again and again, until somebody ends it or five minutes have passed."""
        began = monotonic()
        while monotonic() - began < 300:
            hoard = bytearray(10**9)
            hoard[::4096] = b"1" * len(hoard[::4096])
        return item


@dataclass(frozen=True)
class Deadly:
    """Kills every process that tries it, as a file does that needs more memory than there is."""

    def prepare(self) -> None:
        """Do nothing."""

    def __call__(self, _item: int, _report: ReportProgress) -> int:
        """Die."""
        os.kill(os.getpid(), signal.SIGKILL)
        return 0
