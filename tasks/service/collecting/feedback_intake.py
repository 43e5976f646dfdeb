"""Feedback intake: what people say of answers is counted, and written into the request log."""

from dataclasses import dataclass

from tasks.domain.serving.feedback import Feedback
from tasks.service.collecting.recent_answers import RecentAnswer, RecentAnswers
from tasks.service.metrics import Metrics
from tasks.service.request_log import RequestLog


@dataclass(frozen=True)
class FeedbackIntake:
    """Takes what people say of answers.

    Attributes:
        answers: The answers that are remembered.
        metrics: Gets the count of right and wrong answers.
        log: Gets a line about each.
    """

    answers: RecentAnswers
    metrics: Metrics
    log: RequestLog

    def take(self, name: str, feedback: Feedback) -> RecentAnswer:
        """Take what a person says of an answer; saying it again changes nothing.

        Args:
            name: The answer's id.
            feedback: What the person says.

        Returns:
            The answer.

        Raises:
            ServiceProblemError: There is no such answer, the feedback does not fit it, or other feedback came before.
        """
        is_first = self.answers.judge(name, feedback)
        answer = self.answers.find(name)
        if is_first:
            self.metrics.count_feedback(answer.model.version, answer.label, feedback.verdict)
            self.log.write_feedback(answer.id, answer.model, answer.label, feedback)
        return answer
