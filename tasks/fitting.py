"""Fitting a model to a dataset version: what a night trains, and what a reproduction trains again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from configs import schema
from tasks.domain.manifest import Row
from tasks.domain.night import FeatureSet
from tasks.domain.splits import Split
from tasks.domain.views import IDENTITY, VIEWS
from tasks.reports.progress import progress
from tasks.stores.features import FeatureStore
from tasks.stores.weights import write_head

Epochs = Sequence[tuple[int, Mapping[str, float]]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A head in the store, the features that it takes, and how its training went."""

    made: FeatureSet
    head: str
    start: str | None
    epochs: Epochs
    figures: Mapping[str, float]


def fit(rows: Sequence[Row], features: FeatureSet, settings: schema.Settings, start: str | None = None) -> Fitted:
    """Train on the training split, stop by the validation split, and keep the head under the hash of its weights."""
    from tasks.modeling.training import Examples, train_head

    store = settings.store.url
    classes = sorted({row.label for row in rows})
    table = FeatureStore(store, features.fingerprint, features.width)

    def examples(split: Split) -> Examples:
        chosen = [row for row in rows if row.split is split]
        views = VIEWS[settings.training.views] if split is Split.TRAIN else (IDENTITY,)
        truth = [classes.index(row.label) for row in chosen]
        return Examples(table.read_views([row.image for row in chosen], views), truth * len(views))

    epochs: list[tuple[int, Mapping[str, float]]] = []
    with progress("train", settings.training.epochs) as advance:

        def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
            epochs.append((epoch, metrics))
            advance(1)

        head = train_head(classes, examples(Split.TRAIN), examples(Split.VALIDATION), settings.training, on_epoch)
    write_head(store, head.name, head.to_bytes())
    best = min(epochs, key=lambda one: one[1]["validation_loss"])
    return Fitted(features, head.name, start, epochs, dict(best[1]))
