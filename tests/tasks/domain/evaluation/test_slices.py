"""Slices of the test images, and what is said of them."""

import numpy as np
import pytest

from configs.sections import Gate
from tasks.domain.evaluation.comparison import EvaluationSet
from tasks.domain.evaluation.metrics import measure_models
from tasks.domain.evaluation.slices import (
    collect_slice_metrics,
    exclude_whole_slices,
    find_slices,
    find_worst_slice,
    measure_gaps,
    measure_slices,
)
from tasks.domain.gate.gate import GateInputs, apply_gate_rules
from tests.tasks.domain.measurements import CLASSES, DRIFT, predictions

LABELS = ["poodle"] * 6 + ["pug"] * 4
COATS = ["white"] * 3 + ["black"] * 3 + ["white"] * 4
RIGHT = np.array([1, 1, 1, 0, 0, 1, 1, 1, 1, 0], bool)
FOUND = measure_slices(find_slices(LABELS, [(("coat", coat),) for coat in COATS]), RIGHT, minimum=4)


def test_each_value_is_measured_over_all_classes_and_within_each() -> None:
    """A slice has the recall of its images, its interval, and a name; those of few images are not known."""
    assert [(figures.name, figures.images, figures.recall, figures.known) for figures in FOUND] == [
        ("coat=black", 3, pytest.approx(1 / 3), False),
        ("coat=white", 7, pytest.approx(6 / 7), True),
        ("poodle with coat=black", 3, pytest.approx(1 / 3), False),
        ("poodle with coat=white", 3, 1.0, False),
        ("pug with coat=white", 4, 0.75, True),
    ]
    assert all(figures.low <= figures.recall <= figures.high for figures in FOUND)


def test_the_worst_is_one_that_is_known() -> None:
    """A slice of too few images is unknown, and so neither the worst nor part of a gap."""
    worst_slice = find_worst_slice(FOUND)
    assert worst_slice
    assert worst_slice.name == "coat=white"
    assert measure_gaps(FOUND)[0].gap is None
    all_known = measure_slices(find_slices(LABELS, [(("coat", coat),) for coat in COATS]), RIGHT, minimum=1)
    (gap,) = measure_gaps(all_known)
    assert (gap.attribute, gap.best, gap.worst) == ("coat", "white", "black")
    assert gap.gap == pytest.approx(6 / 7 - 1 / 3)


def test_an_unknown_slice_has_no_recall_in_mlflow() -> None:
    """Its images are counted under its name, but no recall stands there that someone might believe."""
    metrics = collect_slice_metrics(FOUND)
    assert metrics["slice/poodle/coat:white/support"] == 3
    assert "slice/poodle/coat:white/recall" not in metrics
    assert metrics["slice/coat:white/recall"] == pytest.approx(6 / 7)


def test_a_slice_that_is_the_whole_class_is_none() -> None:
    """It's told as its class: it is not the worst slice, no figure in MLflow, no wish and no slice of any slice."""
    assert [figures.name for figures in FOUND if figures.whole] == ["pug with coat=white"]
    assert "pug with coat=white" not in {figures.name for figures in exclude_whole_slices(FOUND)}
    assert not any(name.startswith("slice/pug/") for name in collect_slice_metrics(FOUND))
    every = measure_slices(find_slices(LABELS, [(("coat", "white"),)] * 10), RIGHT, minimum=1)
    assert exclude_whole_slices(every) == []
    breeds = [(("coat", "white" if label == "pug" else "black"),) for label in LABELS]
    assert exclude_whole_slices(measure_slices(find_slices(LABELS, breeds), RIGHT, minimum=1)) == []
    assert find_worst_slice(every) is None


def test_images_without_the_attribute_are_in_none_of_its_slices() -> None:
    """An image of which nobody says the coat counts for no coat."""
    slices = measure_slices(find_slices(["pug", "pug"], [(("coat", "white"),), ()]), np.array([True, False]), 1)
    assert [(figures.name, figures.images) for figures in slices] == [("coat=white", 1), ("pug with coat=white", 1)]


@pytest.mark.parametrize("limit", ["at least 0.9", "not worse by 0.05"])
def test_a_slice_that_is_the_whole_class_is_asked_as_its_class(limit: str) -> None:
    """Any slice leaves it out; a rule that names it speaks of it all the same."""
    truth = np.arange(150) % len(CLASSES)
    labels = [CLASSES[index] for index in truth]
    coats = [(("coat", "black" if label == "poodle" else "white"),) for label in labels]
    challenger, champion = (
        predictions(truth.tolist(), right) for right in (truth != CLASSES.index("poodle"), truth >= 0)
    )
    gate_inputs = GateInputs(
        measure_models(challenger, champion, EvaluationSet(labels, list(map(str, range(150))), coats), 10),
        None,
        DRIFT,
    )
    names = ("any slice", "poodle with coat=black")
    verdicts = [
        apply_gate_rules(gate_inputs, Gate(rules=(f"recall of {of} {limit}",), needs="no-harm")) for of in names
    ]
    assert [verdict.outcome for verdict in verdicts] == ["promoted", "rejected"]
