"""A challenger in the champion's shadow, over HTTP: what is compared, for how long, and what becomes of it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from mlflow import MlflowClient

from tasks.modeling.backbone.backbone import random_backbone
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


def test_a_challenger_that_waits_for_more_data_is_compared(champions: ChampionStore) -> None:
    """One that was rejected for nothing but a lack of evidence is shadowed; one that a rule found harmful is not."""
    head = champions.head(1)
    champions.promote(head)
    champions.let_wait_for_data(_swapped(head))
    with serving(champions, follow_seconds=0.1) as (_, client):
        plain = _compared(client, champions, 2)
        assert plain["waits_for"] == "more data"
        assert plain["disagreement"] > 0
        last = champions.store.ledger.entries()[-1]
        harmful = [*last.rules, {"rule": "recall of any class not worse by 0.05", "outcome": "failed"}]
        assert champions.store.ledger.append(replace(last, number=3, rules=harmful))
        wait_until(lambda: client.get("/v1/shadow").status_code == 404, 60, "its end", pause=0.05)


def test_a_challenger_with_a_network_of_its_own_answers_when_nobody_waits(champions: ChampionStore) -> None:
    """Its network is loaded beside the champion's, and serves at once when it is promoted; nothing is loaded twice."""
    other = replace(champions, backbone=random_backbone("mixed1", 75))
    other.embed()
    champions.promote(champions.head(1))
    other.let_wait(other.head(2))
    with serving(champions, follow_seconds=0.1, shadow_share=1) as (service, client):
        shadow = service.state.shadow
        plain = _compared(client, champions, 2)
        assert plain["share"] == 1
        wait_until(lambda: sum(shadow.counts()) == len(champions.files), 60, "the comparisons", pause=0.02)
        assert sum(shadow.counts()[:2]) > 0
        loaded = shadow.spare(other.backbone.fingerprint)
        other.promote(other.head(2))
        wait_until(lambda: ask(client, other.files[0]).json()["model"]["decision"] == 3, 60, "its turn", pause=0.02)
        assert loaded
        assert service.state.follower.model
        assert service.state.follower.model.backbone is loaded.backbone
        assert ask(client, other.files[0]).json()["probabilities"] == other.expected(other.head(2))[other.files[0]]


def test_a_third_network_finds_room(champions: ChampionStore) -> None:
    """Where another backbone than the challenger's is about to serve, the challenger's network is let go before."""
    other = replace(champions, backbone=random_backbone("mixed1", 75))
    other.embed()
    champions.promote(champions.head(1))
    other.let_wait(other.head(2))
    with serving(champions, follow_seconds=0.1, shadow_share=1) as (service, client):
        wait_until(lambda: client.get("/v1/shadow").status_code == 200, 60, "the challenger", pause=0.05)
        shadow = service.state.shadow
        assert shadow.spare("0" * 64) is None
        assert shadow.spare(other.backbone.fingerprint) is None
        assert ask(client, champions.files[0]).status_code == 200
        assert shadow.counts() == (0, 0, 0)


@pytest.mark.parametrize("settings", [{"shadow": False}, {"shadow_share": 0}])
def test_no_network_is_loaded_that_nobody_wants(champions: ChampionStore, settings: Mapping[str, object]) -> None:
    """Without a share, or without a shadow at all, a challenger on another backbone stays out, and answers go on."""
    champions.promote(champions.head(1))
    waiting = champions.let_wait(champions.head(2))
    assert champions.store.ledger.append(replace(waiting, number=3, backbone="0" * 64))
    with serving(champions, follow_seconds=0.1, **settings) as (service, client):
        wait_until(lambda: ready(client), 60, "a model", pause=0.05)
        service.state.shadow.look() if settings.get("shadow", True) else None
        assert client.get("/v1/shadow").status_code == 404
        assert ask(client, champions.files[0]).status_code == 200
        assert service.state.shadow.counts() == (0, 0, 0)
