"""Pages of the model: where MLflow shows its card and its evaluation report; a thread finds that for each model."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, Thread, get_native_id

from configs.errors import PedigreeError
from tasks.domain.serving.answers import ModelIdentity
from tasks.service.models.following import Follower

#: Finds the addresses of a run's pages by their names; none where MLflow has no pages for people.
PageFinder = Callable[[str], Mapping[str, str]]
# How much later than answers this work gets a core.
_NICE = 10
# Seconds until MLflow is asked again, twice as many each time that it fails.
_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 3600.0
_NONE: Mapping[str, str] = {}


@dataclass
class ModelPages:
    """Holds the addresses of the pages of the model that serves: no request waits for MLflow.

    Attributes:
        follower: Holds the model that serves.
        find: Finds the pages of a run; None where it is not known which MLflow has the runs.
        seconds: The seconds between two looks at which model serves.
        log: Writes a sentence for whoever runs the service.
    """

    follower: Follower
    find: PageFinder | None
    seconds: float
    log: Callable[[str], None]
    _pages: tuple[str, Mapping[str, str]] = field(default=("", _NONE), init=False)

    def __post_init__(self) -> None:
        """Begin without having asked."""
        self._last_run, self._again, self._pause, self._last_reason = "", 0.0, _FIRST_PAUSE, ""
        self._ended = Event()
        self._thread = Thread(target=self._follow, name="pages", daemon=True)

    def start(self) -> None:
        """Follow the model that serves from now on, in a thread, if there is an MLflow to ask."""
        if self.find:
            self._thread.start()

    def stop(self) -> None:
        """Follow no more."""
        self._ended.set()

    def pages_of(self, model: ModelIdentity) -> Mapping[str, str]:
        """Return the addresses of a model's pages by their names; none where they are not known, or not yet."""
        run, pages = self._pages
        return pages if run == model.run else _NONE

    def _follow(self) -> None:
        if sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)
        while not self._ended.is_set():
            self.look()
            self._ended.wait(self.seconds)

    def look(self) -> None:
        """Ask for the pages of the model that serves, where they are not known and MLflow was not asked just now."""
        model = self.follower.model
        if not (self.find and model and model.identity.run):
            return
        run = model.identity.run
        if run != self._last_run:
            self._last_run, self._again, self._pause = run, 0.0, _FIRST_PAUSE
        if run != self._pages[0] and time.monotonic() >= self._again:
            self._ask(self.find, run)

    def _ask(self, find: PageFinder, run: str) -> None:
        try:
            pages = find(run)
        except Exception as error:  # noqa: BLE001 - a page without links is still a page
            self._tell(str(error) if isinstance(error, PedigreeError) else f"{type(error).__name__}.")
            self._pause = min(_LONGEST_PAUSE, 2 * self._pause)
        else:
            # Where there are no pages there may be some later: pedigree up starts MLflow at any time.
            self._pages = (run, pages) if pages else self._pages
        self._again = time.monotonic() + self._pause

    def _tell(self, reason: str) -> None:
        if reason != self._last_reason:
            self.log(f"The page has no links to the model's card: {reason}")
        self._last_reason = reason
