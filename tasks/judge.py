"""Step 9: hold the challenger against the written rules."""

from configs import schema
from tasks.domain import gate
from tasks.domain.night import Evaluation
from tasks.step import step


@step
def judge(evaluation: Evaluation, rules: schema.Gate) -> gate.Verdict:
    """Judge by the minimum accuracy and, where there is a champion, by the margin to it on the same images."""
    accuracies = gate.Accuracies(
        evaluation.metrics["accuracy"], evaluation.comparable_accuracy, evaluation.champion_accuracy
    )
    return gate.judge(accuracies, rules)
