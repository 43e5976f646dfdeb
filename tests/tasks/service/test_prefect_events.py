"""What the service tells Prefect, which may be away: nothing waits for it, and nothing is lost."""

from tasks.domain.serving.answers import ModelIdentity
from tasks.domain.serving.drift import Kind
from tasks.domain.serving.drift_report import PictureFigures
from tasks.service.drifting import DayReport
from tasks.service.prefect_events import PrefectEvents, ServiceEvent, describe_day, describe_refusal
from tests.receivers import web_receiver
from tests.servers import free_port, wait_until

_IDENTITY = ModelIdentity("dogs", "4", 7, "c473", "b1", "d1", "2026-11-28T02:00:00+00:00")


def _report(*kinds: Kind) -> DayReport:
    """Make a day in which these kinds drifted."""
    figures = PictureFigures(200, {"pug": 0.5, "boxer": 0.5}, 0.3, None, 0.45, 0.44, 0.81)
    compared, sentences = True, ("they are 25% darker",)
    return DayReport(
        "2026-11-28", "dogs", "4", compared, kinds, {"look": 0.1}, figures, figures, sentences, "dark ones"
    )


def test_an_event_says_what_happened_to_which_service() -> None:
    """A day is drifted or steady, and a refusal names version, decision and reason; all are of the model's service."""
    drifted, steady = describe_day(_report("look")).to_dict(), describe_day(_report()).to_dict()
    refused = describe_refusal(_IDENTITY, "the head is damaged").to_dict()
    assert [event["event"] for event in (drifted, steady, refused)] == [
        "pedigree.drifted",
        "pedigree.steady",
        "pedigree.swap-refused",
    ]
    assert {event["resource"]["prefect.resource.id"] for event in (drifted, steady, refused)} == {
        "pedigree.service.dogs"
    }
    assert drifted["payload"].items() >= {"kinds": ["look"], "collect": "dark ones", "version": "4"}.items()
    assert refused["payload"] == {"version": "4", "decision": 7, "head": "c473", "reason": "the head is damaged"}


def test_what_prefect_does_not_take_is_sent_again() -> None:
    """While nobody answers, one sentence says so and events wait in their order; then each arrives once."""
    log: list[str] = []
    with web_receiver() as web:
        addresses = iter([f"http://127.0.0.1:{free_port()}/api"] * 3)
        events = PrefectEvents(lambda: next(addresses, f"http://127.0.0.1:{web.port}/api"), log.append, 0.01)
        sent = [ServiceEvent("pedigree.steady", "dogs", {"number": number}) for number in range(3)]
        for event in sent:
            events.send(event)
        wait_until(lambda: len(web.calls) == len(sent), 30, "all events", pause=0.01)
        wait_until(lambda: len(log) > 1, 30, "the second sentence", pause=0.01)
    arrived: list[tuple[str, object]] = [*web.calls]
    assert arrived == [("/api/events", [event.to_dict()]) for event in sent]
    assert log[0].startswith("Prefect did not take the event pedigree.steady, which is sent again later: ")
    assert log[1:] == ["Prefect took the event pedigree.steady."]


def test_without_prefect_nothing_is_sent_and_nothing_said() -> None:
    """Where no Prefect is configured an event is dropped at once."""
    log: list[str] = []
    addresses = iter([""])
    events = PrefectEvents(lambda: next(addresses), log.append)
    events.send(ServiceEvent("pedigree.steady", "dogs", {}))
    wait_until(lambda: next(addresses, "asked"), 30, "the look for Prefect", pause=0.01)
    assert log == []
