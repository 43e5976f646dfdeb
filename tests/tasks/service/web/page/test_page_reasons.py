"""What the page says of why an answer came about."""

from dataclasses import replace
from typing import Any

from tasks.domain.serving.answers import Answer, ModelIdentity
from tasks.service.web.page.page_reasons import Alike, Reasons, show_reasons

MODEL = ModelIdentity("dogs", "4", 4, "c4731d", "0f1e2d", "395f1c", "")
ANSWER = Answer("01KB", MODEL, "beagle", 0.9, sure=True, probabilities={}, elapsed_ms=1)
FACTS: dict[str, Any] = {
    "label": "beagle",
    "training_images": 1061,
    "test_images": 12,
    "recall": 11 / 12,
    "worst_slice": "coat=white",
    "worst_recall": 0.8,
}
WHY = {
    "nearest": [{"label": "beagle", "likeness": 0.934, "photograph": "/v1/training/ab"}],
    "runner_up": [{"label": "corgi", "likeness": 0.9}],
    "class": FACTS,
}


def test_reasons_name_images_class_and_what_is_unusual() -> None:
    """Those of the second class come after those of the first; only what is shown has an address."""
    assert show_reasons(replace(ANSWER, why=WHY, unusual=0.98)) == Reasons(
        [Alike("beagle", "0.93", "/v1/training/ab"), Alike("corgi", "0.90", "")],
        "The model learned beagle from 1,061 training images, and recognised 92% of 12 test images. "
        "It does worst with coat=white: 80%.",
        "The photograph is unusual for this model: 2% of photographs like the test images lie so far from all that it "
        "learned from. Trust the answer less.",
    )


def test_what_is_not_known_is_not_told() -> None:
    """A class without test images or slices has shorter sentences; an answer without reasons has none."""
    few = FACTS | {"training_images": 1, "test_images": 1, "recall": 1.0, "worst_slice": "", "worst_recall": None}
    reasons = show_reasons(replace(ANSWER, why=WHY | {"class": few}, unusual=0.5))
    assert reasons
    assert reasons.known == "The model learned beagle from 1 training image, and recognised 100% of 1 test image."
    assert reasons.unusual == "The photograph is not unusual for this model."
    perfect = FACTS | {"recall": 1.0, "worst_recall": 1.0}
    without_worst = show_reasons(replace(ANSWER, why=WHY | {"class": perfect}))
    assert without_worst
    assert without_worst.known.endswith("and recognised 100% of 12 test images.")
    untested = show_reasons(replace(ANSWER, why=WHY | {"class": few | {"test_images": 0, "recall": None}}))
    assert untested == Reasons(
        reasons.alike, "The model learned beagle from 1 training image, and was never tested on it.", ""
    )
    assert show_reasons(ANSWER) is None
    assert show_reasons(replace(ANSWER, why={"unavailable": "what the model was trained on is being read."})) is None
