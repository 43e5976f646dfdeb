"""Pairs of models with known merits on drawn test images, for the laws of the gate."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from configs.sections import Gate
from tasks.domain.datasets.version_diff import DatasetDrift
from tasks.domain.evaluation.comparison import EvaluationSet
from tasks.domain.evaluation.metrics import Measurement, measure_models
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.gate.gate import GateInputs, Verdict, apply_gate_rules
from tasks.domain.gate.serving_check import ServingCheck

CLASSES = ("beagle", "boxer", "husky", "poodle", "pug")
COATS = ("black", "brown", "white")
DRIFT = DatasetDrift(dict.fromkeys(CLASSES, 100), (), 0.0, None, "")
SERVED = ServingCheck("1", 8)


def predictions(truth: Sequence[int], right: NDArray[np.bool_], classes: Sequence[str] = CLASSES) -> Predictions:
    """Make a model that is right about these images, and takes the next class for all others."""
    answers = np.where(right, truth, (np.asarray(truth) + 1) % len(classes))
    probabilities = np.full((len(truth), len(classes)), 0.1 / (len(classes) - 1), np.float32)
    probabilities[np.arange(len(truth)), answers] = 0.9
    return Predictions(tuple(classes), probabilities)


def make_evaluation_set(truth: Sequence[int], chance: Generator, classes: Sequence[str] = CLASSES) -> EvaluationSet:
    """Make test images of these classes, each a group of its own and with a coat by chance."""
    coats = [(("coat", str(coat)),) for coat in chance.choice(COATS, len(truth))]
    return EvaluationSet([classes[index] for index in truth], [str(number) for number in range(len(truth))], coats)


def draw_verdict(images: int, shares: tuple[float, float], gate: Gate, chance: Generator, alike: int = 1) -> Verdict:
    """Draw a run in which only the challenger is right about a share of the images, only the champion about another.

    Both are wrong about a twentieth, and right about the rest. So many images in a row are alike and share their fate.
    """
    better, worse = shares
    groups = -(-images // alike)
    truth, fate = (
        np.repeat(drawn, alike)[:images]
        for drawn in (
            chance.integers(0, len(CLASSES), groups),
            chance.choice(4, groups, p=[better, worse, 0.05, 0.95 - better - worse]),
        )
    )
    challenger_right, champion_right = (fate == 0) | (fate == 3), (fate == 1) | (fate == 3)
    names = [str(number // alike) for number in range(images)]
    evaluation_set = replace(make_evaluation_set(truth.tolist(), chance), groups=names)
    measurement = measure_models(
        predictions(truth.tolist(), challenger_right),
        predictions(truth.tolist(), champion_right),
        evaluation_set,
        gate.minimum_support,
    )
    return apply_gate_rules(GateInputs(measurement, None, DRIFT), gate)


def measured(
    challenger_wrong: Sequence[int], champion_wrong: Sequence[int] | None, images: int = 40, gate: Gate | None = None
) -> Measurement:
    """Measure two models that are wrong about these of the images; the classes and the coats take turns."""
    truth = [number % len(CLASSES) for number in range(images)]
    coats = [(("coat", COATS[number // len(CLASSES) % len(COATS)]),) for number in range(images)]
    evaluation_set = EvaluationSet(
        [CLASSES[index] for index in truth], [str(number) for number in range(images)], coats
    )
    wrong = [np.isin(np.arange(images), list(places)) for places in (challenger_wrong, champion_wrong or ())]
    challenger, champion = (predictions(truth, ~places) for places in wrong)
    minimum = (gate or Gate()).minimum_support
    return measure_models(challenger, None if champion_wrong is None else champion, evaluation_set, minimum)
