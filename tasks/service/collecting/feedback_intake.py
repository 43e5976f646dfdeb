"""Feedback intake: what people say of answers is counted, and written into the request log."""

from dataclasses import dataclass

from tasks.domain.serving.inbox.feedback import Feedback, Verdict
from tasks.domain.serving.problems import ProblemKind, ServiceProblemError
from tasks.service.collecting.collector import Collector
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
        collector: Holds the photographs of answers, where the service keeps any.
    """

    answers: RecentAnswers
    metrics: Metrics
    log: RequestLog
    collector: Collector

    def take(self, name: str, feedback: Feedback) -> RecentAnswer:
        """Take what a person says of an answer; saying it again changes nothing.

        Args:
            name: The answer's id.
            feedback: What the person says.

        Returns:
            The answer.

        Raises:
            ServiceProblemError: There is no such answer, the feedback does not fit it, other feedback came before, or
                the photograph that may be kept is held no more.
        """
        answer = self.answers.find(name)
        if feedback.consent and not self.collector.holds(name):
            raise ServiceProblemError(ProblemKind.CONFLICT, self.collector.explain_absence())
        if feedback.verdict:
            self._judge(answer, feedback.verdict, feedback.claimed)
        if feedback.consent:
            self.collector.agree(name)
        elif feedback.consent is False:
            self.collector.withdraw(name)
        return answer

    def _judge(self, answer: RecentAnswer, verdict: Verdict, claimed: str) -> None:
        judgement = Feedback(verdict, claimed)
        if self.answers.judge(answer.id, judgement):
            self.metrics.count_feedback(answer.model.version, answer.label, verdict)
            self.log.write_feedback(answer.id, answer.model, answer.label, judgement)
        self.collector.judge(answer.id, judgement)
