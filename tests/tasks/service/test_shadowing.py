"""A challenger in the champion's shadow, over HTTP: what is compared, for how long, and what becomes of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from mlflow import MlflowClient

from tasks.modeling.head.head import Head
from tasks.service.live_records import record_shadow
from tasks.service.models.model_source import Challenger
from tasks.stores.tracking import runs
from tests.servers import mlflow_database, wait_until
from tests.tasks.service.champions import CLASSES, ChampionStore, ask, ready, serving


def _swapped(head: Head) -> Head:
    """Return a head that takes the first and the last class for each other."""
    order = [2, 1, 0]
    return replace(head, weights=head.weights[:, order], bias=head.bias[order])


def _compared(client: httpx.Client, champions: ChampionStore, decision: int) -> Mapping[str, Any]:
    """Wait for this challenger, ask about all photographs, and return the comparison."""

    def is_compared() -> bool:
        answer = client.get("/v1/shadow")
        return answer.status_code == 200 and answer.json()["challenger"]["decision"] == decision

    wait_until(is_compared, 60, "the challenger", pause=0.05)
    for data in champions.files:
        assert ask(client, data).json()["model"]["decision"] == 1
    plain: dict[str, Any] = client.get("/v1/shadow").json()
    return plain


def test_a_challenger_that_waits_is_compared_and_recorded(champions: ChampionStore, tmp_path: Path) -> None:
    """The champion's own head agrees; one with two classes swapped differs about these; both end up in MLflow."""
    url, head = mlflow_database(tmp_path), champions.head(1)
    run = runs.start_run(url, "dogs", {}, {})
    records: list[tuple[Challenger, Mapping[str, Any]]] = []
    champions.promote(head)
    with serving(champions, follow_seconds=0.1) as (service, client):
        wait_until(lambda: ready(client), 60, "a model", pause=0.05)
        service.state.shadow.record = lambda challenger, plain: records.append((challenger, plain))
        assert client.get("/v1/shadow").status_code == 404
        # Another temperature makes another head, which predicts the same classes.
        champions.let_wait(replace(head, temperature=3.0), run)
        assert _compared(client, champions, 2)["disagreement"] == 0
        champions.let_wait(_swapped(head), run)
        plain = _compared(client, champions, 3)
        swapped = {CLASSES[0], CLASSES[2]}
        about = [part["answers"] for part in plain["classes"] if part["label"] in swapped]
        assert plain["answers"] == len(champions.files)
        assert plain["disagreement"] == sum(about) / len(champions.files) > 0
        assert {part["label"]: part["instead"] for part in plain["classes"] if part["instead"]}.keys() <= swapped
        assert len(plain["disputed"]) == sum(about)
        metrics = client.get("/metrics").text
        assert f'pedigree_shadow_answers{{agrees="false"}} {float(sum(about))}' in metrics
    assert [challenger.identity.decision for challenger, _ in records] == [2, 3]
    record_shadow(url, *records[-1])
    client_of_mlflow = MlflowClient(url)
    assert client_of_mlflow.get_run(run).data.metrics["shadow/answers"] == len(champions.files)
    folder = Path(client_of_mlflow.download_artifacts(run, "live", str(tmp_path)))
    assert json.loads((folder / "shadow.json").read_text())["disagreement"] == plain["disagreement"]


def test_a_challenger_on_another_backbone_stays_out(champions: ChampionStore) -> None:
    """It would need the network a second time, which nobody asked for: no photograph is compared, answers go on."""
    champions.promote(champions.head(1))
    waiting = champions.let_wait(champions.head(2))
    with serving(champions, follow_seconds=0.1) as (service, client):
        wait_until(lambda: ready(client), 60, "a model", pause=0.05)
        wait_until(lambda: client.get("/v1/shadow").status_code == 200, 60, "the challenger", pause=0.05)
        assert champions.store.ledger.append(replace(waiting, number=3, backbone="0" * 64))
        wait_until(lambda: client.get("/v1/shadow").status_code == 404, 60, "its end", pause=0.05)
        assert ask(client, champions.files[0]).status_code == 200
        assert service.state.shadow.counts() == (0, 0)
