"""Evaluations to make pages of, without a run."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from configs.sections import Gate
from tasks.domain.datasets.manifest import Dataset, Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.comparison import EvaluationSet
from tasks.domain.evaluation.learning_curves import LearningCurve, LearningCurves
from tasks.domain.evaluation.metrics import measure_models
from tasks.domain.evaluation.misclassifications import find_misclassifications
from tasks.domain.evaluation.results import Evaluation
from tasks.domain.gate.gate import GateInputs, apply_gate_rules
from tasks.domain.runs.results import Challenger, TrainedModel
from tasks.domain.training.calibration import Promise
from tasks.domain.training.results import DatasetFeatures, FeatureSet
from tasks.reports.pages.evaluation_page import EvaluationReport
from tasks.reports.pages.lineage import Lineage
from tests.tasks.domain.decisions import DECISION
from tests.tasks.domain.measurements import COATS, DRIFT, predictions

RULES = (
    "accuracy at least 0.99",
    "accuracy not worse by 0.01",
    "recall of any slice at least 0.95 else ask",
    "images of any class at least 10",
)

KNOWN = tuple(
    LearningCurve(name, 60, 20, (15, 30, 45, 60), (0.5, 0.6, 0.65, 0.7), gain, gain / 2, 2 * gain)
    for name, gain in (("pug", 0.02), ("boxer", 0.06))
)
# Learning curves of which one is unknown.
GROWN = LearningCurves(replace(KNOWN[0], label="", images=120), (*KNOWN, LearningCurve("husky", 5, 2)))

# The last word about a model by a person, with every box that a picture can have.
PROMOTED = replace(
    DECISION,
    number=9,
    time="2026-11-30T02:08:00+00:00",
    outcome="promoted",
    champion=9,
    against=4,
    model_version="7",
    reason="it knows puppies",
    rules=(),
    person="ann",
    figures={"accuracy": 0.984},
)
LINEAGE = Lineage(
    PROMOTED,
    "dogs",
    {"dataset": "d" * 64, "images": 410, "classes": [{}, {}], "written": "2026-11-30T02:07:00+00:00"},
    {"source.url": "s3://photographs/dogs", "backbone.weights": "imagenet", "backbone.cut": "mixed10"},
    {"dataset": "e" * 64, "images": 402, "written": "2026-11-29T02:07:00+00:00"},
    replace(PROMOTED, number=4, model_version="5", person=""),
    {"flow_run": "http://prefect/runs/flow-run/1", "run": "http://mlflow/#/experiments/1/runs/run"},
)


def report(
    classes: Sequence[str], images: int, *, rules: Sequence[str] = RULES, first: bool = False
) -> EvaluationReport:
    """Report of two models that are wrong about a tenth of the images, not the same ones; each third image is white."""
    truth = [number % len(classes) for number in range(images)]
    labels = [classes[index] for index in truth]
    coats = [(("coat", COATS[number % len(COATS)]),) for number in range(images)]
    evaluation_set = EvaluationSet(labels, [str(number) for number in range(images)], coats)
    challenger_predictions, champion_predictions = (
        predictions(truth, np.arange(images) % 10 != wrong, classes) for wrong in (0, 5)
    )
    gate = Gate(rules=tuple(rules))
    measurement = measure_models(
        challenger_predictions, None if first else champion_predictions, evaluation_set, gate.minimum_support
    )
    rows = [
        Row(f"{number:064x}", label, Split.TEST, coat, f"{label}/{number}.jpg")
        for number, (label, coat) in enumerate(zip(labels, coats, strict=True))
    ]
    feature_set = FeatureSet("f" * 64, 16)
    evaluation = Evaluation(images, measurement.to_metrics(), None if first else 1, measurement)
    verdict = apply_gate_rules(GateInputs(measurement, None, DRIFT), gate)
    challenger = Challenger(
        DatasetFeatures(feature_set, feature_set, 0, 0),
        TrainedModel(feature_set, "a" * 64, "run", 3, 0.9, Promise(0.95, 0.5, 90)),
        evaluation,
        verdict,
    )
    doubtful = {"image": rows[0].image, "key": rows[0].key, "label": labels[0], "figure": "looks like another"}
    meaning = f"the features say another class: 1 of 40 in {labels[0]}"
    doubted = {"kind": "probably a wrong label", "meaning": meaning, "images": [doubtful]}
    card = {"findings": [doubted], "warnings": ["look"]}
    dataset = Dataset("d" * 64, None, images, tuple(classes), (), "new", "new")
    return EvaluationReport(
        dataset,
        challenger,
        find_misclassifications(rows, challenger_predictions, None if first else champion_predictions),
        card,
        gate.minimum_support,
    )
