"""Feedback: what a person says of an answer, which is never a label by itself."""

from dataclasses import dataclass
from enum import StrEnum

from tasks.domain.serving.problems import ProblemKind, ServiceProblemError

_WORDS = 'Write {"right": true}, {"right": false}, or {"right": false, "label": "a class of the model"}.'


class Verdict(StrEnum):
    """How people judge answers."""

    RIGHT = "right"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person says of an answer.

    Attributes:
        verdict: Whether the answer is right.
        claimed: The class that the photograph shows instead; empty where nobody names one.
    """

    verdict: Verdict
    claimed: str = ""


def parse_feedback(plain: object) -> Feedback:
    """Read feedback as programs send it.

    Args:
        plain: What came as JSON.

    Returns:
        The feedback.

    Raises:
        ServiceProblemError: It is none.
    """
    if not isinstance(plain, dict) or not plain.keys() <= {"right", "label"}:
        raise ServiceProblemError(ProblemKind.MALFORMED, _WORDS)
    right, claimed = plain.get("right"), plain.get("label", "")
    if not isinstance(right, bool) or not isinstance(claimed, str) or (right and claimed):
        raise ServiceProblemError(ProblemKind.MALFORMED, _WORDS)
    return Feedback(Verdict.RIGHT if right else Verdict.WRONG, claimed)


def check_claim(feedback: Feedback, label: str, classes: tuple[str, ...]) -> None:
    """Check that feedback names a class that the model could have predicted and did not.

    Args:
        feedback: The feedback.
        label: The class that was predicted.
        classes: The classes of the model.

    Raises:
        ServiceProblemError: It names another word, or the very class that it calls wrong.
    """
    if feedback.claimed and feedback.claimed not in classes:
        raise ServiceProblemError(ProblemKind.MALFORMED, "The label is none of the classes of the model that answered.")
    if feedback.claimed == label:
        raise ServiceProblemError(ProblemKind.MALFORMED, "The label is the one that was answered: it would be right.")
