"""The night's diary at a terminal: the lines that steps write, without a logger's decoration."""

import logging
import sys

# Prefect's first import in a process configures logging anew, which would take away a handler that was there before.
import prefect.main  # noqa: F401
from rich.console import Console

from configs.visible_text import visible


class _RunLogHandler(logging.Handler):
    """Print the records that a step marked as diary lines; everything else stays in Prefect's log."""

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "diary", False):
            Console(stderr=True, highlight=False).print(
                f"  {visible(record.getMessage())}", markup=False, soft_wrap=True
            )


def show_run_log() -> None:
    """Show the diary on standard error from now on, once."""
    for logger in map(logging.getLogger, ("prefect.task_runs", "prefect.flow_runs")):
        if sys.stderr and not any(isinstance(handler, _RunLogHandler) for handler in logger.handlers):
            logger.addHandler(_RunLogHandler())
