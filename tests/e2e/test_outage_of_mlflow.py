"""MLflow goes away in the middle of a run, and comes back."""

from pathlib import Path

import pytest
from mlflow import MlflowClient
from prefect import flow

from configs.errors import ServiceUnavailableError
from configs.schema import Settings
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.runs.results import TrainedModel
from tasks.domain.training.results import DatasetFeatures
from tasks.evaluation.evaluate import evaluate
from tasks.promotion.sync_registry import RegistrySync, sync_registry
from tasks.stores.store import Store
from tasks.training import train as training
from tests.servers import PrefectServer, free_port, mlflow_server
from tests.tasks.partial_runs import FEATURES, rows_of, same, small_settings

_KINDS = ("boxer", "pug")


@flow(name="trains")
def _train(dataset: Dataset, chosen: Settings) -> TrainedModel:
    return training.train(dataset, DatasetFeatures(FEATURES, FEATURES, 0, 0), chosen)


@flow(name="evaluates")
def _evaluate(dataset: Dataset, trained: TrainedModel, chosen: Settings) -> Evaluation:
    return evaluate(dataset, DatasetFeatures(FEATURES, FEATURES, 0, 0), trained, chosen)


@flow(name="follows")
def _follow(chosen: Settings) -> RegistrySync:
    return sync_registry(chosen.store, chosen.tracking)


def _dataset(store: str, *kinds: str) -> Dataset:
    rows = rows_of(same(*kinds))
    Store(store).manifests.write(dataset_hash(rows), rows)
    return Dataset(dataset_hash(rows), None, len(rows), kinds, (), "new", "new")


def _statuses(url: str) -> dict[str, str]:
    client = MlflowClient(url)
    experiment = client.get_experiment_by_name("pedigree")
    assert experiment
    return {str(run.info.run_id): run.info.status for run in client.search_runs([experiment.experiment_id])}


def test_a_run_goes_on_where_mlflow_left_it(
    tmp_path: Path, prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails in a sentence, the next one trains nothing and carries on its run, and no run stays open."""
    assert prefect_server.api_url
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = Settings.model_validate({**small_settings(tmp_path), "tracking": {"url": url}})
    dataset, other = (_dataset(settings.store.url, *kinds) for kinds in (_KINDS, ("alsatian", *_KINDS)))
    (tmp_path / "mlflow").mkdir()
    with mlflow_server(tmp_path / "mlflow", port):
        first = _train(dataset, settings)
        abandoned = _train(other, settings)
    for act in (lambda: _train(dataset, settings), lambda: _evaluate(dataset, first, settings)):
        with pytest.raises(ServiceUnavailableError, match=r"^MLflow at .* does not answer: .*\.$"):
            act()
    monkeypatch.setattr(training, "train_model", None)
    with mlflow_server(tmp_path / "mlflow", port):
        trained_again = _train(dataset, settings)
        assert (trained_again.run_id, trained_again.head, trained_again) == (first.run_id, first.head, first)
        assert _evaluate(dataset, trained_again, settings).images == 8
        assert _statuses(url) == {first.run_id: "RUNNING", abandoned.run_id: "RUNNING"}
        _follow(settings)
        assert set(_statuses(url).values()) == {"KILLED"}
