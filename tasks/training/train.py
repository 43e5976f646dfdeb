"""Step 7: train a model on the stored features, and open the MLflow run that tells the night's story."""

from collections.abc import Mapping
from dataclasses import asdict

from configs import schema
from configs.environment import code_version, workers
from tasks.domain.datasets.manifest import Dataset
from tasks.domain.hashing import sha256_of
from tasks.domain.registry.model_record import Record, flatten_settings, hash_settings, training_settings
from tasks.domain.runs.results import TrainedModel
from tasks.domain.training.calibration import Promise
from tasks.domain.training.results import DatasetFeatures, FeatureSet
from tasks.reports.prefect_ui.artifacts import build_flow_run_tags
from tasks.step import log_line, step
from tasks.stores.files.leases import owner
from tasks.stores.files.records import record_bytes
from tasks.stores.store import Store
from tasks.stores.tracking import runs
from tasks.training.fine_tune import train_model
from tasks.training.fit_head import TrainingResult, read_groups


@step(hours=48)
def train(dataset: Dataset, embedded: DatasetFeatures, settings: schema.Settings) -> TrainedModel:
    """Fit a head, or the backbone's end as well, and tell MLflow how that went.

    What an earlier night trained, and could not bring to a decision, is not trained again.
    """
    fitted = _train_or_reuse(dataset, embedded, settings)
    record = _record(dataset, embedded, fitted, settings)
    Store(settings.store.url).records.write(record)
    run_id = _open_run(dataset, fitted, settings)
    runs.log_files(settings.tracking.url, run_id, {"record.json": record_bytes(record)})
    runs.log_epochs(settings.tracking.url, run_id, [*fitted.epochs, (0, _final_figures(fitted))])
    return TrainedModel(
        features=fitted.made,
        head=fitted.head,
        run_id=run_id,
        # Weight decays that were tried are no epochs, nor is what was measured before a fine-tuning.
        epochs=sum("train_loss" in metrics for _, metrics in fitted.epochs),
        validation_accuracy=fitted.figures["validation_accuracy"],
        promise=_promise(fitted.figures, settings.training.sure_precision),
    )


def _promise(figures: Mapping[str, float], precision: float) -> Promise:
    return Promise(precision, figures["threshold"], int(figures["held_out_groups"]))


def _train_or_reuse(dataset: Dataset, embedded: DatasetFeatures, settings: schema.Settings) -> TrainingResult:
    from tasks.modeling.determinism import describe_machine

    store = settings.store.url
    # The record names the code and machine of the night that writes it: another one's training is not its own.
    made_by = [dict(code_version()), describe_machine()]
    name = sha256_of([dataset.hash, asdict(embedded.current), training_settings(settings), made_by])
    # Other workers of a fine-tuning wait for their part in it.
    stored = None if workers() else Store(store).training_results.read(name)
    if stored and Store(store).heads.has(stored["head"]) and not _is_decided(store, dataset.hash, stored["head"]):
        log_line("train     found what an earlier night had trained and could not bring to a decision")
        return TrainingResult(**{**stored, "made": FeatureSet(**stored["made"])})
    fitted = train_model(Store(store).manifests.read(dataset.hash), embedded.current, settings, read_groups(store))
    Store(store).training_results.write(name, asdict(fitted))
    return fitted


def _is_decided(store: str, dataset: str, head: str) -> bool:
    """Tell whether the ledger has this model: a night that is forced then trains it once more."""
    return any((entry.dataset, entry.head) == (dataset, head) for entry in Store(store).ledger.entries())


def _final_figures(fitted: TrainingResult) -> dict[str, float]:
    """Take the figures that belong to no epoch."""
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
        machine=describe_machine(),
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
    origin = {f"pedigree.{name}": value for name, value in {**code_version(), **build_flow_run_tags()}.items()}
    run_id = runs.find_open_run(url, experiment, made_of, origin["pedigree.flow_run"])
    if run_id:
        runs.tag(url, run_id, {runs.OWNER: owner()})
    else:
        tags = {**made_of, **origin, runs.OWNER: owner()}
        run_id = runs.start_run(url, experiment, flatten_settings(settings), tags)
    runs.log_dataset(url, run_id, dataset.hash, settings.source.url, dataset.images)
    return run_id
