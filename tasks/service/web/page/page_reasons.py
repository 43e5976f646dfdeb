"""Why an answer, as the page says it: the training images most like the photograph, and what is known of the class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.domain.serving.answers import Answer
from tasks.service.web.page.percent import write_percent

# From here on a photograph is called unusual: so few of those that are like the test images lie farther out.
_UNUSUAL = 0.95


@dataclass(frozen=True, slots=True)
class Alike:
    """A training image that is like the photograph.

    Attributes:
        label: Its class.
        likeness: The cosine of the features, in two decimals.
        photograph: Its address; empty where training photographs are not shown.
    """

    label: str
    likeness: str
    photograph: str


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why an answer.

    Attributes:
        alike: The training images of the predicted class that are most like the photograph, then those of the second.
        known: What the model knows of the class, in sentences.
        unusual: How unusual the photograph is, in a sentence; empty where that is not known.
    """

    alike: Sequence[Alike]
    known: str
    unusual: str


def show_reasons(answer: Answer) -> Reasons | None:
    """Put the reasons of an answer into words.

    Args:
        answer: The answer.

    Returns:
        The reasons; None where the answer has none.
    """
    why = answer.why
    if not why or "class" not in why:
        return None
    images = [*why["nearest"], *why["runner_up"]]
    alike = [Alike(image["label"], f"{image['likeness']:.2f}", image.get("photograph", "")) for image in images]
    return Reasons(alike, _describe_class(why["class"]), _describe_unusual(answer.unusual))


def _describe_class(facts: Mapping[str, Any]) -> str:
    """Say how much the model has seen of a class, and how well it recognises it."""
    sentence = f"The model learned {facts['label']} from {_count(facts['training_images'], 'training image')}"
    if facts["recall"] is None:
        return f"{sentence}, and was never tested on it."
    tested = _count(facts["test_images"], "test image")
    sentence = f"{sentence}, and recognised {_share(facts['recall'])} of {tested}."
    if not facts["worst_slice"] or facts["worst_recall"] == 1:
        return sentence
    return f"{sentence} It does worst with {facts['worst_slice']}: {_share(facts['worst_recall'])}."


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}" if number == 1 else f"{number:,} {name}s"


def _share(share: float) -> str:
    """Write a share that was counted: all of them may well be all."""
    return f"{share:.0%}" if share in {0, 1} else write_percent(share)


def _describe_unusual(unusual: float | None) -> str:
    if unusual is None:
        return ""
    if unusual < _UNUSUAL:
        return "The photograph is not unusual for this model."
    return (
        f"The photograph is unusual for this model: {write_percent(1 - unusual)} of photographs like the test images "
        "lie so far from all that it learned from. Trust the answer less."
    )
