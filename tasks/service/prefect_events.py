"""The service's events in Prefect: what its live photographs showed each day, and that a model was refused.

A thread of its own sends them by plain HTTP, so that the service neither imports Prefect nor waits for it. What Prefect
does not take now is sent again later under the same id.
"""

import json
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPException
from queue import Full, Queue
from threading import Lock, Thread
from typing import Any
from urllib.error import HTTPError

from configs.credentials import local_prefect, prefect_login
from configs.environment import home, prefect_address
from configs.visible_text import shown, visible_lines
from tasks.domain.serving.answers import ModelIdentity
from tasks.domain.serving.live_events import DRIFTED, STEADY, SWAP_REFUSED, name_service
from tasks.service.drifting import DayReport
from tasks.service.server import Records

# Seconds until an event is sent again, twice as many each time, and how long Prefect may take to answer.
_FIRST_PAUSE, _LONGEST_PAUSE, _PATIENCE = 5.0, 600.0, 10.0
# Events that wait: the service has one a day, and one for each model that is refused.
_MOST_WAITING = 100
# What Prefect answers to a request that it may take later: no login, slow, too many, or trouble of its own.
_LATER = (401, 403, 404, 408, 429)
_TROUBLE = 500


@dataclass(frozen=True)
class ServiceEvent:
    """What happened to the service of a model.

    Attributes:
        name: What happened, such as pedigree.drifted.
        model: The registered name of the model.
        payload: What there is to say about it, as JSON can hold it.
        id: A name by which Prefect knows an event that is sent twice.
        occurred: When, in ISO 8601.
    """

    name: str
    model: str
    payload: Mapping[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    occurred: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    def to_dict(self) -> dict[str, Any]:
        """Return the event as Prefect's API takes it."""
        resource = {"prefect.resource.id": name_service(self.model), "prefect.resource.name": self.model}
        return {
            "id": self.id,
            "occurred": self.occurred,
            "event": self.name,
            "resource": resource,
            "payload": dict(self.payload),
        }


class PrefectEvents:
    """Sends events to Prefect one after the other, and waits for Prefect where it is away."""

    def __init__(self, find: Callable[[], str], log: Callable[[str], None], first_pause: float = _FIRST_PAUSE) -> None:
        """Send nothing yet.

        Args:
            find: Returns the address of Prefect's API; empty where none is configured, and then events are dropped.
            log: Writes a sentence for whoever runs the service.
            first_pause: Seconds until an event is sent again for the first time.
        """
        self._find, self._log, self._first_pause = find, log, first_pause
        self._waiting: Queue[ServiceEvent] = Queue(_MOST_WAITING)
        self._started, self._lock = False, Lock()

    def send(self, event: ServiceEvent) -> None:
        """Have an event sent; this returns at once, whatever Prefect does."""
        try:
            self._waiting.put_nowait(event)
        except Full:
            self._log(f"The event {event.name} is lost: {_MOST_WAITING} others wait for Prefect already.")
        with self._lock:
            if not self._started:
                Thread(target=self._work, name="events", daemon=True).start()
            self._started = True

    def _work(self) -> None:
        while True:
            self._deliver(self._waiting.get())

    def _deliver(self, event: ServiceEvent) -> None:
        """Send an event until Prefect takes it or says that it never will."""
        pause, logged = self._first_pause, False
        while problem := self._try_once(event):
            if not logged:
                self._log(f"Prefect did not take the event {event.name}, which is sent again later: {problem}.")
            logged = True
            time.sleep(pause)
            pause = min(_LONGEST_PAUSE, 2 * pause)
        if logged:
            self._log(f"Prefect took the event {event.name}.")

    def _try_once(self, event: ServiceEvent) -> str:
        """Send an event; return why it must be sent again, or nothing."""
        try:
            if api := self._find():
                _post(f"{api.rstrip('/')}/events", prefect_login(home(), api), [event.to_dict()])
        except HTTPError as error:
            if error.code in _LATER or error.code >= _TROUBLE:
                return f"HTTP status {error.code}"
            self._log(f"Prefect refuses the event {event.name} (HTTP status {error.code}), which is dropped.")
        except (OSError, ValueError, HTTPException) as error:
            return shown(f"{type(error).__name__}: {error}")
        return ""


def prefect_records() -> Records:
    """Return what tells the Prefect that the environment names, or else the local stack's, of days and refusals."""
    events = PrefectEvents(lambda: prefect_address() or local_prefect(home()), _write_line)
    return Records(
        # A day without one before it says nothing about drift, neither that it began nor that it ended.
        on_day=lambda report: events.send(describe_day(report)) if report.compared else None,
        on_refusal=lambda champion, reason: events.send(describe_refusal(champion, reason)),
    )


def describe_day(report: DayReport) -> ServiceEvent:
    """Describe a day's photographs as an event: drifted, or steady like the test images."""
    payload = {
        "day": report.day,
        "version": report.version,
        "kinds": list(report.kinds),
        "p_values": dict(report.p_values),
        "photographs": report.live.pictures,
        "sentences": list(report.sentences),
        "collect": report.collect,
    }
    return ServiceEvent(DRIFTED if report.kinds else STEADY, report.model, payload)


def describe_refusal(champion: ModelIdentity, reason: str) -> ServiceEvent:
    """Describe as an event that a champion does not serve.

    Args:
        champion: The champion.
        reason: Why.

    Returns:
        The event.
    """
    payload = {"version": champion.version, "decision": champion.decision, "head": champion.head, "reason": reason}
    return ServiceEvent(SWAP_REFUSED, champion.name, payload)


def _post(url: str, login: Mapping[str, str], plain: object) -> None:
    headers = {"Content-Type": "application/json", **login}
    request = urllib.request.Request(url, json.dumps(plain).encode(), headers)  # noqa: S310 - what the user named
    with urllib.request.urlopen(request, timeout=_PATIENCE):  # noqa: S310
        pass


def _write_line(sentence: str) -> None:
    sys.stderr.write(f"{visible_lines(sentence)}\n")
    sys.stderr.flush()
