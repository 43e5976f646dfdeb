"""What a run leaves for people to read: the report and the model card in its run, and the way to them."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from prefect import flow

from configs.schema import Settings
from configs.visible_text import markdown
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.evaluation.results import ReportSummary
from tasks.domain.gate.gate import GateInputs, apply_gate_rules
from tasks.domain.ingestion.source_objects import IngestSummary
from tasks.domain.labels.results import Labels
from tasks.domain.runs.results import Challenger, RunData
from tasks.domain.training.results import DatasetFeatures
from tasks.evaluation.write_report import write_report
from tasks.stores.store import Store
from tests.servers import PrefectServer
from tests.tasks.domain.measurements import DRIFT
from tests.tasks.partial_runs import FEATURES, partial_run, rows_of, same, small_settings


@flow(name="explained")
def _explained(data: RunData, challenger: Challenger, chosen: Settings) -> ReportSummary:
    return write_report(data, challenger, "2", chosen)


def test_report_and_card_lie_in_the_run(tmp_path: Path, prefect_server: PrefectServer) -> None:
    """With a mistake, its nearest training images of both classes are named; the run's description says the verdict."""
    assert prefect_server.api_url
    settings = Settings.model_validate({**small_settings(tmp_path), "gate": {"minimum_support": 4}})
    rows = rows_of(same("boxer", "pug"))
    wrong = next(number for number, row in enumerate(rows) if row.split == "test" and row.label == "pug")
    rows[wrong] = rows[wrong]._replace(label="boxer")
    trained, evaluation = partial_run(settings, rows)
    verdict = apply_gate_rules(GateInputs(evaluation.test, None, DRIFT), settings.gate)
    name = dataset_hash(rows)
    Store(settings.store.url).manifests.write(name, rows)
    dataset = Dataset(name, None, len(rows), ("boxer", "pug"), (), "new", "new")
    data = RunData(IngestSummary("photos", 0, 0, 0), Labels("labels", len(rows), 0, 0, 0, 0, 0), dataset)
    embedded = DatasetFeatures(FEATURES, FEATURES, 0, 0, choice="backbone.cut auto means mixed8: it is best")
    summary = _explained(data, Challenger(embedded, trained, evaluation, verdict), settings)
    assert str(summary) == "1 mistake: evaluation/report.html in the MLflow run"
    uri = f"runs:/{trained.run_id}/evaluation"
    folder = Path(download_artifacts(uri, tracking_uri=settings.tracking.url))
    page = (folder / "report.html").read_text().replace("<wbr>", "")
    assert "boxer taken for pug" in page
    assert page.count('class="small"') == 4
    assert "Nearest boxer" in page
    assert "[The data card](../dataset/card.html)" in (folder / "model-card.md").read_text()
    assert (folder / "model-card.html").read_text().startswith("<!doctype html>")
    note = MlflowClient(settings.tracking.url).get_run(trained.run_id).data.tags["mlflow.note.content"]
    assert note.startswith("See the evaluation report (evaluation/report.html), ")
    assert all(f": {markdown(rule.rule)}" in note for rule in verdict.rules)
    for text in (note, page, (folder / "model-card.html").read_text()):
        assert "auto means mixed8: it is best." in text
    files = {file.path for file in MlflowClient(settings.tracking.url).list_artifacts(trained.run_id, "figures")}
    assert "figures/learning-curve.svg" in files
    told_of = json.loads((folder / "learning.json").read_text())["classes"]
    assert [(curve["label"], curve["images"], curve["validation"]) for curve in told_of] == [
        ("boxer", 14, 4),
        ("pug", 14, 4),
    ]
    assert all(curve["gain"] is not None for curve in told_of)
    assert json.loads((folder / "collect.json").read_text()) == [asdict(curve) for curve in summary.collect]
    assert f"Dataset `{name}`: {len(rows)} images of 2 classes" in note
    assert ("since-champion" in note) == (folder / "since-champion.html").exists()


@pytest.mark.parametrize(
    ("page", "words"),
    [("", "evaluation/report.html in the MLflow run"), ("http://127.0.0.1/#/x", "http://127.0.0.1/#/x")],
)
def test_the_run_log_says_where_the_report_is(page: str, words: str) -> None:
    """The step's line counts the mistakes and names the page, or the file where MLflow has no pages."""
    assert str(ReportSummary(2, ", 1 fixed", page)) == f"2 mistakes, 1 fixed: {words}"
