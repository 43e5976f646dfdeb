"""Runs that took place before there were pages get their links, on real servers of Prefect and MLflow."""

from pathlib import Path

from mlflow import MlflowClient
from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import ArtifactFilter

from infra.local_stack.late_links import link_former_runs
from tests.servers import MlflowServer, PrefectServer


@flow
def _night(text: str) -> None:
    """Stand for a run at a terminal."""
    create_markdown_artifact(text, key="summary")


def test_a_run_without_pages_gets_its_links_once(
    tmp_path: Path, prefect_server: PrefectServer, mlflow_server: MlflowServer
) -> None:
    """What names an MLflow run that this MLflow knows is linked to its pages; nothing is looked at a second time."""
    (tmp_path / "stack").mkdir()
    mlflow = MlflowClient(mlflow_server.url)
    run = mlflow.create_run(mlflow.create_experiment("late links")).info
    unknown = "0" * 32
    for name in (run.run_id, unknown):
        _night(f"- model version 3, MLflow run `{name}`\n\n## What was new")
    assert link_former_runs(tmp_path, prefect_server.api_url, mlflow_server.url) == 1
    with SyncPrefectClient(prefect_server.api_url) as client:
        chosen = ArtifactFilter.model_validate({"key": {"any_": ["summary"]}})
        texts = [str(artifact.data) for artifact in client.read_artifacts(artifact_filter=chosen)]
    address = f"{mlflow_server.url}/#/experiments/{run.experiment_id}/runs/{run.run_id}"
    (linked,) = (text for text in texts if run.run_id in text)
    assert linked.startswith(f"- model version 3, MLflow run [{run.run_id}]({address}) ([the evaluation report](")
    assert f"({address}/artifacts/dataset/card.html))\n\n## What was new" in linked
    assert f"- model version 3, MLflow run `{unknown}`\n\n## What was new" in texts
    assert link_former_runs(tmp_path, prefect_server.api_url, mlflow_server.url) == 0
