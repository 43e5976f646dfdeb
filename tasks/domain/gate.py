"""The gate: the written rules that a challenger must pass, each with its figure and its limit."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from configs.schema import Gate


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule and what it said: the challenger's figure must be at least the limit."""

    rule: str
    value: float
    limit: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all the rules said, and why in one sentence."""

    promoted: bool
    rules: tuple[Rule, ...]
    reason: str

    def __str__(self) -> str:
        """Say the verdict and its reason."""
        return f"{'promote' if self.promoted else 'refuse'}: {self.reason}"

    def lines(self) -> tuple[Mapping[str, Any], ...]:
        """List the rules the way the outcome and the ledger write them."""
        return tuple(asdict(rule) for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Accuracies:
    """What the gate looks at: the challenger's accuracy, and both models' on the images of the classes both know."""

    challenger: float
    comparable: float
    champion: float | None


def judge(found: Accuracies, rules: Gate) -> Verdict:
    """Ask for the minimum accuracy and, where a champion can be compared, for at most the margin below it."""
    asked = [_at_least("minimum accuracy", found.challenger, rules.minimum_accuracy)]
    if found.champion is not None:
        limit = found.champion - rules.margin
        asked.append(_at_least("accuracy against the champion", found.comparable, limit))
    failed = [rule for rule in asked if not rule.passed]
    reason = "; ".join(_words(rule) for rule in failed or asked)
    return Verdict(promoted=not failed, rules=tuple(asked), reason=reason)


def _at_least(name: str, value: float, limit: float) -> Rule:
    # Both are shares of a few thousand images: what differs by less than this is rounding, not images.
    return Rule(name, value, limit, passed=value >= limit - 1e-9)


def _words(rule: Rule) -> str:
    return f"{rule.rule} {rule.value:.3f} is {'at least' if rule.passed else 'below'} {rule.limit:.3f}"
