"""The tally: what all items together have done and taken, from the reports of each."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from time import perf_counter
from typing import Protocol, TypeVar

from tasks.engine.engine import Report, ReportProgress

Item = TypeVar("Item")


class Advance(Protocol):
    """Shows how many more images are done, and on what threads spent how many more seconds."""

    def __call__(self, more: int, seconds: Mapping[str, float] | None = None, /) -> None:
        """Show it."""


class Tally:
    """Passes on what is new in each report; an item that is done again because its worker died counts once."""

    def __init__(self, advance: Advance) -> None:
        """Begin at nought.

        Args:
            advance: Shows what is new.
        """
        self._advance = advance
        self._reports: dict[int, Report] = {}

    def __call__(self, report: Report) -> None:
        """Take the newest report of an item."""
        before = self._reports.get(report.item, Report(report.item, 0))
        if report.done < before.done:
            return
        self._reports[report.item] = report
        stages = {name: spent - before.seconds.get(name, 0.0) for name, spent in report.seconds.items()}
        self._advance(report.done - before.done, {name: spent for name, spent in stages.items() if spent > 0})


class StageClock:
    """Measures the seconds that the threads of one item spend on each stage, and reports them."""

    def __init__(self, report: ReportProgress) -> None:
        """Begin at nought.

        Args:
            report: Takes how far the item has come.
        """
        self._report, self._lock = report, Lock()
        self._done, self._seconds = 0, dict[str, float]()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what is done within; any number of threads may be in a stage at once.

        Args:
            name: The stage: bucket, decoder or network.

        Yields:
            Nothing.
        """
        started = perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._seconds[name] = self._seconds.get(name, 0.0) + perf_counter() - started

    def timed(self, name: str, items: Iterator[Item]) -> Iterator[Item]:
        """Measure the seconds that each of some items takes to come.

        Args:
            name: The stage.
            items: The items.

        Yields:
            The items.
        """
        while True:
            with self.stage(name):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item

    def advance(self, more: int = 1) -> None:
        """Report that more images are done."""
        with self._lock:
            self._done += more
            seconds = dict(self._seconds)
        self._report(self._done, seconds)


def local_clock(advance: Advance) -> StageClock:
    """Return the clock of work that this process does as one item."""
    tally = Tally(advance)
    return StageClock(lambda done, seconds: tally(Report(0, done, seconds)))
