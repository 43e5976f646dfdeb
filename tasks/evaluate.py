"""Step 8: challenger and champion on the same images."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from textwrap import shorten

import numpy as np

from configs import schema
from configs.problems import Problem
from tasks.domain.answers import Predictions
from tasks.domain.calibration import calibration_error
from tasks.domain.comparison import Comparison
from tasks.domain.manifest import Row
from tasks.domain.mistakes import mistakes
from tasks.domain.night import Dataset, Embedded, Evaluation, Trained
from tasks.domain.splits import Split
from tasks.growing import grown
from tasks.label_changes import evidence_of
from tasks.measuring import contest, measured
from tasks.predicting import stored_features
from tasks.step import step
from tasks.stored_weights import stored_head
from tasks.stores import tracking
from tasks.stores.datasets import read_manifest

# MLflow takes no more characters for a tag; the run's evaluation/evaluation.json has all of them.
_LONGEST_TAG = 5000
_MOST_MOVED = 1000
# So many of an image's probabilities are kept with the run.
_LIKELIEST = 5


@step(hours=6)
def evaluate(dataset: Dataset, embedded: Embedded, trained: Trained, settings: schema.Settings) -> Evaluation:
    """Measure the challenger on the test split and on the golden set, and beside it the champion on the same images."""
    store, url = settings.store.url, settings.tracking.url
    version = read_manifest(store, dataset.hash)
    rows = [row for row in version if row.split is Split.TEST]
    if not rows:
        raise Problem(f"Dataset {dataset.hash[:12]} has no test image, so nothing can be measured: add photographs.")
    found = contest(version, dataset, embedded, trained, settings)
    test, golden = measured(rows, found, settings)
    former = found.decision if found.champion else None
    answers = found.challenger.test, found.champion.test if found.champion else None
    evaluation = Evaluation(
        images=len(rows),
        metrics={**test.flat(), **_of_head(store, trained, rows)},
        champion=found.decision.number if found.decision else None,
        test=test,
        golden=golden,
        latency=embedded.latency,
        champion_problem=found.problem,
        mistakes=mistakes(rows, *answers),
        growth=grown(version, embedded.today, former, settings) if former else None,
        labels=evidence_of(found.changes, version, embedded.today, answers, store) if found.changes else None,
    )
    sure = f"{trained.promise}; {trained.promise.held(test.figures.overall, len(rows))}"
    tags = {"pedigree.sure": sure, **(_tags(test.comparison) if test.comparison else {})}
    tracking.log_metrics(url, trained.run_id, {**evaluation.metrics, **_beside(evaluation)}, tags)
    tracking.log_files(url, trained.run_id, _files(rows, found.challenger.test, evaluation))
    return evaluation


def _of_head(store: str, trained: Trained, rows: Sequence[Row]) -> dict[str, float]:
    """Say what calibration did, by the error with and without it."""
    head = stored_head(store, trained.head)
    features = stored_features(store, trained.made, [row.image for row in rows])
    truth = [head.classes.index(row.label) for row in rows]
    uncalibrated = calibration_error(replace(head, temperature=1.0).probabilities(features), truth)
    return {
        "temperature": head.temperature,
        "threshold": head.threshold,
        "ece_uncalibrated": uncalibrated,
        "sure_promised": trained.promise.precision,
    }


def _beside(found: Evaluation) -> dict[str, float]:
    """List what is no figure of the challenger on the test split: the champion's, the golden set's, and the latency.

    The latency is another one each time, and two nights that make the same model have the same figures.
    """
    golden = {f"golden/{name}": value for name, value in (found.golden.flat() if found.golden else {}).items()}
    pairs = found.comparison.paired if found.comparison else ()
    time = {"latency_ms": found.latency} if found.latency else {}
    return golden | time | _worst(found) | {f"champion/{one.figure}": one.champion for one in pairs if not one.of}


def _worst(found: Evaluation) -> dict[str, float]:
    """Give the recalls of the known class and slice that are recognised worst, whichever these are tonight."""
    recalls = [one.recall for one in found.test.figures.classes if one.known and one.recall is not None]
    slices = {"worst_slice": found.test.worst.recall} if found.test.worst else {}
    return slices | ({"worst_class": min(recalls)} if recalls else {})


def _tags(comparison: Comparison) -> dict[str, str]:
    """Name the classes by who knows them, as far as a tag can be long."""
    return {
        f"pedigree.classes.{name}": shorten(", ".join(classes), _LONGEST_TAG, placeholder=" …") or "none"
        for name, classes in comparison.classes().items()
    }


def _files(rows: Sequence[Row], predictions: Predictions, found: Evaluation) -> dict[str, bytes]:
    return {
        "evaluation/evaluation.json": json.dumps(asdict(_shortened(found)), ensure_ascii=False, indent=1).encode(),
        "evaluation/predictions.json": json.dumps(_lines(rows, predictions), ensure_ascii=False, indent=1).encode(),
    }


def _shortened(found: Evaluation) -> Evaluation:
    """Keep of very many moved photographs the first; pedigree data diff names all."""
    return replace(found, labels=found.labels.first(_MOST_MOVED)) if found.labels else found


def _lines(rows: Sequence[Row], predictions: Predictions) -> list[dict[str, object]]:
    """Name each test image with its likeliest classes, the likeliest first."""
    order = np.argsort(-predictions.probabilities, axis=1, kind="stable")[:, :_LIKELIEST]
    return [
        {
            "image": row.image,
            "key": row.key,
            "label": row.label,
            "probabilities": {predictions.classes[i]: float(found[i]) for i in likeliest},
        }
        for row, found, likeliest in zip(rows, predictions.probabilities, order, strict=True)
    ]
