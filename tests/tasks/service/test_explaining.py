"""Why an answer, over HTTP: the nearest training images, what is known of the class, and who sees photographs."""

from collections.abc import Mapping
from typing import Any

import httpx
import numpy as np
import pytest

from tests.servers import wait_until
from tests.tasks.service.champions import CLASSES, ChampionStore, ask, ready, serving


def _wait_for_explanations(client: httpx.Client) -> None:
    wait_until(lambda: ready(client) and "why" not in client.get("/ready").json(), 60, "explanations", pause=0.05)


def _why(client: httpx.Client, data: bytes) -> Mapping[str, Any]:
    answer = client.post("/v1/predict?why=1", content=data, headers={"Content-Type": "image/png"})
    assert answer.status_code == 200
    plain: dict[str, Any] = answer.json()
    return plain


def _expected(champions: ChampionStore, data: bytes, label: str) -> list[tuple[str, float]]:
    """Search the training images of a class by their stored features, in float64 and one by one."""
    store = champions.store
    names = [row.image for row in store.manifests.read(champions.dataset) if row.label == label]
    training = [name for name in names if champions.names.index(name) % 2 == 0]
    features = store.features(champions.backbone.fingerprint, champions.backbone.width)
    query = features.read([champions.names[champions.files.index(data)]])[0].astype(np.float64)
    rows = features.read(training).astype(np.float64)
    likeness = [float((row * query).sum() / np.linalg.norm(row) / np.linalg.norm(query)) for row in rows]
    return sorted(zip(training, likeness, strict=True), key=lambda pair: (-pair[1], pair[0]))


def test_an_answer_says_why(champions: ChampionStore) -> None:
    """The nearest training images are those of brute force, shown with what the model knows of the class."""
    champions.promote(champions.head(1))
    with serving(champions, show_training=True, follow_seconds=0.1) as (_, client):
        _wait_for_explanations(client)
        for data in champions.files[:4]:
            plain = _why(client, data)
            expected = _expected(champions, data, plain["label"])[:3]
            nearest = [(item["photograph"].rpartition("/")[2], item["likeness"]) for item in plain["why"]["nearest"]]
            assert nearest == [(name, pytest.approx(likeness, abs=1e-6)) for name, likeness in expected]
            assert {item["label"] for item in plain["why"]["nearest"]} == {plain["label"]}
            facts = plain["why"]["class"]
            assert (facts["label"], facts["training_images"], facts["test_images"]) == (plain["label"], 3, 3)
            assert 0 <= plain["unusual"] < 1
        # The first file is a training image, which is its own nearest one in whichever class it lies.
        assert _why(client, champions.files[0])["unusual"] == 0
        shown = client.get(plain["why"]["nearest"][0]["photograph"])
        assert (shown.status_code, shown.headers["content-type"], shown.content[:2]) == (200, "image/jpeg", b"\xff\xd8")
        assert client.get(f"/v1/training/{champions.names[1]}").status_code == 404
        assert client.post("/v1/predict?why=perhaps", content=data).status_code == 400


def test_photographs_are_not_shown_unless_switched_on(champions: ChampionStore) -> None:
    """By default labels and likeness are told alone, no name of an image, and no photograph has an address."""
    champions.promote(champions.head(1))
    with serving(champions, follow_seconds=0.1) as (_, client):
        _wait_for_explanations(client)
        plain = _why(client, champions.files[2])
        assert all(set(item) == {"label", "likeness"} for item in plain["why"]["nearest"])
        assert client.get(f"/v1/training/{champions.names[0]}").status_code == 404
        assert "why" not in ask(client, champions.files[2]).json()
        assert ask(client, champions.files[2]).json()["unusual"] == plain["unusual"]


def test_explanations_follow_the_model(champions: ChampionStore) -> None:
    """After a promotion the recall that is told is the new head's."""
    heads = [champions.head(seed) for seed in (1, 2)]
    champions.promote(heads[0])
    recalls = [_recalls(champions, head.probabilities) for head in heads]
    assert recalls[0] != recalls[1]
    with serving(champions, follow_seconds=0.1) as (_, client):
        for number, told in enumerate(recalls):
            if number:
                champions.promote(heads[number])
                wait_until(lambda: client.get("/version").json()["model"]["version"] == "2", 60, "the second model")
            _wait_for_explanations(client)
            answers = [_why(client, data) for data in champions.files]
            facts = {plain["label"]: plain["why"]["class"]["recall"] for plain in answers}
            assert facts == {label: told[label] for label in facts}


def _recalls(champions: ChampionStore, probabilities: Any) -> dict[str, float]:  # noqa: ANN401 - a head's of_class method
    store = champions.store
    rows = [row for row in store.manifests.read(champions.dataset) if champions.names.index(row.image) % 2]
    features = store.features(champions.backbone.fingerprint, champions.backbone.width).read([r.image for r in rows])
    predicted = [CLASSES[column] for column in probabilities(features).argmax(axis=1)]
    hits = {
        label: [guess == label for guess, row in zip(predicted, rows, strict=True) if row.label == label]
        for label in CLASSES
    }
    return {label: sum(of_class) / len(of_class) for label, of_class in hits.items()}


@pytest.mark.parametrize("reason", ["features", "bound", "off"])
def test_an_answer_without_a_reason_is_still_an_answer(champions: ChampionStore, reason: str) -> None:
    """Where features are not stored, or too many, answers come all the same, and say why they do not say why."""
    champions.promote(champions.head(1))
    if reason == "features":
        champions.store.remove_features(champions.names[0])
    with serving(champions, why_images={"features": 100, "bound": 8, "off": 0}[reason], follow_seconds=0.1) as (
        _,
        client,
    ):
        expected = {"features": "lacks features", "bound": "trained on 9 images", "off": "serve.why_images is 0"}[
            reason
        ]
        wait_until(lambda: ready(client) and expected in client.get("/ready").json()["why"], 60, "a reason", pause=0.05)
        plain = _why(client, champions.files[2])
        assert (plain["unusual"], set(plain["why"])) == (None, {"unavailable"})
        assert expected in plain["why"]["unavailable"]
        assert plain["label"] in CLASSES
