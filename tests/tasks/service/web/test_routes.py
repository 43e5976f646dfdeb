"""What clients hear: answers with their model, and problems with the right status."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.servers import wait_until
from tests.tasks.service.champions import ChampionStore, ask, ready, serving

BOUNDS: dict[str, Any] = {"max_megabytes": 1, "max_files": 4, "body_seconds": 0.5, "queue": 8}


@pytest.fixture
def client(champions: ChampionStore) -> Iterator[httpx.Client]:
    """Client of a service with small bounds."""
    champions.promote(champions.head(1))
    with serving(champions, **BOUNDS) as (_, client):
        wait_until(lambda: ready(client), 60, "a model", pause=0.05)
        yield client


def told(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the kind of a problem, which says itself what status it is."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_an_answer_names_its_model_and_the_rest_is_told_as_problems(
    client: httpx.Client, champions: ChampionStore
) -> None:
    """One running service is asked all that clients may send; a good photograph beside it is answered all the while."""
    good, head = champions.files[0], champions.head(1)
    answer = ask(client, good)
    assert answer.headers["x-pedigree-model"] == f"1@{head.name[:4]}"
    plain = answer.json()
    assert len(plain["id"]) == 26
    assert plain["model"] == {
        "name": "dogs",
        "version": "1",
        "decision": 1,
        "head": head.name,
        "backbone": champions.backbone.fingerprint,
        "dataset": champions.dataset,
        "trained": "2026-11-01T02:00:00+00:00",
    }
    assert plain["label"] == max(plain["probabilities"], key=plain["probabilities"].get)
    assert plain["probability"] == plain["probabilities"][plain["label"]]
    assert plain["sure"] == (plain["probability"] >= 0.5)

    assert told(ask(client, b"")) == (400, "empty-body")
    assert told(ask(client, b"This is no picture.")) == (422, "unusable")
    assert ask(client, b"This is no picture.").json()["reason"] == "not-an-image"
    assert told(ask(client, good[:900])) == (422, "unusable")
    assert told(ask(client, good, "text/plain")) == (415, "wrong-type")
    assert told(ask(client, bytes(2 * 2**20))) == (413, "too-large")
    assert told(client.post("/v1/predict", content=iter([bytes(2**20), b"x"]))) == (413, "too-large")
    assert told(ask(client, b"{", "application/json")) == (400, "malformed")
    for text in (b"[]", b"7", b'{"instances": [{}]}', b'{"inputs": {"image": [7]}}', b"[" * 100_000):
        assert told(ask(client, text, "application/json")) == (400, "malformed")
    # A million empty lists would become a million objects, while every other request waits.
    for text in (b'{"instances": [' + b"1," * 200_000 + b"1]}", b'{"instances": [' + b'"",' * 5 + b'""]}'):
        assert told(ask(client, text, "application/json")) == (413, "too-many")
    parts = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n' * 5000
    assert told(ask(client, parts + b"--x--\r\n", "multipart/form-data; boundary=x")) == (413, "too-many")
    squeezed = {"Content-Type": "image/png", "Content-Encoding": "gzip"}
    assert told(client.post("/v1/predict", content=good, headers=squeezed)) == (415, "wrong-type")
    assert told(ask(client, b"--x\r\n", "multipart/form-data; boundary=x")) == (400, "malformed")
    assert told(client.post("/v1/predict", files=[("image", ("1", good))] * 5)) == (413, "too-many")
    assert told(client.get("/nowhere")) == (404, "not-found")
    assert told(client.get("/v1/predict")) == (405, "wrong-method")
    assert told(client.get("/live", headers={"Host": "evil.example.org"})) == (421, "wrong-host")
    assert ask(client, good).json()["probabilities"] == plain["probabilities"]


def test_head_is_answered_wherever_get_is(client: httpx.Client) -> None:
    """Whoever asks for the head alone gets the status and the headers of the whole answer, and no body."""
    for path in ("/", "/live", "/ready", "/ping", "/version", "/metrics", "/openapi.json", "/v1/shadow", "/nowhere"):
        answer, head = client.get(path), client.head(path)
        assert (head.status_code, head.headers["content-type"]) == (answer.status_code, answer.headers["content-type"])
        assert head.content == b""
    assert client.head("/v1/predict").status_code == 405
    assert client.post("/version").headers["allow"] == "GET, HEAD"


def test_forms_and_json_get_an_answer_for_each_photograph(client: httpx.Client, champions: ChampionStore) -> None:
    """A bad file in a form spoils nothing; MLflow's four forms of JSON get rows as MLflow gives them."""
    good, expected = champions.files[0], next(iter(champions.expected(champions.head(1)).values()))
    mixed = client.post("/v1/predict", files=[("image", ("1", good)), ("image", ("2", b"woof"))])
    assert mixed.status_code == 200
    first, second = mixed.json()["answers"]
    assert first["probabilities"] == expected
    assert (second["label"], second["problem"]["reason"]) == (None, "not-an-image")
    unusable = client.post("/v1/predict", files=[("image", ("2", b"woof"))])
    assert told(unusable) == (422, "unusable")
    assert unusable.json()["answers"][0]["problem"]["reason"] == "not-an-image"
    text = base64.b64encode(good).decode()
    for body in (
        {"dataframe_records": [{"image": text}]},
        {"dataframe_split": {"columns": ["image"], "data": [[text]]}},
        {"instances": [{"image": text}]},
        {"inputs": {"image": [text]}},
    ):
        (row,) = client.post("/invocations", json=body).json()["predictions"]
        assert (row["probabilities"], row["problem"]) == (expected, "")


def test_answers_and_examples_are_as_openapi_describes(client: httpx.Client, champions: ChampionStore) -> None:
    """What really comes back fits the schemas, and the examples do; the example of a request can be sent as it is."""
    paths = client.get("/openapi.json").json()["paths"]

    predict, invocations = (paths[path]["post"]["responses"] for path in ("/v1/predict", "/invocations"))
    answered = predict["200"]["content"]["application/json"]
    rows = invocations["200"]["content"]["application/json"]
    refused = predict["422"]["content"]["application/problem+json"]
    example = paths["/invocations"]["post"]["requestBody"]["content"]["application/json"]
    jsonschema.validate(example["example"], example["schema"])
    jsonschema.validate(rows["example"], rows["schema"])
    for shown in answered["examples"].values():
        jsonschema.validate(shown["value"], answered["schema"])
    form = [("image", ("1", champions.files[0])), ("image", ("2", b"woof"))]
    for answer in (ask(client, champions.files[0]), client.post("/v1/predict?why=1", files=form)):
        jsonschema.validate(answer.json(), answered["schema"])
    sent = client.post("/invocations", json=example["example"])
    assert [row["problem"] for row in sent.json()["predictions"]] == [""]
    jsonschema.validate(sent.json(), rows["schema"])
    jsonschema.validate(ask(client, b"woof").json(), refused["schema"])


def test_metrics_and_openapi_tell_what_there_is(client: httpx.Client, champions: ChampionStore) -> None:
    """Prometheus sees counts under bounded labels; OpenAPI lists each address with an example."""
    ask(client, champions.files[0])
    ask(client, b"woof")
    client.get("/a/path/of/somebody's/own")
    text = client.get("/metrics").text
    assert 'pedigree_requests_total{address="/v1/predict",status="200"} 1.0' in text
    assert 'pedigree_requests_total{address="other",status="404"} 1.0' in text
    assert 'pedigree_unusable_total{reason="not-an-image"} 1.0' in text
    assert f'pedigree_model{{dataset="{champions.dataset[:12]}",decision="1"' in text
    paths = client.get("/openapi.json").json()["paths"]
    asked = {"/v1/predict", "/v1/answers/{answer}/feedback", "/v1/training/{image}", "/v1/shadow", "/invocations"}
    assert set(paths) == asked | {"/live", "/ready", "/ping", "/version", "/metrics"}
    assert client.get("/version").json()["model"]["head"] == champions.head(1).name
