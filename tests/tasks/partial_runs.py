"""Half a run on features that were drawn: trained and evaluated by the real steps, then promoted."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from prefect import flow

from configs.schema import Settings
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import dataset_hash
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.hashing import sha256_of
from tasks.domain.registry.decisions import Decision
from tasks.domain.runs.results import TrainedModel
from tasks.domain.training.results import DatasetFeatures, FeatureSet
from tasks.evaluation.evaluate import evaluate
from tasks.promotion.gate import check_rules
from tasks.stores.store import Store
from tasks.training.train import train
from tests.servers import mlflow_database

FEATURES = FeatureSet(fingerprint="f" * 64, width=16)
SPLITS = [Split.TRAIN] * 14 + [Split.VALIDATION] * 4 + [Split.TEST] * 4
KINDS = ("alsatian", "boxer", "pug", "vizsla")
PartialRun = Callable[..., tuple[TrainedModel, Evaluation]]


def same(*kinds: str) -> dict[str, str]:
    """Label kinds by their own names."""
    return {kind: kind for kind in kinds}


def rows_of(labels: dict[str, str], attributes: tuple[tuple[str, str], ...] = (), of: str = "") -> list[Row]:
    """Give the images of each kind of dog, or of another set of them, the label that it has in this run."""
    return [
        Row(sha256_of([kind, of, number]), label, split, attributes, f"{of}{label}/{number}.jpg")
        for kind, label in labels.items()
        for number, split in enumerate(SPLITS)
    ]


def add_features(store: str, of: str = "") -> None:
    """Draw the features of every kind's images."""
    chance = np.random.default_rng(len(of))
    for number, kind in enumerate(KINDS):
        features = chance.normal(scale=0.3, size=(len(SPLITS), FEATURES.width)).astype(np.float32)
        features[:, number::4] += 3
        images = [row.image for row in rows_of({kind: kind}, of=of)]
        Store(store).features(FEATURES.fingerprint, FEATURES.width).add(images, features)


def small_settings(folder: Path) -> dict[str, object]:
    """Make a small store and a database of its own, and say where they are."""
    store = str(folder / "store")
    add_features(store)
    return {
        "source": {"url": str(folder / "photos")},
        "store": {"url": store},
        "tracking": {"url": mlflow_database(folder)},
    }


def partial_run(settings: Settings, rows: list[Row]) -> tuple[TrainedModel, Evaluation]:
    """Review, train and evaluate on these rows, and promote what was trained."""
    name = dataset_hash(rows)
    Store(settings.store.url).manifests.write(name, rows)
    classes = tuple(sorted({row.label for row in rows}))
    trained = _half(Dataset(name, None, len(rows), classes, (), "new", "new"), settings)
    _promote(settings.store.url, trained[0], name)
    return trained


@flow(name="partial run")
def _half(dataset: Dataset, chosen: Settings) -> tuple[TrainedModel, Evaluation]:
    check_rules(dataset, chosen)
    embedded = DatasetFeatures(FEATURES, FEATURES, 0, 0)
    trained = train(dataset, embedded, chosen)
    return trained, evaluate(dataset, embedded, trained, chosen)


def _promote(store: str, trained: TrainedModel, dataset: str) -> None:
    number = len(Store(store).ledger.entries()) + 1
    decision = Decision(
        number=number,
        time="2026-11-01T02:00:00+00:00",
        outcome="promoted",
        champion=number,
        against=number - 1 or None,
        dataset=dataset,
        recipe="recipe",
        backbone=FEATURES.fingerprint,
        head=trained.head,
        run_id=trained.run_id,
        model_version=str(number),
        reason="it is better",
        rules=[],
    )
    assert Store(store).ledger.append(decision)
