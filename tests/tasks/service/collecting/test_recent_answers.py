"""Answers are remembered for a while and within bounds, and judged once."""

import pytest

from tasks.domain.serving.answers import Answer, ModelIdentity, write_id
from tasks.domain.serving.inbox.feedback import Feedback, Verdict
from tasks.domain.serving.problems import ProblemKind, ServiceProblem, ServiceProblemError
from tasks.service.collecting.recent_answers import MOST, SECONDS, RecentAnswers

MODEL = ModelIdentity("dogs", "4", 7, "c473" + "0" * 60, "b" * 64, "d" * 64, "2026-11-28T02:00:00+00:00")
NOW = 1_800_000_000.0


def answer(number: int, label: str | None = "beagle") -> Answer:
    """Return an answer that was given now."""
    name = write_id(int(1000 * NOW), number.to_bytes(10))
    problem = None if label else ServiceProblem(ProblemKind.UNUSABLE, "no picture", "not-an-image")
    probabilities = {"beagle": 0.9, "pug": 0.1} if label else None
    return Answer(name, MODEL, label, 0.9, sure=True, probabilities=probabilities, elapsed_ms=1, problem=problem)


def refusal(answers: RecentAnswers, name: str, feedback: Feedback) -> ProblemKind:
    """Return why feedback is refused."""
    with pytest.raises(ServiceProblemError) as error:
        answers.judge(name, feedback)
    return error.value.problem.kind


def test_the_first_word_stands() -> None:
    """Saying the same again changes nothing; saying another thing is a conflict, and nobody else's answer is judged."""
    answers = RecentAnswers(lambda: NOW)
    answers.remember(answer(1), b"")
    answers.remember(answer(2), b"")
    wrong = Feedback(Verdict.WRONG, "pug")
    assert answers.judge(answer(1).id, wrong)
    assert not answers.judge(answer(1).id, wrong)
    assert refusal(answers, answer(1).id, Feedback(Verdict.RIGHT)) is ProblemKind.CONFLICT
    assert answers.find(answer(1).id).feedback == wrong
    assert answers.find(answer(2).id).feedback is None


def test_unknown_and_old_answers_are_told_apart() -> None:
    """An id of long ago is gone; one never given, one of a rejected file, and a word that is no id are none."""
    moment = NOW
    answers = RecentAnswers(lambda: moment)
    answers.remember(answer(1), b"")
    answers.remember(answer(3, None), b"")
    right = Feedback(Verdict.RIGHT)
    for name in (answer(2).id, answer(3).id, "x", "", "U" * 26):
        assert refusal(answers, name, right) is ProblemKind.UNKNOWN_ANSWER
    moment += SECONDS + 1
    assert refusal(answers, answer(1).id, right) is ProblemKind.GONE


def test_memory_is_bounded_and_classes_are_kept_once() -> None:
    """The oldest answer gives way, and all answers of a model share the list of its classes."""
    answers = RecentAnswers(lambda: NOW)
    for number in range(MOST + 1):
        answers.remember(answer(number), b"")
    assert refusal(answers, answer(0).id, Feedback(Verdict.RIGHT)) is ProblemKind.UNKNOWN_ANSWER
    assert answers.find(answer(1).id).classes is answers.find(answer(MOST).id).classes
