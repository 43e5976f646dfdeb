"""Results of gate rules, their rows in tables, and whether rules and golden set fit a dataset version."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from configs.gate_rules import FIGURES, IMPROVEMENT, RELABELLED, SERVED, Rule, suggest_nearest
from tasks.domain.phrasing import count

if TYPE_CHECKING:
    from configs.sections import Gate
    from tasks.domain.datasets.manifest import Row
    from tasks.domain.evaluation.comparison import EvaluationSet

# How many classes or slices a sentence names; evaluation/evaluation.json has all of them.
_NAMED = 3
# Smaller p values are written as below this one.
_SMALLEST_P = 0.0001
#: The columns of a table of rules.
COLUMNS = ("rule", "what happened", "chance", "outcome")
# The beginnings of rules whose figures are whole numbers.
_COUNTS = ("images of", "classes lost")


@dataclass(frozen=True, slots=True)
class RuleResult:
    """The result of one rule, with the figure that is furthest on the wrong side.

    Attributes:
        rule: The rule as it is written.
        outcome: Whether the rule passed, failed, or asks a person.
        value: The figure; of a comparing rule by how much the challenger is behind. None where there is none.
        limit: The limit of the rule; None where it has none.
        passed: Whether the outcome is ``passed``.
        said: The result in words.
        silent: Whether the rule is inconclusive; then ``gate.when_silent`` decides its outcome.
        p: The p value of the difference; None where it was not tested.
        unlikely: Whether chance is ruled out as an explanation, with all tests of the gate taken together.
        happened: What happened, in words, where the figure alone does not tell.
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


def passed_result(rule: Rule, value: float, message: str) -> RuleResult:
    """Return the result of a rule that passed.

    Args:
        rule: The rule.
        value: Its figure.
        message: The result in words.

    Returns:
        The result.
    """
    return RuleResult(rule.text, "passed", value, rule.limit, passed=True, said=message)


def failed_result(rule: Rule, value: float | None, message: str) -> RuleResult:
    """Return the result of a rule that failed, which asks a person where the rule says so.

    Args:
        rule: The rule.
        value: Its figure; None where there is none.
        message: The result in words.

    Returns:
        The result.
    """
    return RuleResult(rule.text, "ask" if rule.ask else "failed", value, rule.limit, passed=False, said=message)


def inconclusive_result(rule: Rule, gate: "Gate", why: str = "") -> RuleResult:
    """Return the result of a rule that cannot be decided, with the outcome that the settings choose for this case.

    Args:
        rule: The rule.
        gate: What an inconclusive rule means.
        why: The reason; empty where there are too few images.

    Returns:
        The result.
    """
    outcome: Literal["passed", "failed", "ask"] = "passed"
    if gate.when_silent != "pass":
        outcome = "failed" if gate.when_silent == "fail" else "ask"
    message = f"{rule.text}: {why or f'not enough images to tell, fewer than {gate.minimum_support:,}'}"
    return RuleResult(rule.text, outcome, None, rule.limit, outcome == "passed", message, silent=True)


def format_p_value(p: float) -> str:
    """Return a p value in words."""
    return f"p {p:.2g}" if p >= _SMALLEST_P else f"p below {_SMALLEST_P:g}"


def name_failures(failures: Sequence[str], rule: Rule) -> str:
    """Return a sentence that names the first few failures of a rule.

    Args:
        failures: What is beyond the limit, in words.
        rule: The rule.

    Returns:
        The sentence.
    """
    more = f" and {len(failures) - _NAMED:,} more" if len(failures) > _NAMED else ""
    return f"{', '.join(failures[:_NAMED])}{more}: {rule.text}"


class RuleRow(NamedTuple):
    """One rule as a row of a table: its text, what happened, whether chance explains it, and the outcome."""

    rule: str
    happened: str
    chance: str
    outcome: str


def build_rule_row(rule: Mapping[str, Any]) -> RuleRow:
    """Build the row of a stored result; those of earlier versions hold less."""
    outcome = str(rule.get("outcome", "passed" if rule.get("passed") else "failed"))
    text, value = str(rule["rule"]), rule.get("value")
    happened = rule.get("happened") or _describe_figure(text, value, silent=bool(rule.get("silent")))
    return RuleRow(text, str(happened), _describe_chance(rule), outcome)


def explain_rule(rule: Mapping[str, Any]) -> str:
    """Explain the outcome of a stored result, without the rule itself.

    Args:
        rule: The result; those of earlier versions hold no sentence.

    Returns:
        The sentence of the result, or else what its figures tell.
    """
    text, sentence = str(rule["rule"]), str(rule.get("said") or "")
    row = build_rule_row(rule)
    figures = ", ".join(cell for cell in (row.happened, row.chance) if cell)
    return sentence.removeprefix(f"{text}: ").removesuffix(f": {text}") or figures


def _describe_figure(text: str, value: float | None, *, silent: bool) -> str:
    if value is None:
        return "nothing to speak of" if silent else ""
    if text.startswith(SERVED):
        return f"differs by {value:.3f}" if value else "is the same"
    if text.startswith(RELABELLED):
        return f"{value:.3f} of a class" if value else "none moved"
    if "not worse by" in text:
        better, worse = ("rose", "fell") if FIGURES.get(text.split(maxsplit=1)[0], True) else ("fell", "rose")
        return _describe_move(-value, better, worse)
    if text.startswith(IMPROVEMENT):
        return _describe_move(value, "ahead", "behind")
    return f"is {value:,.0f}" if text.startswith(_COUNTS) else f"is {value:.3f}"


def _describe_move(gain: float, better: str, worse: str) -> str:
    if not round(gain, 3):
        return "is the same"
    return f"{better if gain > 0 else worse} by {abs(gain):.3f}"


def _describe_chance(rule: Mapping[str, Any]) -> str:
    p = rule.get("p")
    if p is None:
        return ""
    return f"chance {'does not' if rule.get('unlikely') else 'may'} explain it ({format_p_value(p)})"


@dataclass(frozen=True, slots=True)
class Overlap:
    """A golden image that is a training or validation image too, or a near duplicate of one; both by their keys."""

    golden: str
    trained: str


def find_overlaps(golden: "Sequence[Row]", trained: "Sequence[Row]", groups: Mapping[str, str]) -> list[Overlap]:
    """Find the golden images that are also trained on, or whose near duplicates are.

    Args:
        golden: The golden set.
        trained: The images of the training and validation splits.
        groups: The near-duplicate group of each image; an image without an entry is a group of its own.

    Returns:
        Each such golden image with the first trained image of its group.
    """
    learned: dict[str, Row] = {}
    for row in trained:
        learned.setdefault(groups.get(row.image, row.image), row)
    return [
        Overlap(row.key, learned[group].key) for row in golden if (group := groups.get(row.image, row.image)) in learned
    ]


def names_one(rule: Rule) -> bool:
    """Check whether a rule names a class, a slice or an attribute, which has to exist."""
    return bool(rule.of) and not rule.any


def describe_unknown_name(rule: Rule, names: Mapping[str, set[str]]) -> str:
    """Describe which class, slice or attribute that a rule names does not exist.

    Args:
        rule: The rule.
        names: The names of classes, slices and attributes of the dataset version and of the golden set, by scope.

    Returns:
        A sentence; empty where the name exists, or the rule has none.
    """
    existing = names.get(rule.scope, set())
    if not names_one(rule) or rule.of in existing:
        return ""
    kind = {"class": "no class", "slice": "no slice", "attribute": "no attribute"}[rule.scope]
    return (
        f"the rule {rule.text!r} names {rule.of}, which is {kind} of these images; {suggest_nearest(rule.of, existing)}"
    )


def collect_names(evaluation_set: "EvaluationSet") -> Mapping[str, set[str]]:
    """Collect the names of classes, slices and attributes of images, by scope."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for label, attributes in set(zip(evaluation_set.labels, map(tuple, evaluation_set.attributes), strict=True)):
        names["class"].add(label)
        for name, value in attributes:
            names["attribute"].add(name)
            names["slice"] |= {f"{name}={value}", f"{label} with {name}={value}"}
    return names


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """The result of checking the rules: how many images the golden set has."""

    golden: int

    def __str__(self) -> str:
        """Describe that the golden set, where there is one, fits this version."""
        return f"{count(self.golden, 'golden image')}, none of them trained on" if self.golden else ""
