"""Evaluation of challenger and champion on the same images."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from configs import schema
from configs.errors import PedigreeError
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import VersionRows
from tasks.domain.evaluation.label_changes import Relabelling
from tasks.domain.evaluation.metrics import Measurement, measure_models
from tasks.domain.evaluation.misclassifications import find_misclassifications
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.evaluation.vocabulary import Vocabulary
from tasks.domain.gate.serving_check import excuse_champion_failure
from tasks.domain.labels.labeling import apply_aliases
from tasks.domain.registry.decisions import Decision
from tasks.domain.runs.mlflow_summary import build_evaluation_tags, collect_evaluation_metrics
from tasks.domain.runs.mlflow_tables import build_answer_files, build_figure_table
from tasks.domain.runs.results import TrainedModel
from tasks.domain.training.calibration import calibration_error
from tasks.domain.training.results import DatasetFeatures, FeatureSet
from tasks.evaluation.data_growth import measure_growth
from tasks.evaluation.evaluation_sets import build_evaluation_set, embed_golden, golden_rows
from tasks.evaluation.label_changes import compare_labels, gather_label_evidence
from tasks.features.embedding import map_features, predict
from tasks.features.stored_models import stored_head
from tasks.step import step
from tasks.stores.store import Store
from tasks.stores.tracking import runs

_MOST_MOVED = 1000
# So many of an image's probabilities are kept with the run.
_LIKELIEST = 5


@step(hours=6)
def evaluate(
    dataset: Dataset, embedded: DatasetFeatures, trained: TrainedModel, settings: schema.Settings
) -> Evaluation:
    """Measure the challenger on the test split and on the golden set, and beside it the champion on the same images.

    Args:
        dataset: The version that the challenger was trained on.
        embedded: The features of its images, by the backbones of both models.
        trained: The challenger.
        settings: All of them: store, tracking, labels, gate, evaluation and images take part.

    Returns:
        Every figure, and what the rules need to know.

    Raises:
        PedigreeError: The version has no test image, or the champion does not load and no setting excuses that.
    """
    store, url = Store(settings.store.url), settings.tracking.url
    version = store.manifests.columns(dataset.hash)
    rows = list(version.of_split(Split.TEST))
    if not rows:
        raise PedigreeError(
            f"Dataset {dataset.hash[:12]} has no test image, so nothing can be measured: add photographs."
        )
    predictions = predict_with_both_models(version, dataset, embedded, trained, settings, store)
    test, golden = evaluate_models(rows, predictions, store, settings.gate.minimum_support)
    former = predictions.decision if predictions.champion else None
    test_predictions = predictions.challenger.test, predictions.champion.test if predictions.champion else None
    evaluation = Evaluation(
        images=len(rows),
        metrics={**test.to_metrics(), **_head_metrics(store, trained, rows)},
        champion=predictions.decision.number if predictions.decision else None,
        test=test,
        golden=golden,
        latency=embedded.latency,
        champion_problem=predictions.problem,
        mistakes=find_misclassifications(rows, *test_predictions),
        growth=measure_growth(version, embedded.current, former, store, settings) if former else None,
        labels=gather_label_evidence(predictions.changes, version, embedded.current, test_predictions, store)
        if predictions.changes
        else None,
    )
    metrics, tags = collect_evaluation_metrics(evaluation), build_evaluation_tags(evaluation)
    runs.log_metrics(url, trained.run_id, metrics, tags)
    tables = build_answer_files(rows, *test_predictions) | build_figure_table(test)
    runs.log_files(url, trained.run_id, _evaluation_files(rows, predictions.challenger.test, evaluation) | tables)
    return evaluation


def _head_metrics(store: Store, trained: TrainedModel, rows: Sequence[Row]) -> dict[str, float]:
    """Say what calibration did, by the error with and without it."""
    head = stored_head(store, trained.head)
    table = store.features(trained.features.fingerprint, trained.features.width)
    plain = map_features(table, [row.image for row in rows], replace(head, temperature=1.0).probabilities)
    truth = [head.classes.index(row.label) for row in rows]
    return {
        "temperature": head.temperature,
        "threshold": head.threshold,
        "ece_uncalibrated": calibration_error(plain, truth),
        "sure_promised": trained.promise.precision,
    }


def _evaluation_files(rows: Sequence[Row], predictions: Predictions, evaluation: Evaluation) -> dict[str, bytes]:
    return {
        "evaluation/evaluation.json": json.dumps(
            asdict(_truncate_labels(evaluation)), ensure_ascii=False, indent=1
        ).encode(),
        "evaluation/predictions.json": json.dumps(
            _prediction_lines(rows, predictions), ensure_ascii=False, indent=1
        ).encode(),
    }


def _truncate_labels(evaluation: Evaluation) -> Evaluation:
    """Keep of very many moved photographs the first; pedigree data diff names all."""
    return replace(evaluation, labels=evaluation.labels.truncate(_MOST_MOVED)) if evaluation.labels else evaluation


def _prediction_lines(rows: Sequence[Row], predictions: Predictions) -> list[dict[str, object]]:
    """Name each test image with its likeliest classes, the likeliest first."""
    order = np.argsort(-predictions.probabilities, axis=1, kind="stable")[:, :_LIKELIEST]
    return [
        {
            "image": row.image,
            "key": row.key,
            "label": row.label,
            "probabilities": {predictions.classes[i]: float(probabilities[i]) for i in likeliest},
        }
        for row, probabilities, likeliest in zip(rows, predictions.probabilities, order, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class ModelPredictions:
    """What each model says of the test images and of the golden ones; None where there are none."""

    test: Predictions
    golden: Predictions | None

    def rename_classes(self, words: Vocabulary) -> "ModelPredictions":
        """Give classes that were renamed or merged since their names of today."""
        if not words.former:
            return self
        test, golden = (
            predictions.rename_classes([words.translate_former(label) for label in predictions.classes])
            if predictions
            else None
            for predictions in (self.test, self.golden)
        )
        return ModelPredictions(test or self.test, golden)


@dataclass(frozen=True, slots=True)
class PairedPredictions:
    """Both models' answers; there may be no champion, or one that can't be measured for a reason.

    ``changes`` is what became of the labels under which the champion was judged, as far as that can be known.
    """

    challenger: ModelPredictions
    champion: ModelPredictions | None
    decision: Decision | None
    golden: Sequence[Row]
    problem: str
    changes: Relabelling | None = None


def predict_with_both_models(
    version: VersionRows,
    dataset: Dataset,
    embedded: DatasetFeatures,
    trained: TrainedModel,
    settings: schema.Settings,
    store: Store,
) -> PairedPredictions:
    """Let challenger and champion predict a version's test images and the golden set.

    Args:
        version: All rows of the version.
        dataset: The version.
        embedded: The features of its images, by the backbones of both models.
        trained: The challenger.
        settings: Those of the golden set, aliases, images and the gate are read.
        store: The store that holds features, heads and the golden set.

    Returns:
        The predictions of both, the champion's under today's names of its classes.

    Raises:
        PedigreeError: The champion does not load, and the settings do not allow to decide without it.
    """
    aliases, decision = settings.labels.aliases, store.ledger.champion()
    golden = golden_rows(store, settings.evaluation.golden, aliases)
    rows = list(version.of_split(Split.TEST))

    def predict_sets(feature_set: FeatureSet, head: str) -> ModelPredictions:
        embed_golden(golden, feature_set, store, settings)
        return ModelPredictions(
            _predict_rows(feature_set, head, rows, store, aliases),
            _predict_rows(feature_set, head, golden, store, aliases) if golden else None,
        )

    challenger = predict_sets(trained.features, trained.head)
    if decision is None:
        return PairedPredictions(challenger, None, None, golden, "")
    changes = compare_labels(version, decision, dataset.parent, store, aliases)
    try:
        champion = predict_sets(_champion_features(embedded, decision.backbone), decision.head)
    except PedigreeError as error:
        problem = excuse_champion_failure(error, decision.model_version, settings.gate)
        return PairedPredictions(challenger, None, decision, golden, problem, changes)
    champion = champion.rename_classes(changes.vocabulary) if changes else champion
    return PairedPredictions(challenger, champion, decision, golden, "", changes)


def _champion_features(embedded: DatasetFeatures, backbone: str) -> FeatureSet:
    """Return the champion's features, of whichever model the ledger has made champion by now."""
    return embedded.champion if embedded.judged == backbone else replace(embedded.champion, fingerprint=backbone)


def evaluate_models(
    rows: Sequence[Row], predictions: PairedPredictions, store: Store, minimum: int
) -> tuple[Measurement, Measurement | None]:
    """Measure both models' predictions on the test split and, where there is one, on the golden set.

    Args:
        rows: The test images, in the order of the predictions.
        predictions: What the models predict.
        store: The store that knows groups and attributes.
        minimum: Classes and slices with fewer images than this are not measured.

    Returns:
        The measurement on the test split, and the one on the golden set or None.
    """
    former = predictions.champion
    test = measure_models(
        predictions.challenger.test,
        former.test if former else None,
        build_evaluation_set(store, rows, predictions.changes),
        minimum,
    )
    if predictions.challenger.golden is None:
        return test, None
    golden = build_evaluation_set(store, predictions.golden)
    return test, measure_models(predictions.challenger.golden, former.golden if former else None, golden, minimum)


def _predict_rows(
    feature_set: FeatureSet, head: str, rows: Sequence[Row], store: Store, aliases: Mapping[str, str]
) -> Predictions:
    predictions = predict(store, feature_set, head, [row.image for row in rows])
    return predictions.rename_classes(apply_aliases(predictions.classes, aliases))
