"""Step 7: train a model on the stored features, and open the MLflow run that tells the night's story."""

from configs import schema
from configs.load import code_version
from tasks.domain.night import Dataset, Embedded, Trained
from tasks.domain.recipe import parameters, recipe
from tasks.finetuning import fine_tune
from tasks.fitting import Fitted, fit
from tasks.reports.links import flow_run_tags
from tasks.step import step
from tasks.stores import tracking
from tasks.stores.datasets import read_manifest


@step
def train(dataset: Dataset, embedded: Embedded, settings: schema.Settings) -> Trained:
    """Fit a head, or the backbone's end as well, and tell MLflow how that went."""
    rows, how = read_manifest(settings.store.url, dataset.hash), settings.training.method
    fitted = (fine_tune if how == "fine-tune" else fit)(rows, embedded.today, settings)
    run_id = _open_run(dataset, fitted, settings)
    tracking.log_epochs(settings.tracking.url, run_id, fitted.epochs)
    # What was measured before a fine-tuning is no epoch of training.
    epochs = sum("train_loss" in metrics for _, metrics in fitted.epochs)
    return Trained(fitted.made, fitted.head, run_id, epochs, fitted.figures["validation_accuracy"])


def _open_run(dataset: Dataset, fitted: Fitted, settings: schema.Settings) -> str:
    url, experiment = settings.tracking.url, settings.tracking.experiment
    made_of = {
        "pedigree.dataset": dataset.hash,
        "pedigree.parent": dataset.parent or "none",
        "pedigree.recipe": recipe(settings),
        "pedigree.backbone": fitted.made.fingerprint,
        "pedigree.head": fitted.head,
    }
    origin = {f"pedigree.{name}": value for name, value in {**code_version(), **flow_run_tags()}.items()}
    run_id = tracking.left_open(url, experiment, made_of)
    if not run_id:
        run_id = tracking.start_run(url, experiment, parameters(settings), made_of | origin)
    tracking.log_dataset(url, run_id, dataset.hash, settings.source.url, dataset.images)
    return run_id
