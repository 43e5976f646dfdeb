"""Feedback is read strictly, and names only what the model could have said."""

import pytest

from tasks.domain.serving.inbox.feedback import Feedback, Verdict, check_claim, parse_feedback
from tasks.domain.serving.problems import ProblemKind, ServiceProblemError


@pytest.mark.parametrize(
    ("plain", "feedback"),
    [
        ({"right": True}, Feedback(Verdict.RIGHT)),
        ({"right": False}, Feedback(Verdict.WRONG)),
        ({"right": False, "label": "pug"}, Feedback(Verdict.WRONG, "pug")),
    ],
)
def test_right_and_wrong_are_understood(plain: object, feedback: Feedback) -> None:
    """Who says wrong may name the class."""
    assert parse_feedback(plain) == feedback


@pytest.mark.parametrize(
    "plain",
    [
        None,
        [],
        {},
        {"right": "yes"},
        {"right": 1},
        {"right": True, "label": "pug"},
        {"right": False, "label": 7},
        {"right": False, "score": 1},
    ],
)
def test_all_else_is_refused(plain: object) -> None:
    """Nothing is guessed: neither from words nor from unknown fields."""
    with pytest.raises(ServiceProblemError) as error:
        parse_feedback(plain)
    assert error.value.problem.kind is ProblemKind.MALFORMED


@pytest.mark.parametrize("claimed", ["wolf", "beagle"])
def test_a_claim_is_another_class_of_the_model(claimed: str) -> None:
    """A word that the model does not know, and the class that it answered, are no corrections."""
    with pytest.raises(ServiceProblemError):
        check_claim(Feedback(Verdict.WRONG, claimed), "beagle", ("beagle", "pug"))
    check_claim(Feedback(Verdict.WRONG, "pug"), "beagle", ("beagle", "pug"))
