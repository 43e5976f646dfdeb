"""What is said about a class beside an answer."""

import numpy as np

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.serving.class_facts import ClassFacts, measure_class_facts


def test_a_class_is_told_with_its_recall_and_its_worst_slice() -> None:
    """Training images, test images, recall and the slice that is recognised worst are those of the class alone."""
    coats = ["white"] * 5 + ["black"] * 5
    rows = [Row(f"{n}", "pug", Split.TEST, (("coat", coat),), f"{n}.jpg") for n, coat in enumerate(coats)]
    rows.append(Row("other", "boxer", Split.TEST, (("coat", "white"),), "other.jpg"))
    # Three white pugs are taken for boxers.
    likely = np.array([0.1] * 3 + [0.9] * 7 + [0.1], np.float32)
    predictions = Predictions(("pug", "boxer", "poodle"), np.stack([likely, 0.95 - likely, likely * 0 + 0.05], axis=1))
    facts = measure_class_facts({"pug": 60, "boxer": 7}, rows, predictions)
    assert facts["pug"] == ClassFacts("pug", 60, 10, 0.7, "coat=white", 0.4)
    assert facts["boxer"] == ClassFacts("boxer", 7, 1, 1.0)
    assert facts["poodle"] == ClassFacts("poodle", 0, 0, None)
    assert facts["pug"].to_dict()["worst_slice"] == "coat=white"
