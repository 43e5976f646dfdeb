"""Two retrainings of the same data at once end as one: one decision, one version, one finished run."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from tasks.domain.synthetic.drawn_dogs import draw
from tasks.reports.pages.lineage import PAGES
from tasks.stores.store import Store
from tasks.stores.tracking.run_contents import read_named_files
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


def start(settings: Path) -> subprocess.Popen[str]:
    """Begin a retraining in a process of its own, and return when it has trained and waits there."""
    stop = "tasks.stores.tracking.runs:log_epochs"
    command = [sys.executable, "-c", COMMAND, stop, "retrain", "-c", str(settings), "--json"]
    run = subprocess.Popen(  # noqa: S603 - our own command line
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert run.stdout
    assert run.stdout.readline() == "stopped\n"
    return run


def ended(run: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a run that must end well, and return what it printed."""
    output, complaint = run.communicate()
    assert run.returncode == 0, complaint
    answer: dict[str, Any] = json.loads(output)
    return answer


# What is needed and where the store is have nothing to do with each other: each is there once.
@pytest.mark.parametrize(("url", "needs"), [("folder", "improvement"), ("s3", "no-harm")], indirect=["url"])
def test_two_retrainings_on_one_store_end_as_one(
    photographs: Path, url: str, needs: str, prefect_server: PrefectServer
) -> None:
    """Both are stopped after training and let go on together: the ledger hears of the model once, and MLflow too."""
    assert prefect_server.api_url
    settings = photographs / "settings.yaml"
    settings.write_text(SETTINGS.format(folder=photographs, store=url, needs=needs))
    retrainings = [start(settings) for _ in range(2)]
    for retraining in retrainings:
        assert retraining.stdin
        retraining.stdin.write("go on\n")
        retraining.stdin.flush()
    outcomes = [ended(run) for run in retrainings]
    assert sorted(outcome["status"] for outcome in outcomes) == ["promoted", "unchanged"]
    assert any(
        "another retraining of the same data was faster: decision 1" in outcome["reason"] for outcome in outcomes
    )
    (decision,) = Store(url).ledger.entries()
    client = MlflowClient(f"sqlite:///{photographs}/mlflow.db")
    experiment = client.get_experiment_by_name("pedigree")
    assert experiment
    runs = client.search_runs([experiment.experiment_id])
    (version,) = client.search_model_versions("name = 'pedigree'")
    assert version.tags["pedigree.outcome"] == "promoted"
    # Either run may have registered the version: neither the decision nor the model leads to a run that was killed.
    lead = {decision.run_id, version.run_id}
    assert {run.info.run_id for run in runs if run.info.status == "FINISHED"} == lead
    assert {run.data.tags["pedigree.outcome"] for run in runs if run.info.run_id in lead} == {"promoted"}
    assert all(run.info.status == "KILLED" for run in runs if run.info.run_id not in lead)
    # Also the run that decided nothing has all its pages, and they show the decision of the other one.
    for run in runs:
        pages = read_named_files(f"sqlite:///{photographs}/mlflow.db", run.info.run_id, (*PAGES, "dataset/card.html"))
        assert [b"1: promoted" in text for text in pages.values()] == [True, True, False]
    assert Store(url).checksums.files_without() == []
