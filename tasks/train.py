"""Step 7: train a head on the stored features, and open the MLflow run that tells the night's story."""

from collections.abc import Mapping

from configs import schema
from configs.load import code_version
from tasks.domain.night import Dataset, Embedded, Trained
from tasks.domain.recipe import parameters, recipe
from tasks.domain.splits import Split
from tasks.reports.links import flow_run_tags
from tasks.reports.progress import progress
from tasks.step import step
from tasks.stores import tracking
from tasks.stores.datasets import read_manifest
from tasks.stores.features import FeatureStore
from tasks.stores.weights import write_head


@step
def train(dataset: Dataset, embedded: Embedded, settings: schema.Settings) -> Trained:
    """Train a head on the training split, stop by the validation split, and keep it under the hash of its weights."""
    from tasks.modeling.training import Examples, train_head

    rows = read_manifest(settings.store.url, dataset.hash)
    features = FeatureStore(settings.store.url, embedded.today.fingerprint, embedded.today.width)

    def examples(split: Split) -> Examples:
        chosen = [row for row in rows if row.split is split]
        truth = [dataset.classes.index(row.label) for row in chosen]
        return Examples(features.read([row.image for row in chosen]), truth)

    epochs: list[tuple[int, Mapping[str, float]]] = []
    with progress("train", settings.training.epochs) as advance:

        def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
            epochs.append((epoch, metrics))
            advance(1)

        head = train_head(
            dataset.classes, examples(Split.TRAIN), examples(Split.VALIDATION), settings.training, on_epoch
        )
    write_head(settings.store.url, head.name, head.to_bytes())
    run_id = _open_run(dataset, embedded, settings, head.name)
    tracking.log_epochs(settings.tracking.url, run_id, epochs)
    best = min(epochs, key=lambda one: one[1]["validation_loss"])
    return Trained(head.name, run_id, len(epochs), best[1]["validation_accuracy"])


def _open_run(dataset: Dataset, embedded: Embedded, settings: schema.Settings, head: str) -> str:
    url, experiment = settings.tracking.url, settings.tracking.experiment
    made_of = {
        "pedigree.dataset": dataset.hash,
        "pedigree.parent": dataset.parent or "none",
        "pedigree.recipe": recipe(settings),
        "pedigree.backbone": embedded.today.fingerprint,
        "pedigree.head": head,
    }
    origin = {f"pedigree.{name}": value for name, value in {**code_version(), **flow_run_tags()}.items()}
    run_id = tracking.left_open(url, experiment, made_of)
    if not run_id:
        run_id = tracking.start_run(url, experiment, parameters(settings), made_of | origin)
    tracking.log_dataset(url, run_id, dataset.hash, settings.source.url, dataset.images)
    return run_id
