"""Step 8: challenger and champion on the same images."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from textwrap import shorten

import numpy as np

from configs import schema
from configs.errors import Problem
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.comparison import Comparison
from tasks.domain.evaluation.label_changes import Relabelling, Vocabulary
from tasks.domain.evaluation.metrics import Measured, measure
from tasks.domain.evaluation.misclassifications import mistakes
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.gate.champion_failure import excused
from tasks.domain.labels.labeling import spelled
from tasks.domain.registry.decisions import Decision
from tasks.domain.runs.results import Trained
from tasks.domain.training.calibration import calibration_error
from tasks.domain.training.results import Embedded, FeatureSet
from tasks.evaluation.data_growth import grown
from tasks.evaluation.evaluation_sets import embed_golden, exam, golden_rows
from tasks.evaluation.label_changes import evidence_of, label_changes
from tasks.features.stored_weights import stored_head
from tasks.step import step
from tasks.stores.files.ledger import Ledger
from tasks.stores.files.manifests import read_manifest
from tasks.stores.tracking import runs
from tasks.training.predict_stored import predict, stored_features

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
    runs.log_metrics(url, trained.run_id, {**evaluation.metrics, **_beside(evaluation)}, tags)
    runs.log_files(url, trained.run_id, _files(rows, found.challenger.test, evaluation))
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


@dataclass(frozen=True, slots=True)
class Sets:
    """What each model says of the test images and of the golden ones; None where there are none."""

    test: Predictions
    golden: Predictions | None

    def today(self, words: Vocabulary) -> "Sets":
        """Give classes that were renamed or merged since their names of today."""
        if not words.former:
            return self
        test, golden = (
            said.named([words.of_former(label) for label in said.classes]) if said else None
            for said in (self.test, self.golden)
        )
        return Sets(test or self.test, golden)


@dataclass(frozen=True, slots=True)
class Contest:
    """Both models' answers; there may be no champion, or one that can't be measured for a reason.

    ``changes`` is what became of the labels under which the champion was judged, as far as that can be known.
    """

    challenger: Sets
    champion: Sets | None
    decision: Decision | None
    problem: str
    changes: Relabelling | None = None


def contest(
    version: Sequence[Row], dataset: Dataset, embedded: Embedded, trained: Trained, settings: schema.Settings
) -> Contest:
    """Let challenger and champion answer about a version's test images, the latter under today's names of its classes.

    Raises Problem where the champion no longer loads and the settings do not allow to judge without it.
    """
    golden, decision = golden_rows(settings), Ledger(settings.store.url).champion()
    rows = [row for row in version if row.split is Split.TEST]
    ours = _answers(trained.made, trained.head, (rows, golden), settings)
    if decision is None:
        return Contest(ours, None, None, "")
    changes = label_changes(version, decision, dataset.parent, settings)
    try:
        theirs = _answers(
            replace(embedded.champion, fingerprint=decision.backbone), decision.head, (rows, golden), settings
        )
    except Problem as error:
        return Contest(ours, None, decision, excused(error, decision.model_version, settings.gate), changes)
    return Contest(ours, theirs.today(changes.vocabulary) if changes else theirs, decision, "", changes)


def measured(rows: Sequence[Row], found: Contest, settings: schema.Settings) -> tuple[Measured, Measured | None]:
    """Measure what the models said on the test split and, where there is one, on the golden set."""
    store, minimum, former = settings.store.url, settings.gate.minimum_support, found.champion
    test = measure(found.challenger.test, former.test if former else None, exam(store, rows, found.changes), minimum)
    if found.challenger.golden is None:
        return test, None
    golden = exam(store, golden_rows(settings))
    return test, measure(found.challenger.golden, former.golden if former else None, golden, minimum)


def _answers(made: FeatureSet, head: str, sets: tuple[Sequence[Row], Sequence[Row]], settings: schema.Settings) -> Sets:
    rows, golden = sets
    if golden:
        embed_golden(golden, made, settings)
    return Sets(_said(made, head, rows, settings), _said(made, head, golden, settings) if golden else None)


def _said(made: FeatureSet, head: str, rows: Sequence[Row], settings: schema.Settings) -> Predictions:
    found = predict(settings.store.url, made, head, [row.image for row in rows])
    return found.named(spelled(found.classes, settings.labels.aliases))
