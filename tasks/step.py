"""What makes a function a step of the line: a Prefect task that keeps a diary and the time it took."""

import gc
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import wraps
from time import perf_counter
from typing import ParamSpec, TypeVar

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.tasks import Task

from configs.problems import Problem

P = ParamSpec("P")
R = TypeVar("R")

_seconds: defaultdict[str, dict[str, float]] = defaultdict(dict)


def step(function: Callable[P, R]) -> Task[P, R]:
    """Make a task that writes its result as one line into the run's log; what is reused lives in our own store."""

    @wraps(function)
    def kept(*arguments: P.args, **named: P.kwargs) -> R:
        started = perf_counter()
        result = function(*arguments, **named)
        _seconds[str(flow_run.id)][function.__name__] = round(perf_counter() - started, 3)
        say(f"{function.__name__:<9} {result}")
        return result

    made: Task[P, R] = task(name=function.__name__, cache_policy=NO_CACHE, persist_result=False)(kept)
    return made


def say(text: str) -> None:
    """Write one line of the night's diary: into the run's log, and so to the terminal or the Prefect UI."""
    get_run_logger().info(text, extra={"diary": True})


def seconds_by_step() -> Mapping[str, float]:
    """Tell how long each finished step of the current flow run took, in seconds."""
    return dict(_seconds[str(flow_run.id)])


def _without_traceback(record: logging.LogRecord) -> bool:
    if record.exc_info and isinstance(record.exc_info[1], Problem):
        record.msg, record.args, record.exc_info = str(record.exc_info[1]), (), None
    return True


# Prefect logs a failed run with its traceback; a Problem is written for people and says all there is to say.
for _name in ("prefect.flow_runs", "prefect.task_runs"):
    logging.getLogger(_name).addFilter(_without_traceback)

# Prefect's million objects live as long as the process: looking through them at each collection takes a tenth of a
# second.
gc.freeze()
# A night makes small values by the hundred thousand and next to none that refer to each other in a circle: looking for
# such after each 700 was a seventh of a night with nothing new.
gc.set_threshold(50_000)
