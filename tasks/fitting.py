"""Fitting a model to a dataset version: what a night trains, and what a reproduction trains again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from configs import schema
from tasks.domain.candidates import candidates
from tasks.domain.labels import spelled
from tasks.domain.manifest import Row
from tasks.domain.night import FeatureSet
from tasks.domain.splits import Split
from tasks.domain.views import IDENTITY, VIEWS
from tasks.reports.progress import progress
from tasks.stored_weights import stored_head
from tasks.stores.features import FeatureStore
from tasks.stores.weights import write_head

if TYPE_CHECKING:
    from tasks.modeling.head import Head

Epochs = Sequence[tuple[int, Mapping[str, float]]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A head in the store, the features that it takes, and how its training went.

    Epochs are those of the candidate that was chosen, tried holds one entry a candidate where there was a search, and
    start names the head whose weights training began with.
    """

    made: FeatureSet
    head: str
    epochs: Epochs
    figures: Mapping[str, float]
    start: str | None = None
    tried: Epochs = ()


@dataclass(frozen=True, slots=True)
class _Attempt:
    settings: schema.Training
    head: "Head"
    epochs: Epochs

    @property
    def best(self) -> Mapping[str, float]:
        return min((figures for _, figures in self.epochs), key=lambda one: one["validation_loss"])


def fit(rows: Sequence[Row], features: FeatureSet, settings: schema.Settings, start: str | None = None) -> Fitted:
    """Train on the training split, stop, choose and calibrate by the validation split, and keep the head by its hash.

    The start is the name of a head for the same features, whose weights for known classes are where training begins.
    """
    from tasks.modeling.training import Examples, calibrated, train_head

    store = settings.store.url
    classes = sorted({row.label for row in rows})
    table = FeatureStore(store, features.fingerprint, features.width)

    def examples(split: Split) -> Examples:
        chosen = [row for row in rows if row.split is split]
        views = VIEWS[settings.training.views] if split is Split.TRAIN else (IDENTITY,)
        truth = [classes.index(row.label) for row in chosen]
        return Examples(table.read_views([row.image for row in chosen], views), truth * len(views))

    train, validation = examples(Split.TRAIN), examples(Split.VALIDATION)
    beginning = _beginning(settings, start) if start else None
    asked = candidates(settings.training)

    with progress("train", len(asked) * settings.training.epochs) as advance:

        def attempt(candidate: schema.Training) -> _Attempt:
            epochs: list[tuple[int, Mapping[str, float]]] = []

            def on_epoch(epoch: int, metrics: Mapping[str, float]) -> None:
                epochs.append((epoch, metrics))
                advance(1)

            return _Attempt(candidate, train_head(classes, train, validation, candidate, on_epoch, beginning), epochs)

        attempts = [attempt(candidate) for candidate in asked]
    chosen = min(attempts, key=lambda one: one.best["validation_loss"])
    head, calibration = calibrated(chosen.head, validation, settings.training.sure_precision)
    write_head(store, head.name, head.to_bytes())
    tried = _tried(attempts) if settings.training.search else []
    return Fitted(features, head.name, chosen.epochs, {**chosen.best, **calibration, **_choice(chosen)}, start, tried)


def _beginning(settings: schema.Settings, start: str) -> "Head":
    head = stored_head(settings.store.url, start)
    return replace(head, classes=spelled(head.classes, settings.labels.aliases))


def _tried(attempts: Sequence[_Attempt]) -> Epochs:
    return [
        (
            number,
            {
                "search/tried_learning_rate": one.settings.learning_rate,
                "search/tried_l2": one.settings.l2,
                "search/tried_validation_loss": one.best["validation_loss"],
            },
        )
        for number, one in enumerate(attempts)
    ]


def _choice(chosen: _Attempt) -> dict[str, float]:
    if not chosen.settings.search:
        return {}
    return {"search/learning_rate": chosen.settings.learning_rate, "search/l2": chosen.settings.l2}
