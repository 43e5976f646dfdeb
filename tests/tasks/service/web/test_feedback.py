"""Programs and people say whether an answer is right: it is counted and logged, and nothing more."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest

from tasks.stores.inbox import Inbox
from tests.servers import wait_until
from tests.tasks.service.champions import CLASSES, ChampionStore, ask, ready, serving
from tests.tasks.service.web.test_routes import told


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Collect the log of the service."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@pytest.fixture
def client(log: io.StringIO, champions: ChampionStore) -> Iterator[httpx.Client]:
    """Client of a service with a champion, whose log is read."""
    assert not log.getvalue()
    champions.promote(champions.head(1))
    with serving(champions, max_megabytes=1) as (_, client):
        wait_until(lambda: ready(client), 60, "a model", pause=0.05)
        yield client


def test_feedback_is_counted_once_and_logged_without_a_picture(
    client: httpx.Client, champions: ChampionStore, log: io.StringIO
) -> None:
    """Right, wrong, and wrong with a class; all else is told as a problem, and OpenAPI describes it."""
    first, second, third = (ask(client, data).json() for data in champions.files[:3])
    other = next(label for label in CLASSES if label != first["label"])

    def say(answer: str, body: object) -> httpx.Response:
        return client.post(f"/v1/answers/{answer}/feedback", json=body)

    wrong = say(first["id"], {"right": False, "label": other})
    assert wrong.json() == {"id": first["id"], "label": first["label"], "verdict": "wrong", "claimed": other} | {
        "consent": None
    }
    assert say(first["id"], {"right": False, "label": other}).status_code == 200
    assert told(say(first["id"], {"right": True})) == (409, "conflict")
    assert say(second["id"], {"right": True}).json()["verdict"] == "right"
    assert told(say(third["id"], {"right": False, "label": "wolf"})) == (400, "malformed")
    assert told(say(third["id"], {"right": False, "label": third["label"]})) == (400, "malformed")
    assert told(say("0" * 26, {"right": True})) == (410, "gone")
    assert told(say("Z" * 26, {"right": True})) == (404, "unknown-answer")
    assert told(client.post(f"/v1/answers/{third['id']}/feedback", data={"right": "yes"})) == (415, "wrong-type")
    assert told(client.post("/v1/predict", content=b"x", headers={"Origin": "https://evil.example.org"}))[0] == 403

    metrics = client.get("/metrics").text
    count = f'pedigree_feedback_total{{label="{first["label"]}",verdict="wrong",version="1"}} 1.0'
    assert count in metrics
    lines = [json.loads(line) for line in log.getvalue().splitlines() if line.startswith("{")]
    said = [line for line in lines if "feedback" in line]
    assert [(line["id"], line["feedback"], line["claimed"]) for line in said] == [
        (first["id"], "wrong", other),
        (second["id"], "right", ""),
    ]
    described = client.get("/openapi.json").json()["paths"]["/v1/answers/{answer}/feedback"]["post"]
    request = described["requestBody"]["content"]["application/json"]
    answered = described["responses"]["200"]["content"]["application/json"]
    jsonschema.validate(request["example"], request["schema"])
    for plain in (answered["example"], wrong.json()):
        jsonschema.validate(plain, answered["schema"])


def test_consent_is_said_or_not_there(champions: ChampionStore, tmp_path: Path) -> None:
    """By header, by form or with feedback; any other word is refused, and without one nothing is ever kept."""
    head = champions.head(1)
    champions.promote(replace(head, threshold=1.0))
    place, files = str(tmp_path / "inbox"), champions.files
    with serving(champions, place) as (service, client):
        wait_until(lambda: ready(client), 60, "a model", pause=0.05)
        png, yes, no = {"Content-Type": "image/png"}, {"X-Pedigree-Consent": "yes"}, {"X-Pedigree-Consent": "no"}
        silent = client.post("/v1/predict", content=files[0], headers=png).json()["id"]
        by_header = client.post("/v1/predict", content=files[1], headers=png | yes).json()["id"]
        form, agrees = [("image", ("a.png", files[2]))], {"consent": "yes"}
        by_form = client.post("/v1/predict", files=form, data=agrees).json()["answers"][0]["id"]
        client.post("/v1/predict", files=form, data=agrees, headers=no)
        client.post("/v1/predict", content=files[3], headers=png | no)
        unclear = png | {"X-Pedigree-Consent": "maybe"}
        assert told(client.post("/v1/predict", content=files[4], headers=unclear)) == (400, "malformed")
        assert told(client.post(f"/v1/answers/{silent}/feedback", json={"consent": True})) == (409, "conflict")
        withdrawn = client.post("/v1/predict", content=files[5], headers=png | yes).json()["id"]
        assert client.post(f"/v1/answers/{withdrawn}/feedback", json={"consent": False}).json()["consent"] is False
        assert client.get("/ready").json()["inbox"] == {"place": place, "held": 2}
        inbox = Inbox(place)
        wait_until(lambda: len(inbox.listing()) == 2, 60, "two pictures in the inbox", pause=0.2)
        records, _ = inbox.read_all(inbox.listing())
        assert {record.answer for record in records} == {by_header, by_form}
        assert {record.reasons for record in records} == {("unsure",)}
        assert 'pedigree_inbox_total{result="kept"} 2.0' in client.get("/metrics").text
        assert service.state.feedback.collector.describe() == {"place": place, "held": 0}


def test_a_service_without_an_inbox_keeps_nothing(client: httpx.Client, champions: ChampionStore) -> None:
    """Consent changes no answer there, and whoever asks for keeping hears that it keeps none."""
    headers = {"Content-Type": "image/png", "X-Pedigree-Consent": "yes"}
    answer = client.post("/v1/predict", content=champions.files[0], headers=headers).json()
    refused = client.post(f"/v1/answers/{answer['id']}/feedback", json={"consent": True})
    assert told(refused) == (409, "conflict")
    assert refused.json()["detail"] == "This service keeps no photographs."
    assert "inbox" not in client.get("/ready").json()
