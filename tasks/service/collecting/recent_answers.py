"""Recent answers: what was said of the last photographs, so that people can say whether it is right."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

from tasks.domain.serving.answers import Answer, ModelIdentity, read_time
from tasks.domain.serving.inbox.feedback import Feedback, check_claim
from tasks.domain.serving.problems import ProblemKind, ServiceProblemError

#: How many answers are remembered, and for how many seconds.
MOST, SECONDS = 10_000, 3600.0


@dataclass(frozen=True, slots=True)
class RecentAnswer:
    """What is remembered of an answer.

    Attributes:
        id: Its id.
        model: Which model answered.
        label: The class that it predicted.
        classes: All classes that it could have predicted.
        feedback: What a person said of it; None where nobody did.
    """

    id: str
    model: ModelIdentity
    label: str
    classes: tuple[str, ...]
    feedback: Feedback | None = None


class RecentAnswers:
    """The last answers by their ids, in memory that is bounded; any number of threads may use them."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Begin without an answer.

        Args:
            clock: Returns the seconds since 1970.
        """
        self._clock, self._lock = clock, Lock()
        self._answers: dict[str, RecentAnswer] = {}
        self._classes: tuple[str, ...] = ()

    def remember(self, answer: Answer, _data: bytes) -> None:
        """Remember an answer, unless the photograph could not be used.

        Args:
            answer: The answer.
            _data: The photograph, of which nothing is remembered.
        """
        if answer.label is None or answer.probabilities is None:
            return
        classes = tuple(answer.probabilities)
        with self._lock:
            # A model's answers share one list of its classes.
            self._classes = self._classes if self._classes == classes else classes
            self._answers[answer.id] = RecentAnswer(answer.id, answer.model, answer.label, self._classes)
            if len(self._answers) > MOST:
                del self._answers[next(iter(self._answers))]

    def find(self, name: str) -> RecentAnswer:
        """Return what is remembered of an answer.

        Args:
            name: Its id.

        Returns:
            The answer.

        Raises:
            ServiceProblemError: No answer has this id, or it was given too long ago.
        """
        given = read_time(name)
        if given is not None and self._clock() - given > SECONDS:
            raise ServiceProblemError(ProblemKind.GONE, "Answers are remembered for an hour.")
        with self._lock:
            answer = self._answers.get(name)
        if answer is None:
            raise ServiceProblemError(
                ProblemKind.UNKNOWN_ANSWER, "This service remembers no answer of this id that names a class."
            )
        return answer

    def judge(self, name: str, feedback: Feedback) -> bool:
        """Note what a person says of an answer; the first word stands.

        Args:
            name: The answer's id.
            feedback: What the person says.

        Returns:
            False where just this was said before.

        Raises:
            ServiceProblemError: There is no such answer, the feedback does not fit it, or other feedback came before.
        """
        answer = self.find(name)
        check_claim(feedback, answer.label, answer.classes)
        with self._lock:
            answer = self._answers.get(name, answer)
            if answer.feedback is not None and answer.feedback != feedback:
                conflict = f"The answer was called {answer.feedback.verdict} before, and the first word stands."
                raise ServiceProblemError(ProblemKind.CONFLICT, conflict)
            is_first = answer.feedback is None
            self._answers[name] = replace(answer, feedback=feedback)
        return is_first
