"""The service answers as the evaluation did, and follows the decisions."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event

import httpx
import pytest

from configs.errors import SettingsError
from configs.servers import Serve
from tasks.modeling.backbone.backbone import random_backbone
from tasks.service.models.store_models import StoreModels
from tasks.service.server import open_service
from tests.servers import wait_until
from tests.tasks.service.champions import ChampionStore, ask, ready, serving


def test_answers_over_http_are_the_evaluations_bit_for_bit(champions: ChampionStore) -> None:
    """Each probability equals the head on the stored features: alone, with eight clients, and sixteen in a request."""
    head = champions.head(1)
    champions.promote(head)
    expected = champions.expected(head)
    with serving(champions) as (_, client):
        wait_until(lambda: ready(client), 60, "a model", pause=0.05)
        alone = [ask(client, data).json()["probabilities"] for data in champions.files]
        with ThreadPoolExecutor(8) as pool:
            crowded = [
                answer.json()["probabilities"] for answer in pool.map(lambda data: ask(client, data), champions.files)
            ]
        form = [("image", ("a.png", data, "image/png")) for data in champions.files[:16]]
        together = client.post("/v1/predict", files=form).json()["answers"]
    assert alone == crowded == list(expected.values())
    assert [answer["probabilities"] for answer in together] == alone[:16]


def test_answers_of_a_whole_inception_are_the_evaluations_bit_for_bit(tmp_path: Path, photos: Path) -> None:
    """At 299 px with mixed10, where a batch would give other bits, real photographs asked for together too."""
    files = [path.read_bytes() for path in sorted(photos.glob("*/*.jpg"))[:6]]
    store = ChampionStore(str(tmp_path / "store"), random_backbone("mixed10", 299), files).fill()
    head = store.head(1)
    store.promote(head)
    expected = list(store.expected(head).values())
    with serving(store) as (_, client):
        wait_until(lambda: ready(client), 120, "a model", pause=0.1)
        with ThreadPoolExecutor(6) as pool:
            crowded = [answer.json()["probabilities"] for answer in pool.map(lambda data: ask(client, data), files)]
        together = client.post("/v1/predict", files=[("image", ("a", data)) for data in files]).json()["answers"]
    assert crowded == expected
    assert [answer["probabilities"] for answer in together] == expected


def test_swaps_under_load_lose_and_mix_nothing(champions: ChampionStore) -> None:
    """While four clients ask, three promotions and a rollback come to serve; each answer is its named version's own."""
    heads = {champions.promote(champions.head(1)).model_version: champions.head(1)}
    stop = Event()

    def ask_on(client: httpx.Client) -> list[tuple[bytes, httpx.Response]]:
        answers: list[tuple[bytes, httpx.Response]] = []
        while not stop.is_set():
            data = champions.files[len(answers) % len(champions.files)]
            answers.append((data, ask(client, data)))
        return answers

    def serves(client: httpx.Client, decision: int) -> bool:
        return bool(client.get("/version").json()["model"]["decision"] == decision)

    with serving(champions, follow_seconds=0.1) as (_, client), ThreadPoolExecutor(4) as pool:
        wait_until(lambda: ready(client), 60, "a model", pause=0.05)
        asked = [pool.submit(ask_on, client) for _ in range(4)]
        try:
            for seed in (2, 3, 4):
                decision = champions.promote(champions.head(seed))
                heads[decision.model_version] = champions.head(seed)
                wait_until(partial(serves, client, decision.number), 60, "the promotion", pause=0.05)
            number = champions.roll_back().number
            wait_until(lambda: serves(client, number), 60, "the rollback", pause=0.05)
        finally:
            stop.set()
        answers = [pair for future in asked for pair in future.result()]
    expected = {version: champions.expected(head) for version, head in heads.items()}
    assert {answer.status_code for _, answer in answers} == {200}
    wrong = [
        answer.json()
        for data, answer in answers
        if answer.json()["probabilities"] != expected[answer.json()["model"]["version"]][data]
    ]
    assert wrong == []
    assert {answer.json()["model"]["version"] for _, answer in answers} == {"1", "2", "3", "4"}


def test_a_port_that_is_taken_is_told_in_one_sentence(champions: ChampionStore) -> None:
    """Nothing is started on a port on which another program listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = f"Nothing can listen on 127.0.0.1:{port} (Address already in use): correct serve.host or serve.port."
        with pytest.raises(SettingsError, match=f"^{re.escape(sentence)}$"):
            open_service(StoreModels(champions.store, "dogs"), Serve(port=port))
