"""What one rule said, with its figure, its limit and a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from configs.judging import Gate
from configs.rules import Rule

# So many classes or slices are named in a sentence; evaluation/evaluation.json has all of them.
_NAMED = 3
_SMALLEST = 0.0001


@dataclass(frozen=True, slots=True)
class Ruling:
    """A rule, what came of it, and the figure furthest on the wrong side, as far as there is one.

    Of a comparing rule the figure is by how much the challenger is behind. Where a person must decide, ``passed`` is
    false; ``silent`` is a rule that had nothing to speak of, and whose outcome is what the settings say of silence.
    ``p`` is how likely chance alone makes such a difference, where that was asked, and ``unlikely`` whether that is
    ruled out, beside all other tests. ``happened`` says in words what the figure alone does not.
    """

    rule: str
    outcome: Literal["passed", "failed", "ask"]
    value: float | None
    limit: float | None
    passed: bool
    said: str
    silent: bool = False
    p: float | None = None
    unlikely: bool = False
    happened: str = ""


def kept(rule: Rule, value: float, said: str) -> Ruling:
    """Make the ruling of a rule that is kept."""
    return Ruling(rule.text, "passed", value, rule.limit, passed=True, said=said)


def broken(rule: Rule, value: float | None, said: str) -> Ruling:
    """Make the ruling of a rule that is broken: a refusal, or a question to a person where the rule says so."""
    return Ruling(rule.text, "ask" if rule.ask else "failed", value, rule.limit, passed=False, said=said)


def silent(rule: Rule, gate: Gate, why: str = "") -> Ruling:
    """Make the ruling of a rule that cannot say anything, for lack of images or else why: what the settings want."""
    outcome: Literal["passed", "failed", "ask"] = "passed"
    if gate.when_silent != "pass":
        outcome = "failed" if gate.when_silent == "fail" else "ask"
    said = f"{rule.text}: {why or f'not enough images to tell, fewer than {gate.minimum_support:,}'}"
    return Ruling(rule.text, outcome, None, rule.limit, outcome == "passed", said, silent=True)


def chance(p: float) -> str:
    """Write a p value."""
    return f"p {p:.2g}" if p >= _SMALLEST else f"p below {_SMALLEST:g}"


def naming(found: Sequence[str], rule: Rule) -> str:
    """Say what is beyond a rule's limit, naming the first few."""
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    return f"{', '.join(found[:_NAMED])}{more}: {rule.text}"
