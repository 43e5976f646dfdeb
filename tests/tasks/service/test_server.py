"""The service answers as the evaluation did, and follows the decisions."""

from concurrent.futures import ThreadPoolExecutor

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
