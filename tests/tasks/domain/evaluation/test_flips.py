"""Which answers flipped between two models."""

import numpy as np

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.misclassifications import find_prediction_flips
from tasks.domain.evaluation.predictions import Predictions

_CLASSES = ("boxer", "poodle", "pug")


def _said(*answers: str) -> Predictions:
    rows = [[0.8 if name == answer else 0.1 for name in _CLASSES] for answer in answers]
    return Predictions(_CLASSES, np.array(rows, np.float32))


def test_flips_are_told_apart_by_what_they_did() -> None:
    """An answer may have become right, wrong, or another wrong one; one that stayed is no flip."""
    rows = [Row(f"{number:064}", "pug", Split.TEST, (), f"pug/{number}.jpg") for number in range(4)]
    found = find_prediction_flips(rows, _said("pug", "pug", "boxer", "boxer"), _said("pug", "boxer", "pug", "poodle"))
    assert found.images == 4
    kinds = {one.kind: (one.image, one.before, one.after) for one in found.flips}
    assert kinds == {
        "now wrong": (rows[1].image, "pug", "boxer"),
        "now right": (rows[2].image, "boxer", "pug"),
        "wrong in another way": (rows[3].image, "boxer", "poodle"),
    }
    assert [one.key for one in found.of("now right")] == ["pug/2.jpg"]
    assert [one["kind"] for one in found.to_dict()["flips"]] == ["now wrong", "now right", "wrong in another way"]
