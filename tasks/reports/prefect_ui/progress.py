"""Progress and run log: a progress bar at a terminal, a progress artifact in Prefect, and the lines of the run log."""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic

from rich.console import Console

from configs.visible_text import visible
from tasks.engine.tally import Advance
from tasks.reports.prefect_ui.pace_bar import show_pace

# An update takes about a tenth of a second: more than one a second would slow the work down.
_SECONDS_BETWEEN_UPDATES = 1.0


@contextmanager
def show_progress(title: str, total: int, noun: str = "images", dashboard: str = "") -> Iterator[Advance]:
    """Show the progress of long work: a bar at a terminal, and an artifact of the run that is renewed once a second.

    Nothing is shown where there are no items, and there is no artifact outside of a run: Prefect would start a server
    for it.

    Args:
        title: The name of the work.
        total: The number of items.
        noun: What the items are; empty where their number says enough.
        dashboard: Address of a page that shows the workers; empty where there is none.

    Yields:
        A function that takes how many more items are done, and what they took.
    """
    if not total:
        yield lambda _more, _seconds=None, /: None
        return
    link = f" [Dask's dashboard]({dashboard})" if dashboard else ""
    with show_pace(title, total, noun) as bar:
        update = _show_artifact(title, lambda: (100.0 * bar.done / bar.total, f"{title}: {bar.pace()}.{link}"))
        updated = monotonic()

        def advance(more: int, seconds: Mapping[str, float] | None = None, /) -> None:
            nonlocal updated
            bar(more, seconds)
            if monotonic() - updated > _SECONDS_BETWEEN_UPDATES:
                updated = monotonic()
                update()

        yield advance
    # Work may end before its last item, as training does once it no longer improves.
    bar.total = bar.done or total
    update()


def _show_artifact(title: str, measure: Callable[[], tuple[float, str]]) -> Callable[[], None]:
    """Create the progress artifact of the run that is going on.

    Args:
        title: The name of the work.
        measure: Returns the percentage that is done, and a description.

    Returns:
        A function that renews the artifact; it does nothing outside of a run.
    """
    from prefect.artifacts import create_progress_artifact, update_progress_artifact
    from prefect.runtime import flow_run

    if not flow_run.id:
        return lambda: None
    progress, description = measure()
    # Prefect takes no underscore in a key.
    key = f"progress-{title.replace('_', '-')}"
    artifact = create_progress_artifact(progress=progress, key=key, description=description)

    def update() -> None:
        progress, description = measure()
        update_progress_artifact(artifact_id=artifact, progress=progress, description=description)  # type: ignore[arg-type]

    return update


def print_line(text: str) -> None:
    """Print a line of the run log on standard error."""
    if sys.stderr:
        Console(stderr=True, highlight=False).print(f"  {visible(text)}", markup=False, soft_wrap=True)


class _RunLogHandler(logging.Handler):
    """Prints records that a step marked as lines of the run log; everything else stays in Prefect's log."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "run_log", False):
            print_line(record.getMessage())


def show_run_log() -> None:
    """Print the run log on standard error from now on; a second call changes nothing."""
    # Its import configures logging anew, which would remove a handler that was set up before.
    import prefect.main  # noqa: F401

    for logger in map(logging.getLogger, ("prefect.task_runs", "prefect.flow_runs")):
        if sys.stderr and not any(isinstance(handler, _RunLogHandler) for handler in logger.handlers):
            logger.addHandler(_RunLogHandler())
