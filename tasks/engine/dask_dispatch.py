"""Items on their way: handed to a cluster's workers some at a time, and done again where their worker died."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar
from uuid import uuid4

from configs.errors import PedigreeError, ServiceUnavailableError, UnlikeMachineError
from tasks.engine.engine import OnReport, Report, Task
from tasks.engine.worker import run_task, running_code

if TYPE_CHECKING:
    from distributed import Future

    from tasks.engine.dask_engine import DaskEngine

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# Seconds between two looks at how many workers there are.
_LOOK = 1.0
# Seconds in which a small answer is read from the worker that has it.
_READ = 5.0
# How often an item is done whose store did not answer; each attempt has waited for the store already.
_TRIES = 3
_ALL_UNLIKE = (
    "Every Dask worker gives other bits than the features that this run adds to, and scale.unlike is separate, so none "
    "got work: start workers like the machine that began these features, or set scale.engine to local."
)


@dataclass(frozen=True, slots=True)
class _Running(Generic[Item]):
    """An item that a worker has, or waits for one; where workers are named, for one of these."""

    number: int
    item: Item
    tries: int
    workers: frozenset[str] = frozenset()


class Dispatch(Generic[Item, Answer]):
    """One task on its way through a cluster."""

    def __init__(self, engine: "DaskEngine", task: Task[Item, Answer], on_report: OnReport) -> None:
        """Prepare for handing out items.

        Args:
            engine: The cluster.
            task: What is done on each item.
            on_report: Takes how far each item has come.
        """
        self._engine, self._task, self._on_report = engine, task, on_report
        self._code, self._topic = running_code(), f"pedigree-{uuid4().hex}"
        self._events: SimpleQueue[Report | Future[tuple[Answer, Report]]] = SimpleQueue()
        self._running: dict[Future[tuple[Answer, Report]], _Running[Item]] = {}
        self._apart: set[str] = set()
        self._workers, self._looked, self._worked = 0, float("-inf"), monotonic()

    def __enter__(self) -> Self:
        """Listen to what workers report."""
        self._engine.client.subscribe_topic(self._topic, lambda event: self._events.put(_report(event[1])))
        return self

    def __exit__(self, *_error: object) -> None:
        """Take back what is still on its way; a worker that is at it ends it, and nobody reads its answer."""
        if self._engine.client.status == "running":
            self._engine.client.unsubscribe_topic(self._topic)
            self._engine.client.cancel(list(self._running), force=True)
        self._running.clear()

    def answers(self, items: Iterable[tuple[int, Item]]) -> Iterator[tuple[Item, Answer]]:
        """Hand out items as workers become free.

        Args:
            items: The items with their numbers.

        Yields:
            Each item with its answer, as they are ready.
        """
        numbered = iter(items)
        while True:
            self._look()
            for number, item in islice(numbered, max(0, self._room() - len(self._running))):
                self._submit(_Running(number, item, 1))
            if not self._running:
                return
            event = self._next_event()
            if isinstance(event, Report):
                self._on_report(event)
            elif event is not None and event in self._running:
                yield from self._outcome(event)

    def _room(self) -> int:
        return max(1, self._workers) * self._engine.scale.in_flight

    def _submit(self, running: _Running[Item]) -> None:
        workers = self._alike() if self._apart else None
        running = replace(running, workers=frozenset(workers or ()))
        future: Future[Any] = self._engine.client.submit(
            run_task,
            self._task,
            running.item,
            running.number,
            self._code,
            self._topic,
            key=f"{self._topic}-{running.number}-{running.tries}",
            pure=False,
            workers=workers,
        )
        self._await(future, running)

    def _await(self, future: "Future[tuple[Answer, Report]]", running: _Running[Item]) -> None:
        self._running[future] = running
        future.add_done_callback(self._events.put)

    def _next_event(self) -> "Report | Future[tuple[Answer, Report]] | None":
        try:
            return self._events.get(timeout=_LOOK)
        except Empty:
            return None

    def _look(self) -> None:
        """Look now and then at what became of scheduler and workers.

        Raises:
            ServiceUnavailableError: The scheduler is gone, or all workers are and none came for too long.
        """
        if monotonic() - self._looked < _LOOK:
            return
        self._engine.check_scheduler()
        self._looked, self._workers = monotonic(), self._engine.count_workers()
        self._free_stranded()
        if self._workers:
            self._worked = monotonic()
        elif monotonic() - self._worked > self._engine.scale.wait:
            raise ServiceUnavailableError(self._engine.no_worker())

    def _alike(self) -> list[str]:
        """Return the workers that nobody has found unlike."""
        return [address for address in self._engine.addresses() if address not in self._apart]

    def _free_stranded(self) -> None:
        """Take back what waits for workers that are gone, so that it is handed out again."""
        if not self._apart:
            return
        present = set(self._engine.addresses())
        for future, running in self._running.items():
            if running.workers and not running.workers & present:
                future.cancel(force=True)

    def _outcome(self, future: "Future[tuple[Answer, Report]]") -> Iterator[tuple[Item, Answer]]:
        """Yield the answer, or hand the item out again where its store did not answer."""
        running = self._running.pop(future)
        if future.status == "finished":
            # What a worker keeps of an answer that nobody has read is done again when it dies.
            try:
                answer, report = future.result(timeout=_READ)
            except OSError:
                # Its worker died with the answer: it is done again, and Dask tells when.
                self._await(future, running)
                return
            self._on_report(report)
            yield running.item, answer
        elif future.status == "error":
            self._failed(running, future.exception())
        else:
            self._engine.check_scheduler()
            self._submit(_Running(running.number, running.item, running.tries + 1))

    def _failed(self, running: _Running[Item], error: BaseException | None) -> None:
        if isinstance(error, ServiceUnavailableError) and running.tries < _TRIES:
            self._submit(_Running(running.number, running.item, running.tries + 1))
            return
        if isinstance(error, UnlikeMachineError) and self._engine.scale.unlike == "separate":
            self._apart.add(error.worker)
            if self._alike():
                self._engine.tell(f"no work for this one, whose features would have other bits: {error}")
                self._submit(replace(running, tries=running.tries + 1))
                return
            raise PedigreeError(_ALL_UNLIKE)
        if isinstance(error, PedigreeError):
            raise error
        if type(error).__name__ == "KilledWorker":
            raise PedigreeError(
                f"{getattr(error, 'allowed_failures', 3) + 1} Dask workers died over the same images: give each worker "
                "more memory, or set scale.batch lower; what was committed is kept."
            )
        self._engine.check_workers()
        raise error or RuntimeError("a Dask task failed without an error")


def _report(message: dict[str, Any]) -> Report:
    return Report(int(message["item"]), int(message["done"]), message["seconds"])
