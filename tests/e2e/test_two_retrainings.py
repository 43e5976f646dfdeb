"""Two retrainings of the same data at once end as one: one decision, one version, one finished run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tasks.domain.synthetic.drawn_dogs import draw
from tasks.stores.store import Store
from tests.e2e.test_at_once import COMMAND
from tests.servers import PrefectServer

SETTINGS = """
source: {{url: "{folder}/photos"}}
store: {{url: "{store}"}}
tracking: {{url: "sqlite:///{folder}/mlflow.db"}}
dataset: {{min_images_per_class: 5}}
backbone: {{weights: random, cut: mixed0, size: 75}}
gate: {{rules: ["accuracy at least 0"], needs: {needs}, serve_check: false}}
"""


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Drawn dogs of two breeds, in the folder that the settings name."""
    for breed in ("pug", "poodle"):
        (tmp_path / "photos" / breed).mkdir(parents=True)
        for seed in range(24):
            draw(breed, "black", seed, 96).save(tmp_path / "photos" / breed / f"{seed}.jpg")
    return tmp_path


def begun(settings: Path) -> subprocess.Popen[str]:
    """Begin a retraining in a process of its own, and return when it has trained and waits there."""
    stop = "tasks.stores.tracking.runs:log_epochs"
    command = [sys.executable, "-c", COMMAND, stop, "retrain", "-c", str(settings), "--json"]
    night = subprocess.Popen(  # noqa: S603 - our own command line
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert night.stdout
    assert night.stdout.readline() == "stopped\n"
    return night


def ended(night: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a night that must end well, and return what it printed."""
    said, complaint = night.communicate()
    assert night.returncode == 0, complaint
    found: dict[str, Any] = json.loads(said)
    return found


@pytest.mark.parametrize("needs", ["improvement", "no-harm"])
def test_two_retrainings_on_one_store_end_as_one(
    photographs: Path, place: str, needs: str, prefect_server: PrefectServer
) -> None:
    """Both are stopped after training and let go on together: the ledger hears of the model once, and MLflow too."""
    assert prefect_server.api_url
    settings = photographs / "settings.yaml"
    settings.write_text(SETTINGS.format(folder=photographs, store=place, needs=needs))
    nights = [begun(settings) for _ in range(2)]
    for night in nights:
        assert night.stdin
        night.stdin.write("go on\n")
        night.stdin.flush()
    outcomes = [ended(night) for night in nights]
    assert sorted(one["status"] for one in outcomes) == ["promoted", "unchanged"]
    assert any("another retraining of the same data was faster: decision 1" in one["reason"] for one in outcomes)
    (decision,) = Store(place).ledger.entries()
    client = MlflowClient(f"sqlite:///{photographs}/mlflow.db")
    experiment = client.get_experiment_by_name("pedigree")
    assert experiment
    runs = client.search_runs([experiment.experiment_id])
    (version,) = client.search_model_versions("name = 'pedigree'")
    assert version.tags["pedigree.outcome"] == "promoted"
    # Either run may have registered the version: neither the decision nor the model leads to a run that was killed.
    lead = {decision.run_id, version.run_id}
    assert {one.info.run_id for one in runs if one.info.status == "FINISHED"} == lead
    assert {one.data.tags["pedigree.outcome"] for one in runs if one.info.run_id in lead} == {"promoted"}
    assert all(one.info.status == "KILLED" for one in runs if one.info.run_id not in lead)
    assert Store(place).checksums.files_without() == []
