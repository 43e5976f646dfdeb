"""Step 8: challenger and champion on the same test images."""

import json

from configs import schema
from tasks.domain.comparison import Predictions, compare
from tasks.domain.manifest import Row
from tasks.domain.metrics import figures
from tasks.domain.night import Dataset, Embedded, Evaluation, FeatureSet, Trained
from tasks.domain.splits import Split
from tasks.step import step
from tasks.stores import tracking
from tasks.stores.datasets import read_manifest
from tasks.stores.features import FeatureStore
from tasks.stores.ledger import Ledger
from tasks.stores.weights import read_head


@step
def evaluate(dataset: Dataset, embedded: Embedded, trained: Trained, settings: schema.Settings) -> Evaluation:
    """Measure the challenger on the test split, and beside it the champion on the images whose class both know."""
    store = settings.store.url
    rows = [row for row in read_manifest(store, dataset.hash) if row.split is Split.TEST]
    truth = [row.label for row in rows]
    challenger = _predict(store, trained.made, trained.head, rows)
    found = figures(challenger.probabilities, [challenger.classes.index(label) for label in truth], challenger.classes)
    tracking.log_metrics(settings.tracking.url, trained.run_id, found.flat())
    files = {"evaluation/predictions.json": _table(rows, challenger).encode()}
    tracking.log_files(settings.tracking.url, trained.run_id, files)
    champion = Ledger(store).champion()
    comparison = champion and compare(challenger, _predict(store, embedded.champion, champion.head, rows), truth)
    return Evaluation(
        images=len(rows),
        metrics=found.flat(),
        champion=champion.number if champion else None,
        champion_accuracy=comparison.champion if comparison else None,
        comparable_accuracy=comparison.challenger if comparison else found.accuracy,
    )


def _predict(store: str, made: FeatureSet, name: str, rows: list[Row]) -> Predictions:
    from tasks.modeling.head import Head

    head = Head.from_bytes(read_head(store, name))
    features = FeatureStore(store, made.fingerprint, made.width).read([row.image for row in rows])
    return Predictions(head.classes, head.probabilities(features))


def _table(rows: list[Row], predictions: Predictions) -> str:
    lines = [
        {
            "image": row.image,
            "key": row.key,
            "label": row.label,
            "probabilities": dict(zip(predictions.classes, map(float, found), strict=True)),
        }
        for row, found in zip(rows, predictions.probabilities, strict=True)
    ]
    return json.dumps(lines, ensure_ascii=False, indent=1)
