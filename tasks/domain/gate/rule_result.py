"""What one rule said, with its figure, its limit and a sentence."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from configs.gate_rules import FIGURES, RELABELLED, SERVED, Rule, suggest_nearest
from configs.sections import Gate
from tasks.domain.datasets.manifest import Row
from tasks.domain.evaluation.comparison import EvaluationSet
from tasks.domain.phrasing import count

# So many classes or slices are named in a sentence; evaluation/evaluation.json has all of them.
_NAMED = 3
_SMALLEST = 0.0001
#: The columns of such a table.
COLUMNS = ("rule", "what happened", "chance", "outcome")
# Figures that are whole numbers.
_COUNTS = ("images of", "classes lost")


@dataclass(frozen=True, slots=True)
class RuleResult:
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


def passed_result(rule: Rule, value: float, message: str) -> RuleResult:
    """Make the ruling of a rule that is kept."""
    return RuleResult(rule.text, "passed", value, rule.limit, passed=True, said=message)


def failed_result(rule: Rule, value: float | None, message: str) -> RuleResult:
    """Make the ruling of a rule that is broken: a refusal, or a question to a person where the rule says so."""
    return RuleResult(rule.text, "ask" if rule.ask else "failed", value, rule.limit, passed=False, said=message)


def inconclusive_result(rule: Rule, gate: Gate, why: str = "") -> RuleResult:
    """Make the ruling of a rule that cannot say anything, for lack of images or else why: what the settings want."""
    outcome: Literal["passed", "failed", "ask"] = "passed"
    if gate.when_silent != "pass":
        outcome = "failed" if gate.when_silent == "fail" else "ask"
    message = f"{rule.text}: {why or f'not enough images to tell, fewer than {gate.minimum_support:,}'}"
    return RuleResult(rule.text, outcome, None, rule.limit, outcome == "passed", message, silent=True)


def format_p_value(p: float) -> str:
    """Write a p value."""
    return f"p {p:.2g}" if p >= _SMALLEST else f"p below {_SMALLEST:g}"


def name_failures(failures: Sequence[str], rule: Rule) -> str:
    """Say what is beyond a rule's limit, naming the first few."""
    more = f" and {len(failures) - _NAMED:,} more" if len(failures) > _NAMED else ""
    return f"{', '.join(failures[:_NAMED])}{more}: {rule.text}"


class RuleRow(NamedTuple):
    """One rule: its line, what became of its figure, whether chance may explain it, and what came of the rule."""

    rule: str
    happened: str
    chance: str
    outcome: str


def build_rule_row(rule: Mapping[str, Any]) -> RuleRow:
    """Write a ruling as the ledger keeps it, also one of an earlier version that kept less, as a row."""
    outcome = str(rule.get("outcome", "passed" if rule.get("passed") else "failed"))
    text, value = str(rule["rule"]), rule.get("value")
    happened = rule.get("happened") or _happened(text, value, silent=bool(rule.get("silent")))
    return RuleRow(text, str(happened), _chance(rule), outcome)


def summarize_rule(rule: Mapping[str, Any]) -> str:
    """Say the row in one line, without the rule itself."""
    return " · ".join(cell for cell in build_rule_row(rule)[1:] if cell)


def _happened(text: str, value: float | None, *, silent: bool) -> str:
    if value is None:
        return "nothing to speak of" if silent else ""
    if text.startswith(SERVED):
        return f"differs by {value:.3f}" if value else "is the same"
    if text.startswith(RELABELLED):
        return f"{value:.3f} of a class" if value else "none moved"
    if "not worse by" in text:
        better, worse = ("rose", "fell") if FIGURES.get(text.split(maxsplit=1)[0], True) else ("fell", "rose")
        return _moved(-value, better, worse)
    if text.startswith("better at"):
        return _moved(value, "ahead", "behind")
    return f"is {value:,.0f}" if text.startswith(_COUNTS) else f"is {value:.3f}"


def _moved(gain: float, better: str, worse: str) -> str:
    if not round(gain, 3):
        return "is the same"
    return f"{better if gain > 0 else worse} by {abs(gain):.3f}"


def _chance(rule: Mapping[str, Any]) -> str:
    p = rule.get("p")
    if p is None:
        return ""
    return f"chance {'does not' if rule.get('unlikely') else 'may'} explain it ({format_p_value(p)})"


@dataclass(frozen=True, slots=True)
class Overlap:
    """A golden image that is trained on, or looks like one that is; both by their keys."""

    golden: str
    trained: str


def find_overlaps(golden: Sequence[Row], trained: Sequence[Row], groups: Mapping[str, str]) -> list[Overlap]:
    """Pair each golden image with the first trained one of its group of near duplicates, or that is the very same."""
    learned: dict[str, Row] = {}
    for row in trained:
        learned.setdefault(groups.get(row.image, row.image), row)
    return [
        Overlap(row.key, learned[group].key) for row in golden if (group := groups.get(row.image, row.image)) in learned
    ]


def describe_unknown_name(rule: Rule, evaluation_set: EvaluationSet) -> str:
    """Say in a sentence which class, slice or attribute of a rule no image has; nothing where all is well."""
    names = _names_by_scope(evaluation_set).get(rule.scope, set())
    if not rule.of or rule.any or rule.of in names:
        return ""
    kind = {"class": "no class", "slice": "no slice", "attribute": "no attribute"}[rule.scope]
    return f"the rule {rule.text!r} names {rule.of}, which is {kind} of these images; {suggest_nearest(rule.of, names)}"


def _names_by_scope(evaluation_set: EvaluationSet) -> Mapping[str, set[str]]:
    names: defaultdict[str, set[str]] = defaultdict(set)
    for label, attributes in zip(evaluation_set.labels, evaluation_set.attributes, strict=True):
        names["class"].add(label)
        for name, value in attributes:
            names["attribute"].add(name)
            names["slice"] |= {f"{name}={value}", f"{label} with {name}={value}"}
    return names


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """How many images the golden set has."""

    golden: int

    def __str__(self) -> str:
        """Say that the golden set, where there is one, fits this version."""
        return f"{count(self.golden, 'golden image')}, none of them trained on" if self.golden else ""
