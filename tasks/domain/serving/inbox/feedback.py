"""Feedback: what a person says of an answer, which is never a label by itself."""

from dataclasses import dataclass
from enum import StrEnum

from tasks.domain.serving.problems import ProblemKind, ServiceProblemError

_WORDS = (
    'Write {"right": true}, {"right": false}, or {"right": false, "label": "a class of the model"}; and "consent": '
    "true or false, beside it or alone."
)


class Verdict(StrEnum):
    """How people judge answers."""

    RIGHT = "right"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person says of an answer.

    Attributes:
        verdict: Whether the answer is right; None where nobody says so.
        claimed: The class that the photograph shows instead; empty where nobody names one.
        consent: Whether whoever sent the photograph agrees to have it kept for training; None where nothing is said.
    """

    verdict: Verdict | None
    claimed: str = ""
    consent: bool | None = None


def parse_feedback(plain: object) -> Feedback:
    """Read feedback as programs send it.

    Args:
        plain: What came as JSON.

    Returns:
        The feedback.

    Raises:
        ServiceProblemError: It is none.
    """
    if (
        not isinstance(plain, dict)
        or not plain
        or not plain.keys() <= {"right", "label", "consent"}
        or plain.keys() == {"label"}
    ):
        raise ServiceProblemError(ProblemKind.MALFORMED, _WORDS)
    right, claimed, consent = plain.get("right"), plain.get("label", ""), plain.get("consent")
    are_flags = all(isinstance(plain[name], bool) for name in ("right", "consent") if name in plain)
    if not are_flags or not isinstance(claimed, str) or (claimed and right is not False):
        raise ServiceProblemError(ProblemKind.MALFORMED, _WORDS)
    verdict = None if right is None else Verdict.RIGHT if right else Verdict.WRONG
    return Feedback(verdict, claimed, consent)


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
