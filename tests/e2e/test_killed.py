"""Runs of a real worker that are killed at every step of the line: Prefect says so, and the next one goes on."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest
from mlflow import MlflowClient
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import FlowRun, StateType

from configs.load import parse_settings, resolve
from configs.schema import Settings
from infra.orchestration.forms import fill_parameters
from tasks.stores.store import Store
from tests.servers import ROOT, PrefectServer, running, wait_until

# What a run writes, in the order in which a first one comes by: each kills the run that has just done it.
INSTANTS = (
    "tasks.stores.tables.snapshots:SnapshotStore.record",
    "tasks.stores.tables.images:ImageStore.add",
    "tasks.stores.tables.snapshots:SnapshotStore.add_contents",
    "tasks.stores.files.labellings:Labellings.write",
    "tasks.stores.tables.splits:SplitStore._append",
    "tasks.stores.files.manifests:Manifests.write",
    "tasks.stores.tables.features:FeatureStore.add",
    "tasks.stores.files.manifests:DataCards.write_page",
    "tasks.stores.files.weights:Heads.write",
    "tasks.stores.tracking.runs:start_run",
    "tasks.stores.tracking.registry:register",
    "tasks.domain.gate.gate:apply_gate_rules",
    "tasks.evaluation.write_report:build_model_card",
    "tasks.stores.files.ledger:Ledger.append",
    "tasks.stores.tracking.registry:set_alias",
    "tasks.stores.tracking.runs:finish",
    "tasks.stores.files.records:ProcessedSnapshots.write",
)
# Python runs this at its start.
DEADLY = """
import importlib, os, signal
from functools import reduce
deadly = os.environ.get("DEADLY")
if deadly:
    module, _, path = deadly.partition(":")
    *owners, name = path.split(".")
    owner = reduce(getattr, owners, importlib.import_module(module))
    work = getattr(owner, name)
    def last(*arguments, **named):
        work(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(owner, name, last)
"""


@dataclass(frozen=True)
class Runs:
    """A deployment of the retraining on a server with a worker, and the folder for what its runs make."""

    client: SyncPrefectClient
    deployment: UUID
    folder: Path

    def settings(self, name: str) -> Settings:
        """Describe small runs on ten real photographs of each of three breeds, with a store of their own."""
        values = {
            "source": {"url": str(self.folder / "photos")},
            "store": {"url": str(self.folder / name / "store")},
            "dataset": {"min_images_per_class": 3},
            # Once the network is exported, no run imports TensorFlow, which takes longer than all else.
            "backbone": {"weights": "random", "cut": "mixed0", "size": 75, "engine": "onnxruntime"},
            "gate": {"rules": ["accuracy at least 0"], "needs": "no-harm", "serve_check": False},
            "tracking": {"url": f"sqlite:///{self.folder / name / 'mlflow.db'}"},
        }
        return resolve(parse_settings(values, "the test's settings"))

    def begin(self, name: str, deadly: str = "") -> FlowRun:
        """Let the worker start a run, which the instant kills."""
        return self.client.create_flow_run_from_deployment(
            self.deployment,
            parameters=fill_parameters("retrain", self.settings(name)),
            job_variables={"env": {"DEADLY": deadly, "PYTHONPATH": f"{self.folder}:{ROOT}"}},
        )

    def ended(self, run: FlowRun) -> FlowRun:
        """Wait for a run, and return it as Prefect shows it after its end."""

        def over() -> FlowRun | None:
            current = self.client.read_flow_run(run.id)
            return current if current.state and current.state.is_final() else None

        ended_run = wait_until(over, 180, f"a run, see {self.folder / 'worker.log'}")
        assert ended_run
        return ended_run


@pytest.fixture
def runs(prefect_server: PrefectServer, photos: Path, tmp_path: Path) -> Iterator[Runs]:
    """Start a worker that looks for runs every half second, with nothing but this deployment to look after."""
    (tmp_path / "sitecustomize.py").write_text(DEADLY)
    (tmp_path / "photos").mkdir()
    for breed in sorted(photos.glob("[!.]*/"))[:3]:
        shutil.copytree(breed, tmp_path / "photos" / breed.name)
    with SyncPrefectClient(prefect_server.api_url) as client, _worker(client, prefect_server, tmp_path) as pool:
        flow = client.create_flow_from_name("retrain")
        deployment = client.create_deployment(
            flow, "killed", work_pool_name=pool, entrypoint="flows.retrain.retrain", enforce_parameter_schema=False
        )
        yield Runs(client, deployment, tmp_path)


@contextmanager
def _worker(client: SyncPrefectClient, server: PrefectServer, folder: Path) -> Iterator[str]:
    pool = "killed"
    client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
    command = [sys.executable, "-m", "prefect", "--no-prompt", "worker", "start", "--pool", pool, "--type", "process"]
    environment = {**os.environ, "PREFECT_API_URL": server.api_url, "PREFECT_WORKER_QUERY_SECONDS": "0.5"}
    with running(command, folder / "worker.log", environment):
        yield pool


@pytest.mark.timeout(900)
def test_runs_that_are_killed_at_every_step_end_like_one_that_lives(runs: Runs) -> None:
    """Whatever a run had written when it was killed, Prefect calls it crashed, and the last one ends like any other."""
    lucky = runs.begin("lucky")
    for instant in INSTANTS:
        run = runs.ended(runs.begin("unlucky", instant))
        assert run.state_type == StateType.CRASHED, (instant, run.state)
    ends = [runs.ended(run).state_name for run in (runs.begin("unlucky"), lucky)]
    assert ends == ["Unchanged", "Promoted"]
    decisions = [Store(runs.settings(name).store.url).ledger.entries() for name in ("unlucky", "lucky")]
    assert [len(entries) for entries in decisions] == [1, 1]
    first, other = (replace(entries[0], time="", run_id="", package="") for entries in decisions)
    assert first == other
    client = MlflowClient(runs.settings("unlucky").tracking.url)
    assert [str(first.version) for first in client.search_model_versions("name = 'pedigree'")] == ["1"]
    assert str(client.get_model_version_by_alias("pedigree", "champion").version) == "1"
    assert {run.info.status for run in client.search_runs(["1"])} == {"FINISHED"}
