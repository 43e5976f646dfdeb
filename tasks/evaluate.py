"""Step 8: challenger and champion on the same test images."""

import json
from dataclasses import asdict, replace
from textwrap import shorten

from configs import schema
from tasks.domain.calibration import calibration_error, when_sure
from tasks.domain.comparison import Comparison, Predictions, compare
from tasks.domain.labels import spelled
from tasks.domain.manifest import Row
from tasks.domain.metrics import figures
from tasks.domain.night import Dataset, Embedded, Evaluation, Trained
from tasks.domain.splits import Split
from tasks.predicting import predict, stored_features, stored_head
from tasks.step import step
from tasks.stores import tracking
from tasks.stores.datasets import read_manifest
from tasks.stores.ledger import Ledger

# MLflow takes no more characters for a tag; the run's evaluation/comparison.json has all of them.
_LONGEST_TAG = 5000


@step
def evaluate(dataset: Dataset, embedded: Embedded, trained: Trained, settings: schema.Settings) -> Evaluation:
    """Measure the challenger on the test split, and beside it the champion on the images whose class both know."""
    store, url = settings.store.url, settings.tracking.url
    rows = [row for row in read_manifest(store, dataset.hash) if row.split is Split.TEST]
    challenger, metrics = _measure(store, trained, rows)
    champion = Ledger(store).champion()
    comparison = None
    if champion:
        former = predict(store, embedded.champion, champion.head, [row.image for row in rows])
        former = former.named(spelled(former.classes, settings.labels.aliases))
        comparison = compare(challenger, former, [row.label for row in rows])
        tracking.tag(url, trained.run_id, _tags(comparison))
    tracking.log_metrics(url, trained.run_id, metrics)
    tracking.log_files(url, trained.run_id, _files(rows, challenger, comparison))
    return Evaluation(len(rows), metrics, champion.number if champion else None, comparison)


def _measure(store: str, trained: Trained, rows: list[Row]) -> tuple[Predictions, dict[str, float]]:
    """Predict the test images, and say how good that is and how far its probabilities can be trusted."""
    head = stored_head(store, trained.head)
    features = stored_features(store, trained.made, [row.image for row in rows])
    found = Predictions(head.classes, head.probabilities(features))
    truth = [found.classes.index(row.label) for row in rows]
    uncalibrated = replace(head, temperature=1.0).probabilities(features)
    return found, {
        **figures(found.probabilities, truth, found.classes).flat(),
        **when_sure(found.probabilities, truth, head.threshold),
        "temperature": head.temperature,
        "threshold": head.threshold,
        "ece": calibration_error(found.probabilities, truth),
        "ece_uncalibrated": calibration_error(uncalibrated, truth),
    }


def _tags(comparison: Comparison) -> dict[str, str]:
    """Name the classes by who knows them, as far as a tag can be long."""
    return {
        f"pedigree.classes.{name}": shorten(", ".join(classes), _LONGEST_TAG, placeholder=" …") or "none"
        for name, classes in comparison.classes().items()
    }


def _files(rows: list[Row], predictions: Predictions, comparison: Comparison | None) -> dict[str, bytes]:
    files = {"evaluation/predictions.json": _table(rows, predictions).encode()}
    if comparison:
        files["evaluation/comparison.json"] = json.dumps(asdict(comparison), ensure_ascii=False, indent=1).encode()
    return files


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
