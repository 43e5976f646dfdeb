"""Nights that are cut off at any instant, or run twice at once: the next one finishes the work."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tasks.stores.ledger import Ledger
from tests.servers import PrefectServer

SETTINGS = """
source: {{url: "{place}/photos"}}
store: {{url: "{place}/store"}}
dataset: {{min_images_per_class: 3}}
backbone: {{weights: random, cut: mixed0, size: 75}}
training: {{epochs: 3}}
gate: {{rules: [accuracy at least 0, accuracy not worse by 1], needs: no-harm}}
tracking: {{url: "sqlite:///{place}/mlflow.db"}}
"""
# Runs the command line, and dies as if the power had failed as soon as the named function has done its work once.
COMMAND = """
import importlib, os, sys
from functools import reduce
deadly = sys.argv.pop(1)
if deadly:
    module, _, path = deadly.partition(":")
    *owners, name = path.split(".")
    owner = reduce(getattr, owners, importlib.import_module(module))
    work = getattr(owner, name)
    def last(*arguments, **named):
        work(*arguments, **named)
        os._exit(9)
    setattr(owner, name, last)
from flows.cli import app
app(sys.argv[1:])
"""
# In the order in which a first night comes by.
INSTANTS = (
    "tasks.stores.images:ImageStore.add",
    "tasks.stores.snapshots:SnapshotStore.add_contents",
    "tasks.stores.splits:SplitStore._append",
    "tasks.assemble:write_manifest",
    "tasks.stores.features:FeatureStore.add",
    "tasks.fitting:write_head",
    "tasks.stores.registry:register",
    "tasks.stores.ledger:Ledger.append",
    "tasks.stores.registry:point",
    "tasks.stores.tracking:finish",
)
Begin = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def begin(prefect_server: PrefectServer, photos: Path) -> Begin:
    """Begin a night in a process of its own, on ten real photographs of each of three breeds."""
    assert prefect_server.api_url

    def run(place: Path, deadly: str = "", *changes: str) -> subprocess.Popen[str]:
        if not place.exists():
            (place / "photos").mkdir(parents=True)
            for breed in sorted(photos.glob("[!.]*/"))[:3]:
                (place / "photos" / breed.name).symlink_to(breed)
        (place / "settings.yaml").write_text(SETTINGS.format(place=place))
        sets = [f"--set={change}" for change in changes]
        command = [sys.executable, "-c", COMMAND, deadly, "retrain", "-c", str(place / "settings.yaml"), "--json"]
        return subprocess.Popen(  # noqa: S603 - our own command line
            [*command, *sets], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return run


def ended(night: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a night, and return what it printed."""
    said, complaint = night.communicate()
    assert night.returncode == 0, complaint
    found: dict[str, Any] = json.loads(said)
    return found


def test_nights_that_die_at_every_instant_end_like_one_that_lives(begin: Begin, tmp_path: Path) -> None:
    """Whatever a night had written when it died, the nights after it come to the same data, model and decision."""
    place = tmp_path / "unlucky"
    for instant in INSTANTS:
        assert begin(place, instant).wait() == 9, instant
    unlucky, lucky = ended(begin(place)), ended(begin(tmp_path / "lucky"))
    assert (unlucky["status"], lucky["status"]) == ("unchanged", "promoted")
    assert "decision 1, version 1 promoted is finished now" in unlucky["reason"]
    decisions = [Ledger(str(where / "store")).entries() for where in (place, tmp_path / "lucky")]
    assert [len(entries) for entries in decisions] == [1, 1]
    one, other = (replace(entries[0], time="", run_id="") for entries in decisions)
    assert one == other
    client = MlflowClient(f"sqlite:///{place}/mlflow.db")
    assert [str(one.version) for one in client.search_model_versions("name = 'pedigree'")] == ["1"]
    assert str(client.get_model_version_by_alias("pedigree", "champion").version) == "1"
    assert {run.info.status for run in client.search_runs(["1"])} == {"FINISHED"}
    assert ended(begin(place))["reason"] == "nothing new to learn from"


def test_two_nights_at_once_lose_nothing(begin: Begin, tmp_path: Path) -> None:
    """Of two nights with different seeds the slower one judges against the faster one; a third finds all in order."""
    first, second = begin(tmp_path / "shared"), begin(tmp_path / "shared", "", "training.seed=1")
    both = [ended(first), ended(second)]
    ledger = Ledger(str(tmp_path / "shared" / "store"))
    assert [(one.number, one.against) for one in ledger.entries()] == [(1, None), (2, 1)]
    assert sorted(len(night["gate"]) for night in both) == [1, 2]
    last = ended(begin(tmp_path / "shared", "", "training.seed=2"))
    assert last["images"] == {"total": 30, "new": 0, "rejected": 0, "embedded": 0}
    champion = ledger.champion()
    assert champion
    client = MlflowClient(f"sqlite:///{tmp_path}/shared/mlflow.db")
    assert str(client.get_model_version_by_alias("pedigree", "champion").version) == champion.model_version
