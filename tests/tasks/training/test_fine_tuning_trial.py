"""Trials of fine-tuning on drawn dogs: measured in a process of their own, once, and never in a run's way."""

import io
import os
from pathlib import Path
from shutil import rmtree
from threading import Thread
from typing import Any

import psutil
import pytest
from mlflow import MlflowClient
from prefect import flow

from configs.schema import Settings
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.evaluation.fine_tuning_trial import Trial
from tasks.domain.images.image_info import ImageInfo
from tasks.domain.images.preprocessing import limits_from_settings
from tasks.domain.synthetic.drawn_dogs import BREEDS, draw
from tasks.domain.training.results import FeatureSet
from tasks.features.embedding import feature_set
from tasks.features.missing_features import embed_missing
from tasks.modeling.backbone.backbone import random_backbone
from tasks.stores.store import Store
from tasks.stores.tracking import runs
from tasks.training.fine_tuning_trial import try_fine_tuning
from tests.images import validate_image
from tests.servers import PrefectServer, mlflow_database

KINDS = sorted(BREEDS)[:2]
SPLITS = [Split.TRAIN] * 10 + [Split.VALIDATION] * 16


@flow(name="tried")
def _tried(dataset: Dataset, today: FeatureSet, run_id: str, chosen: Settings) -> Trial:
    return try_fine_tuning(dataset, today, run_id, chosen)


@flow(name="embedded")
def _embedded(rows: list[Row], chosen: Settings) -> FeatureSet:
    backbone = random_backbone("mixed0", 75)
    Store(chosen.store.url).backbones.write(backbone.fingerprint, backbone.to_bytes(), backbone.facts)
    embed_missing(backbone, [row.image for row in rows], Store(chosen.store.url), limits_from_settings(chosen.images))
    return feature_set(backbone)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Ask for a small trial on a small network."""
    values: dict[str, Any] = {"source": {"url": "photos"}, "store": {"url": str(tmp_path / "store")}}
    values["tracking"] = {"url": mlflow_database(tmp_path)}
    values["backbone"] = {"weights": "random", "cut": "mixed0", "size": 75}
    tuning = {"from_block": "mixed0", "batch": 8, "learning_rate": 0.001, "trial": 12}
    return Settings.model_validate({**values, "fine_tuning": tuning})


@pytest.fixture
def trial_inputs(settings: Settings, prefect_server: PrefectServer) -> tuple[Dataset, FeatureSet, str, Settings]:
    """Leave in a store what a run has when it comes to a trial: a version, its features, and a run."""
    assert prefect_server.api_url
    store, rows = settings.store.url, list[Row]()
    for kind in KINDS:
        for number, split in enumerate(SPLITS):
            sink = io.BytesIO()
            draw(kind, "brown", number, side=96).save(sink, "PNG")
            image = validate_image(sink.getvalue(), limits_from_settings(settings.images))
            assert isinstance(image, ImageInfo)
            Store(store).images.add([(image, sink.getvalue())])
            rows.append(Row(image.image, kind, split, (), f"{kind}/{number}.png"))
    name = dataset_hash(rows)
    Store(store).manifests.write(name, rows)
    run_id = runs.start_run(settings.tracking.url, "trials", {}, {})
    dataset = Dataset(name, None, len(rows), tuple(KINDS), (), "new", "new")
    return dataset, _embedded(rows, settings), run_id, settings


def test_a_trial_runs_once_and_says_what_it_measured(trial_inputs: tuple[Dataset, FeatureSet, str, Settings]) -> None:
    """It learns from the sample, is judged by the validation images, stands in MLflow, and is not run again."""
    first = _tried(*trial_inputs)
    dataset, today, run_id, settings = trial_inputs
    assert (first.figures["photographs"], first.figures["images"], first.figures["epochs"]) == (12, 32, 2)
    assert first.figures["cpu_seconds"] > 0
    run = MlflowClient(settings.tracking.url).get_run(run_id).data
    assert run.tags["pedigree.fine_tuning_trial"] == str(first)
    assert run.metrics["trial/gain"] == pytest.approx(first.figures["gain"])
    rmtree(Path(settings.store.url) / "images.lance")
    assert _tried(*trial_inputs) == first
    less = settings.model_copy(update={"fine_tuning": settings.fine_tuning.model_copy(update={"trial": 9})})
    assert str(_tried(dataset, today, run_id, less)).startswith(
        "Fine-tuning was not tried: fine_tuning.trial is 9, too few"
    )


def test_a_trial_whose_process_is_killed_stops_no_run(
    trial_inputs: tuple[Dataset, FeatureSet, str, Settings],
) -> None:
    """The end of memory, where the system kills the process, becomes a sentence with what to do; it is not kept."""
    watcher = Thread(target=_kill_the_worker)
    watcher.start()
    killed = _tried(*trial_inputs)
    watcher.join()
    assert killed.answer == "cannot tell"
    assert "killed by signal 9, most likely for lack of memory: set a smaller fine_tuning.batch" in str(killed)
    assert not (Path(trial_inputs[3].store.url) / "trainings").exists()


def _kill_the_worker() -> None:
    """Wait until the trial's process is there, and kill it."""
    workers: list[psutil.Process] = []
    while not workers:
        children = (
            process for process in psutil.process_iter(["ppid", "cmdline"]) if process.info["ppid"] == os.getpid()
        )
        workers = [
            process
            for process in children
            if "tasks.training.fine_tuning_trial_worker" in (process.info["cmdline"] or ())
        ]
    workers[0].kill()
