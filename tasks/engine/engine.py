"""Engines: a task is done on many items, in this process or by many workers, and answers come as they are ready."""

from collections.abc import Callable, Generator, Hashable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from math import ceil
from queue import SimpleQueue
from typing import Protocol, TypeVar

from configs.sections import Scale

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Answer = TypeVar("Answer")
Answer_co = TypeVar("Answer_co", covariant=True)

# Items that a process has at once: while one answer is stored, the next item is at work.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Report:
    """How far one item has come.

    Attributes:
        item: The number of the item among all.
        done: How many images of it are done.
        seconds: How long its threads have spent on each stage so far, by the stage's name.
    """

    item: int
    done: int
    seconds: Mapping[str, float] = field(default_factory=dict)


#: Takes how many images of the item at work are done, and the seconds that each stage has taken.
ReportProgress = Callable[[int, Mapping[str, float]], None]
#: Takes a line for people.
Tell = Callable[[str], None]
#: Takes the reports of all items as they come, always in the thread that reads the answers.
OnReport = Callable[[Report], None]


class Task(Hashable, Protocol[Item_contra, Answer_co]):
    """What is done on each item; a worker gets it pickled, and keeps what it has opened for it."""

    def prepare(self) -> None:
        """Check once in each process, before its first item, that it may do this; raise PedigreeError otherwise."""

    def __call__(self, item: Item_contra, report: ReportProgress, /) -> Answer_co:
        """Do the work.

        Args:
            item: What the work is done on.
            report: Takes how far it has come.

        Returns:
            A small answer; what is large goes through the store.
        """
        ...


class Engine(Protocol):
    """Does a task on many items."""

    @property
    def dashboard(self) -> str:
        """Return the address of a page that shows the workers; empty where there is none."""
        ...

    @property
    def remote(self) -> bool:
        """Return whether other processes do the work, which have only the store in common with this one."""
        ...

    def divide(self, images: int, lighter: int = 1) -> int:
        """Return how many images one item is to hold, so that every worker gets some.

        Args:
            images: How many there are.
            lighter: How many times faster the work on an image is than embedding it.

        Returns:
            The number, one at least.
        """
        ...

    def map(
        self, task: Task[Item, Answer], items: Iterable[Item], on_report: OnReport
    ) -> Generator[tuple[Item, Answer], None, None]:
        """Do a task on each item; no more items are read than are in flight.

        Args:
            task: What is done.
            items: On what.
            on_report: Takes how far each item has come.

        Returns:
            Each item with its answer, as they are ready.
        """
        ...


@dataclass(frozen=True)
class LocalEngine:
    """Does tasks in this process, one item after the other; the task itself uses the machine's cores."""

    batch: int
    dashboard: str = ""
    remote: bool = False

    def divide(self, images: int, lighter: int = 1) -> int:
        """Return how many images one item holds: all up to a batch.

        Args:
            images: How many there are.
            lighter: How many times faster the work on an image is than embedding it.

        Returns:
            The number.
        """
        return max(1, min(self.batch * lighter, images))

    def map(
        self, task: Task[Item, Answer], items: Iterable[Item], on_report: OnReport
    ) -> Generator[tuple[Item, Answer], None, None]:
        """Do a task on each item, the next one while the answer before it is stored.

        Args:
            task: What is done.
            items: On what.
            on_report: Takes how far each item has come.

        Yields:
            Each item with its answer, in order.
        """
        task.prepare()
        events: SimpleQueue[Report | Future[Answer]] = SimpleQueue()
        with ThreadPoolExecutor(1) as pool:
            numbered, running = enumerate(items), dict[Future[Answer], Item]()
            try:
                while True:
                    for number, item in islice(numbered, _AHEAD - len(running)):
                        future = pool.submit(task, item, _reporter(events, number))
                        running[future] = item
                        future.add_done_callback(events.put)
                    if not running:
                        return
                    event = events.get()
                    if isinstance(event, Report):
                        on_report(event)
                    else:
                        yield running.pop(event), event.result()
            finally:
                for future in running:
                    future.cancel()


def _reporter(events: "SimpleQueue[Report | Future[Answer]]", number: int) -> ReportProgress:
    return lambda done, seconds: events.put(Report(number, done, dict(seconds)))


def even_share(images: int, batch: int, places: int) -> int:
    """Return how many images an item holds so that all places have one, and none holds more than a batch.

    Args:
        images: How many there are.
        batch: The most of one item.
        places: How many items can be in flight.

    Returns:
        The number, one at least.
    """
    return max(1, min(batch, ceil(images / max(1, places))))


def open_engine(scale: Scale, tell: Tell) -> Engine:
    """Return the engine that the settings name; one of many workers stays connected until this process ends.

    Args:
        scale: Where long work is done.
        tell: Takes lines for people: where the workers can be watched, and a warning.

    Returns:
        The engine.

    Raises:
        PedigreeError: The cluster cannot be reached, or a worker is not fit for the work.
    """
    if scale.engine == "local":
        return LocalEngine(scale.batch)
    from tasks.engine.dask_engine import connected_engine

    return connected_engine(scale, tell)
