"""News of drift: what the service told Prefect of live photographs, and people who are asked for labels, once."""

import uuid
from datetime import UTC, datetime, timedelta

from httpx import HTTPError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.events.schemas.events import ReceivedEvent

from tasks.domain.ingestion.live_drift import LiveDrift, parse_drift
from tasks.domain.ingestion.triggers import PollResult
from tasks.domain.serving.live_events import DRIFTED, PHOTOGRAPHS_WANTED, STEADY, name_service
from tasks.step import step

# How far back news counts; Prefect forgets events after a week unless it is told otherwise.
_LONGEST = timedelta(days=30)


def read_drift(model: str, since: str) -> LiveDrift | None:
    """Read from Prefect whether the live photographs of a model have drifted.

    Args:
        model: The registered name of the model.
        since: When the last retraining listed the source, in ISO 8601; what was told before does not count.

    Returns:
        The drift; None where the last day was like the test images, where nobody told anything, and where Prefect does
        not tell its events.
    """
    earliest = datetime.now(UTC) - _LONGEST
    start = max(datetime.fromisoformat(since), earliest) if since else earliest
    try:
        with get_client(sync_client=True) as client:
            last = _read_last(client, model, [DRIFTED, STEADY], start)
    except HTTPError:
        return None
    return parse_drift(last.payload) if last and last.event == DRIFTED else None


@step(hours=2)
def ask_people(poll_result: PollResult, model: str) -> PollResult:
    """Ask people for labelled photographs by an event, of which Prefect tells them; once for each piece of news.

    Args:
        poll_result: What was found, with the drift for which labels are wanted.
        model: The registered name of the model.

    Returns:
        The result.
    """
    drift = poll_result.unanswered
    with get_client(sync_client=True) as client:
        last = _read_last(client, model, [PHOTOGRAPHS_WANTED], datetime.now(UTC) - _LONGEST)
        if drift and not (last and parse_drift(last.payload).key == drift.key):
            client.request("POST", "/events", json=[_describe_want(drift, model, last)])
    return poll_result


def _read_last(client: SyncPrefectClient, model: str, names: list[str], since: datetime) -> ReceivedEvent | None:
    question = EventFilter(
        occurred=EventOccurredFilter(since=since),
        event=EventNameFilter(name=names),
        resource=EventResourceFilter(id=[name_service(model)]),
    )
    events = client.read_events(question, limit=1).events
    return events[0] if events else None


def _describe_want(drift: LiveDrift, model: str, last: ReceivedEvent | None) -> dict[str, object]:
    # Prefect shows an event only seconds after it took it. By its id Prefect knows one that a second look tells again.
    news = f"{name_service(model)} {drift.key} after {last.id if last else 'nothing'}"
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, news)),
        "occurred": datetime.now(UTC).isoformat(),
        "event": PHOTOGRAPHS_WANTED,
        "resource": {"prefect.resource.id": name_service(model), "prefect.resource.name": model},
        "payload": {
            "version": drift.version,
            "kinds": list(drift.kinds),
            "day": drift.day,
            "text": drift.request,
        },
    }
