"""Seconds and memory of evaluation, gate and report: 10,000 test images, 120 classes, ten slices, two models.

python -m tests.benchmarks.evaluation; with a number, so many test images: python -m tests.benchmarks.evaluation 1000
"""

import io
import json
import resource
import sys
import time
from dataclasses import asdict, replace
from tempfile import TemporaryDirectory

import numpy as np
from numpy.random import Generator
from PIL import Image

from configs.sections import Gate
from tasks.domain.datasets.label_issues import fit_pca
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_diff import DatasetDrift
from tasks.domain.evaluation.comparison import EvaluationSet
from tasks.domain.evaluation.learning_curves import LearningCurves
from tasks.domain.evaluation.metrics import Measurement, measure_models
from tasks.domain.evaluation.misclassifications import Query, find_misclassifications, find_nearest
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.gate.gate import GateInputs, Verdict, apply_gate_rules
from tasks.domain.gate.serving_check import ServingCheck
from tasks.domain.hashing import sha256_of
from tasks.domain.runs.results import Challenger, TrainedModel
from tasks.domain.training.calibration import Promise
from tasks.domain.training.results import DatasetFeatures, FeatureSet
from tasks.evaluation.write_report import compute_learning_curves
from tasks.modeling.head.head import Head
from tasks.reports.pages.evaluation_page import (
    EvaluationReport,
    draw_figures,
    list_pictured_images,
    render_evaluation_report,
)
from tasks.reports.pages.hub_card import render_card_markdown
from tasks.reports.pages.model_card import build_model_card, render_card_html
from tasks.reports.pages.template import make_thumbnail
from tasks.stores.store import Store
from tasks.stores.tracking import runs
from tasks.stores.tracking.client import check_tracking

CLASSES = tuple(f"breed {number:03}" for number in range(120))
WIDTH = 2048
VALUES = (("coat", 5), ("tone", 3), ("age", 2))  # ten slices over all classes, and each within each class


def heads(chance: Generator) -> tuple[Head, Head]:
    """Draw a champion, and a challenger that knows a little more."""
    truth = chance.normal(size=(WIDTH, len(CLASSES))).astype(np.float32) / np.sqrt(WIDTH)
    noise = [chance.normal(size=truth.shape).astype(np.float32) / np.sqrt(WIDTH) for _ in range(2)]
    bias = np.zeros(len(CLASSES), np.float32)
    return Head(CLASSES, 3 * truth + noise[0], bias), Head(CLASSES, 3 * truth + 1.2 * noise[1], bias)


def build_evaluation_set(features: np.ndarray, challenger: Head, chance: Generator) -> EvaluationSet:
    """Give each image the class that the challenger finds likeliest, or now and then any, and attributes."""
    images = len(features)
    labels = np.where(chance.random(images) < 0.8, challenger.logits(features).argmax(axis=1), 0)
    labels = np.where(labels == 0, chance.integers(0, len(CLASSES), images), labels)
    drawn = {name: chance.integers(0, values, images) for name, values in VALUES}
    attributes = [tuple((name, f"{name} {drawn[name][row]}") for name in drawn) for row in range(images)]
    return EvaluationSet([CLASSES[label] for label in labels], [str(row // 2) for row in range(images)], attributes)


def explained(
    predictions: list[Predictions],
    evaluation_set: EvaluationSet,
    features: np.ndarray,
    facts: tuple[Measurement, Verdict],
    learned: LearningCurves,
) -> dict[str, bytes]:
    """Make the report, the model card and the figures as the step does, with large photographs.

    The test images' own features stand for those of the training images.
    """
    measurement, verdict = facts
    rows = [
        Row(str(number), label, Split.TEST, attributes, f"{label}/{number}.jpg")
        for number, (label, attributes) in enumerate(zip(evaluation_set.labels, evaluation_set.attributes, strict=True))
    ]
    mistakes = find_misclassifications(rows, *predictions)
    queries = [
        Query(features[int(attributes.image)], label)
        for attributes in mistakes.worst
        for label in (attributes.truth, attributes.guess)
    ]
    near = find_nearest(
        queries, [(rows[start : start + 4096], features[start : start + 4096]) for start in range(0, len(rows), 4096)]
    )
    worst = [
        replace(attributes, like_truth=near[2 * n], like_guess=near[2 * n + 1])
        for n, attributes in enumerate(mistakes.worst)
    ]
    feature_set = FeatureSet("f" * 64, WIDTH)
    evaluation = Evaluation(len(rows), measurement.to_metrics(), 1, measurement)
    trained = TrainedModel(feature_set, "a" * 64, "run", 5, 0.8, Promise(0.95, 0.5))
    report = EvaluationReport(
        Dataset("d" * 64, None, 6 * len(rows), CLASSES, (), "new", "new"),
        Challenger(DatasetFeatures(feature_set, feature_set, 0, 0), trained, evaluation, verdict),
        replace(mistakes, worst=tuple(worst)),
        {},
        Gate().minimum_support,
        learned,
    )
    sink = io.BytesIO()
    Image.effect_noise((1600, 1200), 64).convert("RGB").save(sink, "JPEG", quality=80)
    page = render_evaluation_report(
        report, {image: make_thumbnail(sink.getvalue()) for image in list_pictured_images(report)}
    )
    sections = build_model_card(report, "../dataset/card.html")
    return {
        "evaluation/report.html": page.encode(),
        "evaluation/model-card.html": render_card_html("card", sections).encode(),
        "evaluation/model-card.md": render_card_markdown("card", sections).encode(),
        **draw_figures(report),
    }


def stored(features: np.ndarray, evaluation_set: EvaluationSet, store: str) -> tuple[list[Row], FeatureSet]:
    """Keep the features of the test images, and let as many be learned from, and a fifth as many validate."""
    feature_set, images = FeatureSet("f" * 64, WIDTH), len(features)
    chance = np.random.default_rng(1)
    centres = 0.2 * chance.normal(size=(len(CLASSES), WIDTH))
    table, rows = Store(store).features(feature_set.fingerprint, WIDTH), []
    for split, number in ((Split.TEST, images), (Split.TRAIN, images), (Split.VALIDATION, images // 5)):
        names = [sha256_of([split, index]) for index in range(number)]
        truth = np.arange(number) % len(CLASSES)
        drawn = centres[truth] + chance.normal(size=(number, WIDTH)) if split is not Split.TEST else features
        table.add(names, drawn.astype(np.float32))
        labels = evaluation_set.labels if split is Split.TEST else [CLASSES[index] for index in truth]
        rows += [Row(name, label, split, (), f"{label}/{name}.jpg") for name, label in zip(names, labels, strict=True)]
    return rows, feature_set


def main() -> None:
    """Time each part once and print a table."""
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    chance, gate = np.random.default_rng(0), Gate()
    drawn = chance.standard_normal((images, WIDTH), dtype=np.float32)
    challenger, champion = heads(chance)
    evaluation_set = build_evaluation_set(drawn, challenger, chance)
    with TemporaryDirectory() as folder:
        rows, feature_set = stored(drawn, evaluation_set, folder)
        url = f"sqlite:///{folder}/mlflow.db"
        check_tracking(url)
        run = runs.start_run(url, "evaluation", {}, {})
        names = [row.image for row in rows[:images]]
        # The run's data card has loaded scikit-learn before.
        fit_pca(drawn[:200])
        del drawn
        marks = [time.perf_counter()]

        features = Store(folder).features(feature_set.fingerprint, WIDTH).read(names)
        predictions = [Predictions(CLASSES, head.probabilities(features)) for head in (challenger, champion)]
        marks.append(time.perf_counter())
        measurement = measure_models(predictions[0], predictions[1], evaluation_set, gate.minimum_support)
        marks.append(time.perf_counter())
        holdings = DatasetDrift(dict.fromkeys(CLASSES, 100), (), 0.0, None, "")
        verdict = apply_gate_rules(GateInputs(measurement, None, holdings, ServingCheck("1", 8)), gate)
        marks.append(time.perf_counter())
        learned = compute_learning_curves(rows, feature_set, Store(folder), gate.minimum_support)
        marks.append(time.perf_counter())
        files = explained(predictions, evaluation_set, features, (measurement, verdict), learned)
        files["evaluation/evaluation.json"] = json.dumps(asdict(measurement)).encode()
        marks.append(time.perf_counter())
        metrics = {
            **measurement.to_metrics(),
            **{f"champion/{name}": value for name, value in measurement.figures.overall.items()},
        }
        runs.log_metrics(url, run, metrics)
        runs.log_files(url, run, files)
        marks.append(time.perf_counter())

    print(f"{images:,} test images, {len(CLASSES)} classes, {len(measurement.slices):,} slices, {WIDTH:,} features")
    print(f"{verdict}\n")
    print("| part | seconds |\n|---|---|")
    parts = (
        "features read from the store, and both heads' answers",
        "all figures, slices and differences",
        "the gate",
        f"learning curves of as many training images and {images // 5:,} for validation",
        f"report with pictures of 2 megapixels each, model card, figures: {sum(map(len, files.values())) / 1e6:.1f} MB",
        f"{len(metrics):,} metrics and {len(files)} files into an MLflow database",
    )
    for part, start, end in zip(parts, marks, marks[1:], strict=False):
        print(f"| {part} | {end - start:.2f} |")
    print(f"| all | {marks[-1] - marks[0]:.2f} |")
    print(f"\npeak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
