"""The gate's rules."""

import pytest

from configs.schema import Gate
from tasks.domain.gate import Accuracies, judge

RULES = Gate(minimum_accuracy=0.6, margin=0.02)


@pytest.mark.parametrize(
    ("challenger", "comparable", "champion", "promoted"),
    [
        (0.60, 0.60, None, True),
        (0.59, 0.59, None, False),
        (0.90, 0.90, 0.92, True),
        (0.90, 0.89, 0.92, False),
        (0.59, 0.95, 0.50, False),
        (0.70, 0.70, 0.10, True),
    ],
)
def test_both_rules_must_pass(challenger: float, comparable: float, champion: float | None, *, promoted: bool) -> None:
    """A challenger needs the minimum accuracy, and at most the margin less than a champion on the same images."""
    assert judge(Accuracies(challenger, comparable, champion), RULES).promoted is promoted


def test_a_refusal_names_figure_and_limit() -> None:
    """The reason of a refusal holds every failed rule with its figure and its limit, and no other."""
    reason = judge(Accuracies(0.5, 0.7, 0.6), RULES).reason
    assert reason == "minimum accuracy 0.500 is below 0.600"


def test_without_a_champion_only_the_minimum_is_asked() -> None:
    """The first model is judged by the absolute rule alone."""
    assert [rule.rule for rule in judge(Accuracies(0.7, 0.7, None), RULES).rules] == ["minimum accuracy"]
