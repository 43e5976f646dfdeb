"""Showing how far long work has come: a bar at a terminal, a progress artifact in Prefect."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

# An update of the artifact is a request of about a tenth of a second: more than one a second would slow the work down.
_SECONDS_BETWEEN_UPDATES = 1.0


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes how many more are done; work of no items shows nothing."""
    if not total:
        yield lambda _done: None
        return
    artifact = create_progress_artifact(progress=0.0, key=f"progress-{title}", description=f"{title}: {total:,} in all")
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
