"""News of drift from the service through a real Prefect server to the watcher, and from there to people."""

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient

from configs.load import parse_settings, resolve
from configs.schema import Settings
from configs.servers import Notify
from flows.runner import run_watch
from infra.orchestration.automations import set_up_automations
from tasks.domain.ingestion.triggers import PollResult
from tasks.domain.serving.answers import ModelIdentity
from tasks.domain.serving.drift import Kind
from tasks.domain.serving.drift_report import PictureFigures, describe_drift, describe_need
from tasks.service.drifting import DayReport
from tasks.service.prefect_events import prefect_records
from tasks.stores.objects.object_store import open_bucket
from tasks.stores.store import Store
from tasks.watching.drift_news import ask_people, read_drift
from tests.listings import in_columns
from tests.receivers import Received, web_receiver
from tests.servers import PrefectServer, wait_until

_ANSWERED = "2026-11-25T02:00:00+00:00"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Watch a folder whose two photographs are learned from, for a model that no other test has."""
    source = str(tmp_path / "photos")
    for label in "ab":
        open_bucket(source).create(f"{label}/1.jpg", b"a picture")
    values = {
        "source": {"url": source},
        "store": {"url": str(tmp_path / "store")},
        "tracking": {"model": f"dogs-{uuid4().hex}"},
        "watch": {"settle_minutes": 0},
    }
    settings = resolve(parse_settings(values, "test"))
    listed, store = in_columns(open_bucket(settings.source.url).entries()), Store(settings.store.url)
    store.snapshots.record(settings.source.url, _ANSWERED, listed)
    store.processed_snapshots.write(settings.source.url, _ANSWERED, "promoted")
    return settings


@pytest.fixture
def web(prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    """Whoever is told by a webhook of what happens to services."""
    with web_receiver() as received:
        monkeypatch.setenv("PEDIGREE_WEBHOOK_URL", f"http://127.0.0.1:{received.port}/hook")
        notify = Notify(channels=("webhook",), when=("drifted", "swap-refused"), silent_hours=0)
        names = set_up_automations(prefect_server.api_url, notify, "")
        assert names == ["Pedigree: drifted", "Pedigree: swap refused"]
        yield received
        set_up_automations(prefect_server.api_url, Notify(), "")


def _report(model: str, day: str, *kinds: Kind, compared: bool = True) -> DayReport:
    """Make a day on which more pugs came, and the photographs were darker."""
    reference = PictureFigures(300, {"pug": 0.2, "boxer": 0.8}, 0.1, 0.05, 0.6, 0.6, 0.94)
    live = PictureFigures(200, {"pug": 0.5, "boxer": 0.5}, 0.1, 0.06, 0.45, 0.6, 0.93)
    words = describe_drift(kinds, reference, live), describe_need(kinds, reference, live)
    return DayReport(day, model, "4", compared, kinds, {"look": 0.1}, reference, live, *words)


def _tell(settings: Settings, day: str, *kinds: Kind) -> None:
    """Let the service tell of a day, and wait until Prefect knows it."""
    model = settings.tracking.model
    prefect_records().on_day(_report(model, day, *kinds))
    wait_until(lambda: (drift := read_drift(model, "")) is not None and drift.kinds == kinds, 60, f"the event of {day}")


@flow
def _ask_twice(poll_result: PollResult, model: str) -> None:
    """Ask a second time before Prefect shows the first."""
    ask_people(poll_result, model)
    ask_people(poll_result, model)


def test_drift_without_labels_is_told_once_and_with_labels_retrains(
    prefect_server: PrefectServer, settings: Settings, web: Received
) -> None:
    """Each look says that labels are wanted, and people hear it once for each piece of news; a label is a reason."""
    assert run_watch(settings).state == "Nothing new"
    _tell(settings, "2026-11-28", "mixture")
    drift = read_drift(settings.tracking.model, "")
    _ask_twice(PollResult("Nothing new", "", unanswered=drift), settings.tracking.model)
    wait_until(lambda: web.calls, 60, "the message")
    looks = [run_watch(settings), run_watch(settings)]
    assert {look.state for look in looks} == {"Nothing new"}
    assert looks[0].why.endswith("as 200 live pictures tell, and labelled photographs are wanted")
    _tell(settings, "2026-11-29", "look")
    run_watch(settings)
    wait_until(lambda: len(web.calls) > 1, 60, "the message about other news")
    mixture, look = (call["text"] for _, call in web.calls)
    assert mixture.startswith("Pedigree: live photographs have changed\nLive photographs have drifted by 2026-11-28: ")
    assert "label photographs of pug." in mixture
    assert "pedigree inbox list" in mixture
    assert mixture.endswith(f"\nModel: {settings.tracking.model} 4\nEvents: {prefect_server.url}/events")
    assert "as people take them now (25% darker)" in look

    open_bucket(settings.source.url).create("loose.jpg", b"no folder says what it is")
    assert run_watch(settings).unanswered, "a photograph without a label is no reason"
    open_bucket(settings.source.url).create("a/2.jpg", b"another picture")
    answered = Store(settings.store.url).processed_snapshots
    with pytest.raises(Exception, match="no deployment"):
        run_watch(settings)
    answered.write(settings.source.url, "2099-01-01T00:00:00+00:00", "promoted")
    assert read_drift(settings.tracking.model, "2099-01-01T00:00:00+00:00") is None, "a retraining has answered it"


def test_a_quiet_day_ends_the_drift_and_a_first_day_says_nothing(
    prefect_server: PrefectServer, settings: Settings
) -> None:
    """After days like the test images nobody is asked for labels; a day with none before it ends nothing."""
    model = settings.tracking.model
    _tell(settings, "2026-11-28", "look")
    prefect_records().on_day(_report(model, "2026-11-29", compared=False))
    prefect_records().on_day(_report(model, "2026-11-30"))
    wait_until(lambda: read_drift(model, "") is None, 60, "the event of the quiet day")
    with SyncPrefectClient(prefect_server.api_url) as client:
        resource = {"resource": {"id": [f"pedigree.service.{model}"]}}
        events = json.loads(client.request("POST", "/events/filter", json={"filter": resource}).text)["events"]
    assert [event["payload"]["day"] for event in events] == ["2026-11-30", "2026-11-28"]


def test_people_are_told_that_a_model_was_refused(web: Received) -> None:
    """A champion that does not serve is a message with the reason in its own words."""
    champion = ModelIdentity("dogs", "5", 9, "head", "backbone", "dataset", "")
    prefect_records().on_refusal(champion, "heads/c473.npz is damaged")
    wait_until(lambda: web.calls, 60, "the message")
    text = web.calls[0][1]["text"]
    assert text.startswith("Pedigree: a new model does not serve\nheads/c473.npz is damaged\nModel: dogs 5\n")
