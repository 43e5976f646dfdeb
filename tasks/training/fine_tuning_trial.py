"""The step that tries fine-tuning on a few photographs where a setting asks for it, and says whether it is worth it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from tempfile import TemporaryFile
from typing import IO, Any

from configs import schema
from configs.errors import PedigreeError
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.evaluation.fine_tuning_trial import EPOCHS, Trial, choose_trial_images, count_trial_epochs, skip_trial
from tasks.domain.hashing import sha256_of
from tasks.domain.registry.model_record import training_settings
from tasks.domain.training.results import FeatureSet
from tasks.reports.prefect_ui.progress import show_progress
from tasks.step import step
from tasks.stores.store import Store
from tasks.stores.tracking import runs
from tasks.training.fit_head import read_groups

_TAG = "pedigree.fine_tuning_trial"


@step(hours=24)
def try_fine_tuning(dataset: Dataset, features: FeatureSet, run_id: str, settings: schema.Settings) -> Trial:
    """Try fine-tuning in a process of its own, once for each dataset version and settings, and log it to MLflow.

    Where that fails, the trial says why, and the run goes on: no decision depends on a trial.

    Args:
        dataset: The dataset version.
        features: The features that the trained head takes.
        run_id: The training's run in MLflow.
        settings: All of them: the trial is named by nearly all, and its process gets them.

    Returns:
        What the trial measured, in figures and in a sentence.
    """
    store = Store(settings.store.url)
    name = sha256_of(
        ["trial", dataset.hash, asdict(features), training_settings(settings), settings.fine_tuning.trial, EPOCHS]
    )
    stored = store.training_results.read(name)
    if stored:
        tried = Trial(**stored)
    else:
        try:
            tried = _run_trial(dataset.hash, features, settings, store)
            store.training_results.write(name, asdict(tried))
        except PedigreeError as problem:
            tried = skip_trial(problem, datetime.now(UTC).date().isoformat())
    figures = {f"trial/{figure}": value for figure, value in tried.figures.items()}
    runs.log_metrics(settings.tracking.url, run_id, figures, {_TAG: tried.sentence})
    return tried


def _run_trial(dataset: str, features: FeatureSet, settings: schema.Settings, store: Store) -> Trial:
    # A trial that is impossible fails here, before a process has to load TensorFlow.
    images = choose_trial_images(store.manifests.read(dataset), read_groups(store), settings)
    request = {"dataset": dataset, "features": asdict(features), "settings": settings.model_dump(mode="json")}
    total = count_trial_epochs(settings) * len(images.train) + len(images.validation)
    with (
        TemporaryFile() as complaints,
        _start_worker(request, complaints) as worker,
        show_progress("try_fine_tuning", total, noun="") as advance,
    ):
        for message in map(json.loads, worker.stdout or ()):
            advance(message.get("advance", 0))
            if "problem" in message:
                raise PedigreeError(message["problem"])
            if "trial" in message:
                return Trial(**message["trial"])
        raise _explain_death(worker.wait(), complaints)


@contextmanager
def _start_worker(request: dict[str, Any], complaints: IO[bytes]) -> Iterator["subprocess.Popen[str]"]:
    """Start the process and send it the request; it never outlives the step."""
    # A trial runs on this machine alone, also where TF_CONFIG names others for a fine-tuning.
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    worker = subprocess.Popen(
        [sys.executable, "-m", "tasks.training.fine_tuning_trial_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
        env={**environment, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        with worker:
            # A process that dies before it has read the request says so by its exit code.
            if worker.stdin:
                with suppress(BrokenPipeError), worker.stdin:
                    json.dump(request, worker.stdin)
            yield worker
    finally:
        worker.kill()


def _explain_death(code: int, complaints: IO[bytes]) -> Exception:
    """Return the error: that the system killed the process for lack of memory, or that the program failed."""
    if code < 0:
        advice = "set a smaller fine_tuning.batch, or a later fine_tuning.from_block"
        return PedigreeError(f"its process was killed by signal {-code}, most likely for lack of memory: {advice}")
    complaints.seek(0)
    return RuntimeError(f"a trial of fine-tuning failed: {complaints.read().decode(errors='replace')}")
