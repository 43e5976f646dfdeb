"""What runs on a worker: it says which code it has, proves that it may do a task, and does it."""

import os
import platform
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any

from configs.environment import code_hash
from configs.errors import PedigreeError, UnlikeMachineError
from tasks.engine.engine import Report, Task

# Seconds between two reports of an item.
_BETWEEN_REPORTS = 1.0
_lock = Lock()
_prepared: set[object] = set()


class UnlikeWorkerError(PedigreeError):
    """A worker has other code than the run, or computes other bits."""


@dataclass(frozen=True, slots=True)
class Code:
    """Which code a process runs: two with the same one do the same.

    Attributes:
        python: Python's version.
        pedigree: Hash of the sources.
    """

    python: str
    pedigree: str


def running_code() -> Code:
    """Return which code this process runs."""
    return Code(platform.python_version(), code_hash())


def describe_worker(dask_worker: Any) -> tuple[str, Code]:  # noqa: ANN401 - Dask's worker, which has no types
    """Return a worker's name for people, and the code that it runs.

    Args:
        dask_worker: The worker; Dask fills it in by this name.

    Returns:
        The name, and the code.
    """
    return _worker_name(dask_worker), running_code()


def _worker_name(worker: Any) -> str:  # noqa: ANN401 - as above
    return f"{worker.name} ({socket.gethostname()}, process {os.getpid()})"


def check_code(name: str, code: Code, expected: Code) -> None:
    """Check that a worker, or the scheduler, runs the code of the run.

    Args:
        name: The worker or the scheduler, for people.
        code: What it runs.
        expected: What the run runs.

    Raises:
        UnlikeWorkerError: It runs something else.
    """
    if code.python != expected.python:
        problem = f"Python {code.python}, and the run has {expected.python}"
    elif code.pedigree != expected.pedigree:
        problem = f"other code of Pedigree ({code.pedigree[:12]}) than the run ({expected.pedigree[:12]})"
    else:
        return
    raise UnlikeWorkerError(f"The Dask {name} has {problem}: install the same there, and run again.")


def run_task(task: Task[Any, Any], item: object, number: int, expected: Code, topic: str) -> tuple[object, Report]:
    """Do a task on an item, in a worker.

    Args:
        task: What is done.
        item: On what.
        number: The item's number among all.
        expected: The code that the run runs.
        topic: Under which Dask tells the run how far the item has come.

    Returns:
        The task's answer, and the last report of how far the item has come.

    Raises:
        UnlikeMachineError: This machine computes other bits than the one that began; the error names the worker.
    """
    from distributed import get_worker

    name = _worker_name(get_worker())
    with _lock:
        if task not in _prepared:
            check_code(f"worker {name}", running_code(), expected)
            _use_own_threads()
            try:
                with _named_errors(name):
                    task.prepare()
            except UnlikeMachineError as error:
                error.worker = str(get_worker().address)
                raise
            _prepared.add(task)
    reporter = _Reporter(number, topic, get_worker())
    with _named_errors(name):
        answer = task(item, reporter)
    return answer, reporter.last


@contextmanager
def _named_errors(name: str) -> Iterator[None]:
    """Say on which worker a sentence was written: it may not reach a bucket that others reach."""
    try:
        yield
    except UnlikeWorkerError:
        raise
    except PedigreeError as error:
        raise type(error)(f"Dask worker {name}: {error}") from None


def _use_own_threads() -> None:
    """Use as many cores as the worker has threads, unless somebody said how many."""
    from distributed import get_worker

    os.environ.setdefault("PEDIGREE_CORES", str(get_worker().state.nthreads))


class _Reporter:
    """Tells the run now and then how far an item has come."""

    def __init__(self, item: int, topic: str, worker: Any) -> None:  # noqa: ANN401 - as above
        self.last = Report(item, 0)
        self._topic, self._worker, self._told = topic, worker, monotonic()

    def __call__(self, done: int, seconds: Mapping[str, float], /) -> None:
        self.last = Report(self.last.item, done, dict(seconds))
        if monotonic() - self._told >= _BETWEEN_REPORTS:
            self._told = monotonic()
            self._worker.log_event(self._topic, {"item": self.last.item, "done": done, "seconds": dict(seconds)})
