"""The step that trains a model on the stored features and logs the training to MLflow."""

from collections.abc import Mapping
from dataclasses import asdict

from configs import schema
from configs.environment import code_version, workers
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.hashing import sha256_of
from tasks.domain.registry.model_record import Record, flatten_settings, hash_settings, training_settings
from tasks.domain.runs.mlflow_names import RECORD
from tasks.domain.runs.mlflow_summary import name_training_metrics
from tasks.domain.runs.results import TrainedModel
from tasks.domain.training.calibration import Promise
from tasks.domain.training.results import DatasetFeatures, FeatureSet
from tasks.reports.prefect_ui.artifacts import build_flow_run_tags
from tasks.reports.prefect_ui.flow_run_origin import read_origin
from tasks.step import log_result, step
from tasks.stores.files.leases import owner
from tasks.stores.files.records import record_bytes
from tasks.stores.store import Store
from tasks.stores.tracking import runs
from tasks.training.fine_tune import train_model
from tasks.training.fit_head import TrainingResult, read_groups


@step(hours=48)
def train(dataset: Dataset, embedded: DatasetFeatures, settings: schema.Settings) -> TrainedModel:
    """Train a head, or the backbone's end as well, and log the training to MLflow.

    A model that an earlier run trained, and that was never decided about, is not trained again.

    Args:
        dataset: The dataset version.
        embedded: The features of its images.
        settings: All of them, since the record and the MLflow run hold all that decide a model.

    Returns:
        The model, and its run in MLflow.
    """
    store = Store(settings.store.url)
    fitted = _train_or_reuse(dataset, embedded, settings, store)
    record = _record(dataset, embedded, fitted, settings)
    store.records.write(record)
    run_id = _open_run(dataset, fitted, settings)
    runs.log_files(settings.tracking.url, run_id, {RECORD: record_bytes(record)})
    runs.log_epochs(settings.tracking.url, run_id, name_training_metrics([*fitted.epochs, (0, _final_figures(fitted))]))
    return TrainedModel(
        features=fitted.made,
        head=fitted.head,
        run_id=run_id,
        # Neither a weight decay that was tried nor the evaluation before a fine-tuning is an epoch.
        epochs=sum("train_loss" in metrics for _, metrics in fitted.epochs),
        validation_accuracy=fitted.figures["validation_accuracy"],
        promise=_promise(fitted.figures, settings.training.sure_precision),
    )


def _promise(figures: Mapping[str, float], precision: float) -> Promise:
    return Promise(precision, figures["threshold"], int(figures["held_out_groups"]))


def _train_or_reuse(
    dataset: Dataset, embedded: DatasetFeatures, settings: schema.Settings, store: Store
) -> TrainingResult:
    from tasks.modeling.determinism import describe_machine

    # A record names the code and the machine that trained, so a training by others is not reused.
    made_by = [dict(code_version()), describe_machine(settings.backbone.engine)]
    name = sha256_of([dataset.hash, asdict(embedded.current), training_settings(settings), made_by])
    # The other workers of a fine-tuning wait for their share, so it always runs.
    stored = None if workers() else store.training_results.read(name)
    if stored and store.heads.has(stored["head"]) and not _is_decided(store, dataset.hash, stored["head"]):
        log_result("train", "found what an earlier run had trained and could not bring to a decision")
        return TrainingResult(**{**stored, "made": FeatureSet(**stored["made"])})
    rows = store.manifests.read(dataset.hash)
    fitted = train_model(rows, embedded.current, settings, store, read_groups(store))
    store.training_results.write(name, asdict(fitted))
    return fitted


def _is_decided(store: Store, dataset: str, head: str) -> bool:
    """Check whether the ledger has this model; a run that is forced then trains it once more."""
    return any((entry.dataset, entry.head) == (dataset, head) for entry in store.ledger.entries())


def _final_figures(fitted: TrainingResult) -> dict[str, float]:
    """Return the metrics that belong to no epoch."""
    return {name: value for name, value in fitted.figures.items() if name not in fitted.epochs[-1][1]}


def _record(dataset: Dataset, embedded: DatasetFeatures, fitted: TrainingResult, settings: schema.Settings) -> Record:
    from tasks.modeling.determinism import describe_machine

    return Record(
        dataset=dataset.hash,
        settings=training_settings(settings),
        features=embedded.current,
        made=fitted.made,
        head=fitted.head,
        code=code_version(),
        machine=describe_machine(settings.backbone.engine),
    )


def _open_run(dataset: Dataset, fitted: TrainingResult, settings: schema.Settings) -> str:
    url, experiment = settings.tracking.url, settings.tracking.experiment
    made_of = {
        "pedigree.dataset": dataset.hash,
        "pedigree.parent": dataset.parent or "none",
        "pedigree.recipe": hash_settings(settings),
        "pedigree.backbone": fitted.made.fingerprint,
        "pedigree.head": fitted.head,
    }
    flow_run = {f"pedigree.{name}": value for name, value in build_flow_run_tags().items()}
    run_id = runs.find_open_run(url, experiment, made_of, flow_run["pedigree.flow_run"])
    if run_id:
        runs.tag(url, run_id, {runs.OWNER: owner()})
    else:
        origin, commit = read_origin(), {"mlflow.source.git.commit": code_version()["git_commit"]}
        tags = {**made_of, **flow_run, **origin.to_tags(), **commit, runs.OWNER: owner()}
        run_id = runs.start_run(url, experiment, flatten_settings(settings), tags, origin.started)
    runs.log_dataset(url, run_id, dataset.hash, settings.source.url, dataset.images)
    return run_id
