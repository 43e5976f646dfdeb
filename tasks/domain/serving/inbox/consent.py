"""Consent: whether whoever sends a photograph agrees to have it kept for training; it is never assumed."""

from collections.abc import Iterable
from enum import StrEnum

from tasks.domain.serving.problems import ProblemKind, ServiceProblemError

_WORDS = {"yes": True, "no": False, "": False}


class Consent(StrEnum):
    """What the sender of a photograph says about keeping it."""

    NONE = "none"
    #: The page asks below the answer.
    ASKED = "asked"
    GIVEN = "given"


def parse_consent(words: Iterable[str]) -> Consent:
    """Read what a request says about keeping its photographs.

    Args:
        words: The words of its header and of its form: yes, no or nothing.

    Returns:
        Given where all that it says is yes.

    Raises:
        ServiceProblemError: It says another word.
    """
    answers = [word.strip().lower() for word in words if word.strip()]
    if not set(answers) <= _WORDS.keys():
        raise ServiceProblemError(ProblemKind.MALFORMED, "consent is neither yes nor no.")
    return Consent.GIVEN if answers and all(map(_WORDS.__getitem__, answers)) else Consent.NONE
