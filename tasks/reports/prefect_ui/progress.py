"""Progress and run log: a progress bar at a terminal, a progress artifact in Prefect, and the lines of the run log."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from configs.visible_text import visible

# An update takes about a tenth of a second: more than one a second would slow the work down.
_SECONDS_BETWEEN_UPDATES = 1.0


@contextmanager
def show_progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the progress of long work; nothing is shown where there are no items.

    Args:
        title: The name of the work.
        total: The number of items.

    Yields:
        A function that takes how many more items are done.
    """
    if not total:
        yield lambda _done: None
        return
    from prefect.artifacts import create_progress_artifact

    # Prefect takes no underscore in a key.
    key = f"progress-{title.replace('_', '-')}"
    artifact = create_progress_artifact(progress=0.0, key=key, description=f"{title}: {total:,} in all")
    done, updated = 0, monotonic()
    with _bar() as bar:
        line = bar.add_task(title, total=total)

        def advance(more: int) -> None:
            nonlocal done, updated
            done += more
            bar.advance(line, more)
            if monotonic() - updated > _SECONDS_BETWEEN_UPDATES:
                updated = monotonic()
                _update(artifact, 100.0 * done / total)

        yield advance
    _update(artifact, 100.0 * done / total)


def _update(artifact: object, percent: float) -> None:
    from prefect.artifacts import update_progress_artifact

    update_progress_artifact(artifact_id=artifact, progress=percent)  # type: ignore[arg-type]


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description:<16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


class _RunLogHandler(logging.Handler):
    """Prints records that a step marked as lines of the run log; everything else stays in Prefect's log."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "run_log", False):
            Console(stderr=True, highlight=False).print(
                f"  {visible(record.getMessage())}", markup=False, soft_wrap=True
            )


def show_run_log() -> None:
    """Print the run log on standard error from now on; a second call changes nothing."""
    # Its import configures logging anew, which would remove a handler that was set up before.
    import prefect.main  # noqa: F401

    for logger in map(logging.getLogger, ("prefect.task_runs", "prefect.flow_runs")):
        if sys.stderr and not any(isinstance(handler, _RunLogHandler) for handler in logger.handlers):
            logger.addHandler(_RunLogHandler())
