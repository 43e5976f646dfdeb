"""Programs and people say whether an answer is right: it is counted and logged, and nothing more."""

import io
import json
import sys
from collections.abc import Iterator

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest

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
    assert wrong.json() == {"id": first["id"], "label": first["label"], "verdict": "wrong", "claimed": other}
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
