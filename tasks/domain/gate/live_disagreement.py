"""Live disagreement: how often a challenger differs from the champion on live photographs, and the rule about that."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from configs.gate_rules import LIVE, Rule
from configs.sections import Gate
from tasks.domain.gate.rule_result import RuleResult, failed_result, name_failures, passed_result
from tasks.domain.phrasing import count

# How many classes a sentence names.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class ClassDisagreement:
    """How often a challenger differs where the champion answers one class.

    Attributes:
        label: The class that the champion answers.
        answers: The champion's answers.
        differing: Those to which the challenger gives another class.
        instead: The class that it gives most often then.
    """

    label: str
    answers: int
    differing: int
    instead: str

    def __str__(self) -> str:
        """Say how often, and what the challenger answers instead."""
        return f"{self.label} ({self.differing:,} of {self.answers:,}, mostly {self.instead})"


@dataclass(frozen=True, slots=True)
class LiveDisagreement:
    """How often a challenger differs from the champion on live photographs that both answered.

    Attributes:
        answers: The number of answers.
        differing: Those that differ.
        both_sure: Those that differ though both models are sure.
        classes: The classes about which they differ, those with the most differing answers first.
    """

    answers: int = 0
    differing: int = 0
    both_sure: int = 0
    classes: tuple[ClassDisagreement, ...] = ()

    @property
    def share(self) -> float:
        """Return the share of answers that differ; 0 where there is none."""
        return self.differing / self.answers if self.answers else 0.0

    def __str__(self) -> str:
        """Say how often, on how many answers, and about which classes most."""
        if not self.answers:
            return "no live photograph was answered by both models yet"
        most = f", most about {', '.join(map(str, self.classes[:_NAMED]))}" if self.classes else ""
        return f"live disagreement {self.share:.3f} on {count(self.answers, 'answer')}{most}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "answers": self.answers,
            "differing": self.differing,
            "disagreement": self.share if self.answers else None,
            "both_sure": self.both_sure,
            "classes": [
                {"label": part.label, "answers": part.answers, "differing": part.differing, "instead": part.instead}
                for part in self.classes
            ],
        }


def apply_live_rule(rule: Rule, live: LiveDisagreement, gate: Gate) -> RuleResult:
    """Compare the share of live answers that differ with the limit; with too few answers a person is asked.

    A challenger is compared on live photographs only after the gate has decided about it once, so that the rule asks
    the first time; it never passes without answers, whatever ``gate.when_silent`` says.

    Args:
        rule: The rule.
        live: What was counted of the challenger and the present champion.
        gate: How many answers tell enough.

    Returns:
        The result.
    """
    if live.answers < gate.live_answers:
        message = f"{rule.text}: {count(live.answers, 'live answer')} of both models, and gate.live_answers asks for "
        message += f"{gate.live_answers:,}; it answers in the champion's shadow while it waits"
        return RuleResult(rule.text, "ask", None, rule.limit, passed=False, said=message, happened="not known yet")
    happened = f"is {live.share:.3f} on {count(live.answers, 'answer')}"
    if rule.fails_at(live.share):
        return replace(failed_result(rule, live.share, name_failures([str(live)], rule)), happened=happened)
    return replace(passed_result(rule, live.share, f"{live} is at most {rule.limit:g}"), happened=happened)


def is_live_result(result: Mapping[str, Any]) -> bool:
    """Return whether a stored result is that of a rule about live disagreement."""
    return str(result["rule"]).split()[:2] == LIVE.split()
