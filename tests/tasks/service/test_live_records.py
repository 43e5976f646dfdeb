"""A day's report in MLflow."""

import json
from pathlib import Path

from mlflow import MlflowClient

from tasks.domain.serving.drift import Kind
from tasks.domain.serving.drift_report import PictureFigures
from tasks.service.drifting import DayReport
from tasks.service.live_records import DAY_TAG, record_day
from tests.servers import mlflow_database


def test_a_day_becomes_a_finished_run(tmp_path: Path) -> None:
    """It bears its day, its figures, what changed in words, and the whole report; what is unknown is left out."""
    url = mlflow_database(tmp_path)
    reference = PictureFigures(40, {"pug": 0.5, "boxer": 0.5}, 0.1, None, 0.6, 0.6, 0.94)
    live = PictureFigures(200, {"pug": 0.5, "boxer": 0.5}, 0.3, None, 0.45, 0.44, 0.81)
    p_values: dict[Kind, float] = {"mixture": 0.5, "look": 0.0005}
    compared, sentences = True, ("they are 25% darker",)
    report = DayReport(
        "2026-11-28", "dogs", "4", compared, ("look",), p_values, reference, live, sentences, "dark ones"
    )
    record_day(url, "dogs", report)
    client = MlflowClient(url)
    experiment = client.get_experiment_by_name("dogs")
    assert experiment
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("live/2026-11-28", "FINISHED")
    assert run.data.tags.items() >= {DAY_TAG: "2026-11-28", "pedigree.drift": "look", "pedigree.version": "4"}.items()
    assert run.data.metrics["live/estimated_accuracy"] == 0.81
    assert run.data.metrics["live/p_value/look"] == 0.0005
    assert "live/unusual" not in run.data.metrics
    folder = Path(client.download_artifacts(run.info.run_id, "live", str(tmp_path)))
    assert json.loads((folder / "day.json").read_text())["sentences"] == ["they are 25% darker"]
