"""Promotions on a real MLflow: two at once on SQLite and over PostgreSQL, and one while the server is gone."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from configs.load import fill_form, read_settings
from tasks.domain.registry.decisions import Decision
from tasks.domain.runs.results import Outcome
from tasks.stores.store import Store
from tests import servers
from tests.e2e.test_at_once import COMMAND
from tests.flows.cli.test_app import pedigree

SETTINGS = """
source: {{url: "{place}/photos"}}
store: {{url: "{place}/store"}}
dataset: {{min_images_per_class: 3}}
backbone: {{weights: random, cut: mixed0, size: 75}}
gate: {{rules: [accuracy at least 0, accuracy not worse by 1], needs: no-harm, serve_check: false}}
tracking: {{url: "{url}"}}
"""
Begin = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def begin(prefect_server: servers.PrefectServer, photos: Path, tmp_path: Path) -> Begin:
    """Begin a run on thirty real photographs; where a function is named, return as soon as it waits there."""
    return begin_in(tmp_path, photos, prefect_server)


def begin_in(folder: Path, photos: Path, prefect: servers.PrefectServer) -> Begin:
    """Copy thirty photographs into a folder, and return what begins a run on them."""
    (folder / "photos").mkdir()
    for breed in sorted(photos.glob("[!.]*/"))[:3]:
        shutil.copytree(breed, folder / "photos" / breed.name)

    def run(url: str, *changes: str, stop: str = "") -> subprocess.Popen[str]:
        settings = folder / "settings.yaml"
        settings.write_text(SETTINGS.format(place=folder, url=url))
        command = [sys.executable, "-c", COMMAND, stop, "retrain", "-c", str(settings), "--json"]
        run = subprocess.Popen(  # noqa: S603 - our own command line
            [*command, *(f"--set={change}" for change in changes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "PREFECT_API_URL": prefect.api_url},
        )
        assert run.stdout
        assert not stop or run.stdout.readline() == "stopped\n"
        return run

    return run


def ended(run: subprocess.Popen[str], code: int = 0) -> Any:  # noqa: ANN401 - an outcome, or the last line of a failure
    """Let a run go on to its end; return the outcome that it printed, or the sentence that it failed with."""
    output, complaint = run.communicate("go on\n")
    assert run.returncode == code, complaint
    return json.loads(output) if code == 0 else complaint.strip().splitlines()[-1]


def run_here(settings: Path, seed: int) -> Outcome:
    """Run in this process, which has imported already what takes most of a small run's time."""
    from flows.retrain import retrain

    chosen = read_settings(settings, [f"training.seed={seed}"])
    outcome = retrain(**fill_form(chosen, "watch"), return_state=True).result()
    assert isinstance(outcome, Outcome)
    return outcome


def named(url: str) -> dict[str, str]:
    """Read which version each alias names."""
    return {
        alias: str(version) for alias, version in MlflowClient(url).get_registered_model("pedigree").aliases.items()
    }


@pytest.fixture
def postgres_mlflow(tmp_path: Path) -> Iterator[servers.MlflowServer]:
    """Real MLflow server whose database is a real PostgreSQL."""
    if not servers.postgres_program("initdb"):
        pytest.skip("two promotions at once need PostgreSQL (Debian: postgresql)")
    (tmp_path / "server").mkdir()
    with servers.postgres_server() as database, servers.mlflow_server(tmp_path / "server", database=database) as server:
        yield server


@dataclass(frozen=True)
class ThreeRuns:
    """Two runs that began at once and a third after them, without servers: outcomes, decisions, and the champion."""

    begin: Begin
    url: str
    outcomes: Sequence[Mapping[str, Any]]
    entries: Sequence[Decision]
    champion: str


@pytest.fixture(scope="module")
def three_runs(tmp_path_factory: pytest.TempPathFactory, photos: Path, _prefect: servers.PrefectServer) -> ThreeRuns:
    """Run three times on one store."""
    folder = tmp_path_factory.mktemp("three")
    begin, url = begin_in(folder, photos, _prefect), f"sqlite:///{folder}/mlflow.db"
    outcomes = [ended(run) for run in (begin(url), begin(url, "training.seed=1"))]
    outcomes.append(ended(begin(url, "training.seed=2")))
    return ThreeRuns(begin, url, outcomes, Store(str(folder / "store")).ledger.entries(), named(url)["champion"])


def test_two_runs_at_once_lose_nothing(three_runs: ThreeRuns) -> None:
    """Of two first runs the slower one judges against the faster one, also without servers; a third finds all."""
    assert [(entry.number, entry.against) for entry in three_runs.entries] == [(1, None), (2, 1), (3, 2)]
    assert sorted(len(run["gate"]) for run in three_runs.outcomes[:2]) == [1, 2]
    assert three_runs.outcomes[2]["images"] == {"total": 30, "new": 0, "rejected": 0, "embedded": 0}
    assert three_runs.champion == three_runs.entries[2].model_version


def test_a_run_names_an_alias_that_was_moved_by_hand(three_runs: ThreeRuns) -> None:
    """A run with nothing new says it in its reason, and leaves the alias where the person put it."""
    url = three_runs.url
    MlflowClient(url).set_registered_model_alias("pedigree", "champion", "1")
    outcome = ended(three_runs.begin(url, "training.seed=2"))
    assert outcome["status"] == "unchanged"
    assert "the alias champion was moved by hand in MLflow to version 1 and stays there" in outcome["reason"]
    assert named(url)["champion"] == "1"


def test_two_promotions_at_once_end_with_one_champion(
    begin: Begin, postgres_mlflow: servers.MlflowServer, tmp_path: Path
) -> None:
    """A run that another one overtakes judges again, and each of four runs was judged against the one before it."""
    url, ledger = postgres_mlflow.url, Store(str(tmp_path / "store")).ledger
    slow = begin(url, stop="tasks.stores.tracking.registry:register")
    fast = ended(begin(url, "training.seed=1"))
    assert (fast["status"], [rule["rule"] for rule in fast["gate"]]) == ("promoted", ["accuracy at least 0"])
    outcome = ended(slow)
    assert [rule["rule"] for rule in outcome["gate"]] == ["accuracy at least 0", "accuracy not worse by 1"]
    assert [(entry.model_version, entry.against) for entry in ledger.entries()] == [("2", None), ("1", 1)]
    assert named(url) == {"champion": "1", "previous": "2"}

    begun_runs = [begin(url, f"training.seed={seed}") for seed in (2, 3)]
    assert {ended(run)["status"] for run in begun_runs} == {"promoted"}
    entries = ledger.entries()
    assert [entry.against for entry in entries] == [None, 1, 2, 3]
    assert ledger.pending(entries) == []
    assert named(url) == {"champion": entries[3].model_version, "previous": entries[2].model_version}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[[], tuple[str, ExitStack]]]:
    """Start an MLflow server at an address that stays the same; whoever closes what it returns stops it."""
    port, folder = servers.free_port(), tmp_path / "server"
    folder.mkdir()
    with ExitStack() as every:

        def start() -> tuple[str, ExitStack]:
            server_stack = every.enter_context(ExitStack())
            return server_stack.enter_context(servers.mlflow_server(folder, port)).url, server_stack

        yield start


def test_mlflow_that_goes_away_before_the_decision_leaves_nothing_decided(
    begin: Begin, server: Callable[[], tuple[str, ExitStack]], tmp_path: Path
) -> None:
    """Without a version to promote there is no decision, and the next run comes to it with the work already done."""
    url, running = server()
    retraining = begin(url, stop="tasks.promotion.gate:gate.apply_gate_rules")
    running.close()
    assert f"MLflow at {url} does not answer" in ended(retraining, code=1)
    assert Store(str(tmp_path / "store")).ledger.entries() == []
    server()
    outcome = ended(begin(url))
    assert (outcome["status"], outcome["model_version"], outcome["images"]["embedded"]) == ("promoted", "1", 0)
    assert named(url) == {"champion": "1"}
    assert {run.info.status for run in MlflowClient(url).search_runs(["1"])} == {"FINISHED"}


def test_mlflow_that_goes_away_after_the_decision_is_finished_by_an_unchanged_run(
    begin: Begin, server: Callable[[], tuple[str, ExitStack]], tmp_path: Path
) -> None:
    """The decision is in the ledger, nothing of it in MLflow, and a run with nothing new moves aliases and tags."""
    url, running = server()
    retraining = begin(url, stop="tasks.stores.files.ledger:Ledger.append")
    running.close()
    failed = ended(retraining, code=1)
    assert "The ledger holds decision 1, version 1 promoted, and the next run finishes it" in failed
    server()
    assert named(url) == {}
    outcome = ended(begin(url))
    assert outcome["status"] == "unchanged"
    assert "decision 1, version 1 promoted is finished now" in outcome["reason"]
    assert named(url) == {"champion": "1"}
    client = MlflowClient(url)
    tags = client.get_model_version("pedigree", "1").tags
    assert (tags["pedigree.outcome"], tags["pedigree.decision"]) == ("promoted", "1")
    assert {run.info.status for run in client.search_runs(["1"])} == {"FINISHED"}
    (entry,) = Store(str(tmp_path / "store")).ledger.entries()
    assert {file.path for file in client.list_artifacts(entry.run_id, "dataset")} >= {"dataset/card.html"}


def test_a_run_does_not_promote_what_a_person_rolled_back(begin: Begin, tmp_path: Path) -> None:
    """After one command another model on the same data is refused, with that reason, until a person lifts the hold."""
    url, settings = servers.mlflow_database(tmp_path), tmp_path / "settings.yaml"
    assert ended(begin(url))["status"] == "promoted"
    assert run_here(settings, 1).status == "promoted"
    person = ("--why", "black poodles are gone", "--by", "ann")
    assert pedigree("model", "rollback", "-c", str(settings), *person).returncode == 0
    assert named(url) == {"champion": "1"}
    held = run_here(settings, 2)
    assert held.status == "rejected"
    assert "version 2 was rolled back by ann" in held.reason
    assert "pedigree model lift 2" in held.reason
    assert named(url) == {"champion": "1", "challenger": "3"}
    assert pedigree("model", "lift", "2", "-c", str(settings), *person).returncode == 0
    assert run_here(settings, 3).status == "promoted"
    outcomes = [entry.outcome for entry in Store(str(tmp_path / "store")).ledger.entries()]
    assert outcomes == ["promoted", "promoted", "rolled-back", "rejected", "lifted", "promoted"]
