"""The page's links to the card of the model that serves: which run they lead to, and what MLflow's absence means."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import httpx
import pytest

from configs.environment import embedded_mlflow
from configs.errors import PedigreeError
from tasks.service.live_records import find_pages
from tasks.service.server import Records
from tasks.stores.tracking import runs
from tests.servers import mlflow_database, wait_until
from tests.tasks.service.champions import ChampionStore, ask, ready, serving

PAGES = "http://127.0.0.1:5000"


def links(client: httpx.Client, **headers: str) -> list[str]:
    """Return the links of the page that lead elsewhere."""
    return re.findall('<a href="(http[^"]*)" rel="noreferrer">', client.get("/", headers=headers).text)


def test_the_page_links_to_the_card_of_the_model_that_serves(
    champions: ChampionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its run is the champion's, also after a promotion; strangers see no address, and no answer names the run."""
    monkeypatch.setenv("PEDIGREE_MLFLOW_PAGES", PAGES)
    (tmp_path / "home").mkdir()
    url = mlflow_database(tmp_path / "home")
    assert url == embedded_mlflow()
    run_id, next_run_id = (runs.start_run(url, "dogs", {}, {}) for _ in range(2))
    champions.promote(champions.head(1), run_id)
    with serving(champions, "", Records(find_pages=partial(find_pages, url)), follow_seconds=0.1) as (_, client):
        wait_until(lambda: ready(client) and links(client), 60, "links", pause=0.05)
        start = f"{PAGES}/#/experiments/1/runs"
        files = ("evaluation/model-card.html", "evaluation/report.html")
        assert links(client) == [f"{start}/{run_id}/artifacts/{name}" for name in files]
        policy = client.get("/").headers["content-security-policy"]
        assert PAGES not in policy
        passed_on = client.get("/", headers={"X-Forwarded-For": "203.0.113.9"})
        assert PAGES not in passed_on.text
        assert run_id not in passed_on.text + ask(client, champions.files[0]).text + client.get("/version").text
        champions.promote(champions.head(2), next_run_id)
        wait_until(lambda: any(next_run_id in link for link in links(client)), 60, "the second run", pause=0.05)
        champions.promote(champions.head(3), "run-that-is-gone")
        wait_until(lambda: not links(client), 60, "no links", pause=0.05)


def test_without_mlflow_the_page_has_no_links(champions: ChampionStore, capsys: pytest.CaptureFixture[str]) -> None:
    """Its failure is told once in the service's log, and everything else goes on."""

    def fail(_run: str) -> Mapping[str, str]:
        raise PedigreeError("MLflow does not answer.")

    champions.promote(champions.head(1))
    with serving(champions, "", Records(find_pages=fail), follow_seconds=0.1) as (service, client):
        pages = service.state.pages
        wait_until(lambda: ready(client) and pages._again, 60, "its failure", pause=0.05)
        pages._again = 0.0
        pages.look()
        assert links(client) == []
        assert ask(client, champions.files[0]).status_code == 200
    assert capsys.readouterr().err.count("The page has no links to the model's card: MLflow does not answer.") == 1
