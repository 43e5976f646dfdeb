"""Watching at a terminal: one look after the other; each starts the deployed retraining where there is a reason."""

import sys
import time
from collections.abc import Iterator

from configs.errors import PedigreeError, SettingsError
from configs.schema import Settings
from flows.runner import run_watch
from infra.orchestration.deployments import every_seconds
from tasks.domain.ingestion.triggers import PollResult


def looks(settings: Settings, *, once: bool) -> Iterator[PollResult]:
    """Yield what each look found; a look that fails is told on standard error, and the next one comes all the same.

    Raises:
        PedigreeError: The only look failed, or settings are wrong.
    """
    while True:
        try:
            yield run_watch(settings)
        except SettingsError:
            raise
        except PedigreeError as problem:
            if once:
                raise
            sys.stderr.write(f"{problem}\n")
        if once:
            return
        time.sleep(every_seconds("watch"))
