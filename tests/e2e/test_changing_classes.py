"""Runs between which classes appear, vanish or get another name: trained and evaluated by the real steps."""

import json
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts

from configs.errors import PedigreeError
from configs.schema import Settings
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.runs.results import TrainedModel
from tasks.stores.store import Store
from tests.servers import PrefectServer
from tests.tasks.partial_runs import FEATURES, PartialRun, partial_run, rows_of, same, small_settings


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, object]:
    """Make a small store and a database of its own, and say where they are."""
    return small_settings(tmp_path)


@pytest.fixture
def run(settings: dict[str, object], prefect_server: PrefectServer) -> PartialRun:
    """Train and evaluate on this run's labels, and promote what was trained."""
    assert prefect_server.api_url

    def run(named: dict[str, str], **changes: object) -> tuple[TrainedModel, Evaluation]:
        return partial_run(Settings.model_validate(settings | changes), rows_of(named))

    return run


def test_a_class_that_appears(run: PartialRun, settings: dict[str, object]) -> None:
    """Both models are compared on the former classes, and run log, MLflow run and files name the new one."""
    first = run(same("boxer", "pug"))[1]
    assert (first.comparison, str(first)) == (None, "accuracy 1.000 on 8 test images, no champion yet")
    trained, evaluation = run(same("boxer", "pug", "vizsla"))
    assert evaluation.comparison
    assert (evaluation.images, evaluation.comparison.images) == (12, 8)
    assert (evaluation.comparison.challenger, evaluation.comparison.champion) == (1.0, 1.0)
    assert str(evaluation).endswith(
        "; on the 2 classes that the champion shares 1.000 against 1.000; new to the champion: vizsla"
    )
    address = str(Settings.model_validate(settings).tracking.url)
    uri = f"runs:/{trained.run_id}/evaluation/evaluation.json"
    stored = json.loads(Path(download_artifacts(uri, tracking_uri=address)).read_text())["test"]["comparison"]
    assert (stored["shared"], stored["only_challenger"], stored["only_champion"]) == (["boxer", "pug"], ["vizsla"], [])


def test_a_class_that_vanishes(run: PartialRun) -> None:
    """A class without images in this run is named as the champion's alone, and the others are compared."""
    run(same("boxer", "pug", "vizsla"))
    evaluation = run(same("boxer", "pug"))[1]
    assert evaluation.comparison
    assert (evaluation.comparison.shared, evaluation.comparison.only_champion) == (("boxer", "pug"), ("vizsla",))
    assert evaluation.comparison.champion == 1.0
    assert str(evaluation).endswith("known to the champion alone: vizsla")


def test_a_class_that_comes_back(run: PartialRun) -> None:
    """After a champion that no longer knows it, a class is new again, tested on the same images as before."""
    first = run(same("boxer", "pug", "vizsla"))[1]
    run(same("boxer", "pug"))
    evaluation = run(same("boxer", "pug", "vizsla"))[1]
    assert evaluation.comparison
    assert (evaluation.comparison.shared, evaluation.comparison.only_challenger) == (("boxer", "pug"), ("vizsla",))
    assert (evaluation.images, evaluation.comparison.images) == (first.images, 8)
    assert str(evaluation).endswith("new to the champion: vizsla")


def test_a_class_that_gets_another_name(run: PartialRun) -> None:
    """With an alias the champion's former name counts as today's: all classes are shared."""
    run(same("alsatian", "boxer"))
    aliases = {"labels": {"aliases": {"Alsatian": "german shepherd"}}}
    evaluation = run({"alsatian": "german shepherd", "boxer": "boxer"}, **aliases)[1]
    assert evaluation.comparison
    assert evaluation.comparison.classes() == {
        "shared": ("boxer", "german shepherd"),
        "only_challenger": (),
        "only_champion": (),
    }
    assert (evaluation.comparison.images, evaluation.comparison.champion) == (8, 1.0)


def test_no_class_in_common(run: PartialRun) -> None:
    """Where every class is new there is nothing to compare, and the challenger's own accuracy counts."""
    run(same("alsatian", "boxer"))
    evaluation = run(same("pug", "vizsla"))[1]
    assert evaluation.champion == 1
    assert evaluation.comparison
    assert (evaluation.comparison.champion, evaluation.comparison.challenger) == (None, None)
    assert "no test image of the 0 classes that the champion shares" in str(evaluation)


def test_figures_survive_other_classes(run: PartialRun, settings: dict[str, object]) -> None:
    """With a new, a vanished and a renamed class, the head is fitted, and each weight decay stands in MLflow."""
    run(same("alsatian", "boxer", "pug"))
    labels = {"alsatian": "german shepherd", "boxer": "boxer", "vizsla": "vizsla"}
    trained, evaluation = run(labels, labels={"aliases": {"alsatian": "german shepherd"}})
    chosen = Settings.model_validate(settings)
    client = MlflowClient(str(chosen.tracking.url))
    mlflow_run = client.get_run(trained.run_id).data
    assert evaluation.metrics["accuracy"] == 1.0
    losses = {
        metric.step: metric.value for metric in client.get_metric_history(trained.run_id, "training/validation_loss")
    }
    assert len(losses) > 3
    assert losses[max(losses)] == min(losses.values()) == mlflow_run.metrics["training/validation_loss"]
    assert mlflow_run.metrics["training/l2"] < 3
    calibrated = ("temperature", "threshold", "validation_ece", "validation_ece_uncalibrated", "held_out_groups")
    assert {f"training/{name}" for name in calibrated} <= mlflow_run.metrics.keys()
    assert {"test/ece", "test/ece_uncalibrated", "test/coverage"} <= mlflow_run.metrics.keys()
    assert trained.promise.precision == chosen.training.sure_precision
    assert Store(chosen.store.url).heads.read(trained.head)


def test_three_validation_images_and_dead_features(settings: dict[str, object], prefect_server: PrefectServer) -> None:
    """With three validation images and features of which most never vary, a run ends with a head that is right."""
    assert prefect_server.api_url
    chosen, rows = Settings.model_validate(settings), rows_of(same("boxer", "pug"), of="dead")
    spare = [row for row in rows if row.split is Split.VALIDATION][3:]
    _keep_features(chosen, rows, dead=12)
    trained, evaluation = partial_run(chosen, [row for row in rows if row not in spare])
    assert (trained.validation_accuracy, evaluation.metrics["accuracy"]) == (1.0, 1.0)
    assert "never sure: 31 groups of near duplicates were held out, and it takes at least 59 to promise" in str(trained)


def test_features_that_never_vary(settings: dict[str, object], prefect_server: PrefectServer) -> None:
    """Where a cut gives the same features for all photographs, the run fails in a sentence and keeps no head."""
    assert prefect_server.api_url
    chosen, rows = Settings.model_validate(settings), rows_of(same("boxer", "pug"), of="constant")
    _keep_features(chosen, rows, dead=FEATURES.width)
    with pytest.raises(
        PedigreeError, match=r"same features, which tell no class from another: take another backbone\.cut"
    ):
        partial_run(chosen, rows)
    assert not (Path(chosen.store.url) / "heads").exists()
    assert not Store(chosen.store.url).ledger.entries()


def _keep_features(settings: Settings, rows: list[Row], dead: int) -> None:
    """Draw features that tell boxer from pug, of which so many at the end are always the same."""
    features = np.random.default_rng(0).normal(size=(len(rows), FEATURES.width)).astype(np.float32)
    features[[row.label == "pug" for row in rows], :4] += 6
    features[:, FEATURES.width - dead :] = 0.3
    Store(settings.store.url).features(FEATURES.fingerprint, FEATURES.width).add([row.image for row in rows], features)
