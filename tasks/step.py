"""What makes a function a step of the line: a Prefect task that logs its result and the time it took."""

import atexit
import gc
import logging
from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property, wraps
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from configs.errors import PedigreeError, ServiceUnavailableError
from configs.visible_text import visible
from tasks.machine_load import measure_machine

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State, TaskRun
    from prefect.context import TagsContext
    from prefect.futures import PrefectFuture
    from prefect.tasks import Task

P = ParamSpec("P")
R = TypeVar("R")

# Waits of about 10, 20, 40 and 80 seconds, longer or shorter by chance, so that two runs do not come back at once.
_RETRIES, _FIRST_WAIT, _JITTER = 4, 10, 0.5
# As wide as the longest name of a step whose result is logged.
NAME_WIDTH = 16
# MLflow and what reads --json know how long a step took under these names, and compare runs of many months.
_STORED_NAMES = {
    "preflight": "check",
    "check_rules": "review",
    "choose_cut": "choose",
    "restore_registry": "restore",
    "write_data_card": "inspect",
    "try_fine_tuning": "trial",
    "smoke_test": "rehearse",
    "apply_gate": "judge",
    "write_report": "explain",
    "sync_registry": "follow",
    "summarize": "conclude",
    "request_approval": "ask",
    "mark_processed": "note",
    "mark_rebuilt": "note",
}
# A process that polls a source for months begins a run each time: what older ones took is not asked for any more.
_MOST_RUNS = 16


@dataclass(frozen=True, slots=True)
class _Measures:
    """How long the steps of a run took, and how busy the machine was by the end of each."""

    seconds: dict[str, float] = field(default_factory=dict)
    samples: list[tuple[int, Mapping[str, float]]] = field(default_factory=list)


_measures_by_run: dict[str, _Measures] = {}


@dataclass(frozen=True)
class Step(Generic[P, R]):
    """A function of the line, which is made a Prefect task when a flow first calls it.

    Prefect takes a second to import: commands that only need a function beside a step do not wait for it.

    Attributes:
        fn: The function, which also logs its result and keeps the time it took.
        hours: After so long the task is stopped.
    """

    fn: Callable[P, R]
    hours: float

    @cached_property
    def task(self) -> "Task[P, R]":
        """The Prefect task."""
        from prefect import task
        from prefect.cache_policies import NO_CACHE
        from prefect.tasks import exponential_backoff

        return task(
            name=self.fn.__name__,
            cache_policy=NO_CACHE,
            persist_result=False,
            timeout_seconds=self.hours * 3600,
            retries=_RETRIES,
            retry_delay_seconds=exponential_backoff(_FIRST_WAIT),
            retry_jitter_factor=_JITTER,
            retry_condition_fn=_is_retryable,
        )(self.fn)

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R:
        """Run the task, and return what the function returns."""
        with _untagged():
            return self.task(*arguments, **named)

    def submit(self, *arguments: P.args, **named: P.kwargs) -> "PrefectFuture[R]":
        """Run the task beside the flow, and return what its result can be asked of."""
        with _untagged():
            future: PrefectFuture[R] = self.task.submit(*arguments, **named)
        return future


def _untagged() -> "TagsContext":
    """Keep a run's tags to the run: Prefect would ask its server for a limit of each tag before each task."""
    from prefect.context import TagsContext

    return TagsContext(current_tags=set())


def step(hours: float, *, logged: bool = True) -> Callable[[Callable[P, R]], Step[P, R]]:
    """Make a step that writes its result as one line into the run log; what is reused lives in our own store.

    Where a server does not answer, a deployment's run waits and tries again four times, for two and a half minutes in
    all.

    Args:
        hours: After so long the task is stopped.
        logged: Whether the result is a line of the log; a result that another step's line has told already is not, and
            neither is one that has nothing to say, which is an empty text.

    Returns:
        What turns a function into such a step.

    Raises:
        PedigreeError: The function did not end in time; the task raises it.
    """

    def decorate(function: Callable[P, R]) -> Step[P, R]:
        @wraps(function)
        def timed(*arguments: P.args, **named: P.kwargs) -> R:
            started = perf_counter()
            try:
                result = function(*arguments, **named)
            except CancelledError:
                raise PedigreeError(_timeout_message(function.__name__, hours)) from None
            name = _STORED_NAMES.get(function.__name__, function.__name__)
            measures = _measures_of_run()
            measures.seconds[name] = round(perf_counter() - started, 3)
            measures.samples.append((time_ns() // 10**6, measure_machine()))
            if logged and (text := str(result)):
                log_result(function.__name__, text)
            return result

        return Step(timed, hours)

    return decorate


def _timeout_message(name: str, hours: float) -> str:
    advice = "what it had stored is kept, and the next run goes on from there"
    return f"{name} did not end within {hours:g} hours and was stopped: {advice}. Find out what held it up."


def _is_retryable(_task: "Task[..., Any]", _run: "TaskRun", state: "State[Any]") -> bool:
    """Try again after an outage, where nobody is there who could; at a terminal a person reads the sentence at once."""
    from prefect.runtime import deployment

    if not isinstance(state.data, ServiceUnavailableError) or not deployment.id:
        return False
    log_line(f"{state.data} Trying again soon.")
    return True


def log_result(name: str, text: str) -> None:
    """Write what came of a step as one line of the run log, behind the step's name.

    Args:
        name: The step's name.
        text: One line.
    """
    log_line(format_result(name, text))


def format_result(name: str, text: str) -> str:
    """Return what came of a step as a line of the run log.

    Args:
        name: The step's name.
        text: One line.

    Returns:
        The line, with the texts of all steps in one column.
    """
    return f"{name:<{NAME_WIDTH}} {text}"


def log_line(text: str) -> None:
    """Write one line of the run log, and so to the terminal or the Prefect UI."""
    from prefect import get_run_logger

    get_run_logger().info("%s", visible(text), extra={"run_log": True})


@contextmanager
def without_run_log() -> Iterator[None]:
    """Let functions of steps be called outside of a run, where there is no log: their lines are dropped."""
    # Prefect's first import configures logging anew, and switches every logger on again.
    import prefect.main  # noqa: F401
    from prefect.logging import disable_run_logger

    with disable_run_logger():
        yield


def _measures_of_run() -> _Measures:
    """Return what is measured of the current flow run; those of runs long ago are dropped."""
    from prefect.runtime import flow_run

    measures = _measures_by_run.setdefault(str(flow_run.id), _Measures())
    for run in list(_measures_by_run)[:-_MOST_RUNS]:
        _measures_by_run.pop(run, None)
    return measures


def seconds_by_step() -> Mapping[str, float]:
    """Return how long each finished step of the current flow run took, in seconds."""
    return dict(_measures_of_run().seconds)


def machine_samples() -> Sequence[tuple[int, Mapping[str, float]]]:
    """Return how busy the machine was by the end of each step of the current flow run, as MLflow's system metrics.

    Returns:
        When each step ended, in milliseconds since 1970, and the metrics.
    """
    return tuple(_measures_of_run().samples)


def _filter_record(record: logging.LogRecord) -> bool:
    """Keep what a person reads from top to bottom: not that a step ended which has just said what came of it."""
    if record.exc_info and isinstance(record.exc_info[1], PedigreeError):
        record.msg, record.args, record.exc_info = str(record.exc_info[1]), (), None
    return record.getMessage() != "Finished in state Completed()"


@cache
def prepare_process() -> None:
    """Set up this process for a run, once, wherever it starts: at a terminal, or from a deployment.

    Importing a module changes nothing, so that a program of one's own can import any part of this one.
    """
    # Prefect logs a failed run with its traceback; a PedigreeError is written for people and says all there is to say.
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_filter_record)
    # Prefect's million objects live as long as the process: looking through them at each collection takes a tenth of a
    # second.
    gc.freeze()
    # And a last look at the end, also among all that TensorFlow made, takes more than a second.
    atexit.register(gc.freeze)
    # A run makes small values by the hundred thousand and next to none that refer to each other in a circle: looking
    # for such after each 700 was a seventh of a run with nothing new.
    gc.set_threshold(50_000)
