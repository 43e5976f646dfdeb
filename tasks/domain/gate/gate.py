"""The gate: applies the written rules to a challenger, and decides from their results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

from configs.gate_rules import RELABELLED, SUSPECTS, Rule
from configs.sections import Gate
from tasks.domain.datasets.version_diff import DatasetDrift
from tasks.domain.evaluation.data_growth import DataGrowth
from tasks.domain.evaluation.label_evidence import LabelEvidence
from tasks.domain.evaluation.metrics import Measurement
from tasks.domain.evaluation.paired_tests import PairedDifference
from tasks.domain.gate.improvement import apply_improvement_rule
from tasks.domain.gate.live_disagreement import LiveDisagreement, apply_live_rule
from tasks.domain.gate.rule_result import (
    RuleResult,
    failed_result,
    format_p_value,
    inconclusive_result,
    name_failures,
    passed_result,
)
from tasks.domain.gate.rules import apply_relabelled_rule, select_figures
from tasks.domain.gate.serving_check import ServingCheck
from tasks.domain.phrasing import count
from tasks.domain.significance import holm

Outcome = Literal["promoted", "rejected", "needs-approval"]


class _TestKey(NamedTuple):
    """What one significance test is about: the golden set or the test split, a figure, and its class or slice."""

    golden: bool
    figure: str
    of: str


@dataclass(frozen=True, slots=True)
class GateInputs:
    """What the rules are applied to.

    Attributes:
        test: Both models on the test split.
        golden: Both models on the golden set; None where there is none.
        data: How the dataset version differs from its parent.
        serving_check: How the packaged model answered; None where no rule asks for it.
        growth: How the training data grew since the champion; None where that cannot be known.
        labels: How labels changed since the champion was evaluated; None where those labels cannot be read.
        live: How often the two models differ on live photographs; None where none is known that both answered.
    """

    test: Measurement
    golden: Measurement | None
    data: DatasetDrift
    serving_check: ServingCheck | None = None
    growth: DataGrowth | None = None
    labels: LabelEvidence | None = None
    live: LiveDisagreement | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's decision, the result of each rule, and the reason in one sentence."""

    outcome: Outcome
    rules: tuple[RuleResult, ...]
    reason: str

    @property
    def promoted(self) -> bool:
        """Return whether the challenger becomes champion."""
        return self.outcome == "promoted"

    @property
    def title(self) -> str:
        """Return the name of the outcome for a heading."""
        return {"promoted": "Promoted", "rejected": "Rejected", "needs-approval": "A person must decide"}[self.outcome]

    def __str__(self) -> str:
        """Return the verdict with its reason."""
        word = {"promoted": "promote", "rejected": "reject", "needs-approval": "ask"}[self.outcome]
        return f"{word}: {self.reason}"

    def rules_to_dicts(self) -> tuple[Mapping[str, Any], ...]:
        """Return the results of the rules as the outcome and the ledger store them."""
        return tuple(asdict(rule) for rule in self.rules)


def apply_gate_rules(inputs: GateInputs, gate: Gate) -> Verdict:
    """Apply every rule to a challenger; without a champion those that compare two models are left out.

    A rule fails where its figure is beyond the limit. A comparing rule also needs that chance does not explain the
    difference: of all comparing rules together, in at most ``gate.error_rate`` of the runs a single one rejects a model
    that is as good as its champion (Holm's method). In addition the improvement itself must be shown at the same rate,
    or be likely, unless ``gate.needs`` is ``no-harm``.

    Args:
        inputs: What the rules are applied to.
        gate: The rules, and how strict they are.

    Returns:
        The verdict: rejected where a rule fails, else a question to a person where a rule asks, else promoted.
    """
    rules = [rule for rule in gate.parsed if _applies(rule, inputs)]
    significant = _find_significant_drops([rule for rule in rules if rule.compares], inputs, gate)
    results = [
        _apply_comparing_rule(rule, inputs, gate, significant)
        if rule.compares
        else _apply_threshold_rule(rule, inputs, gate)
        for rule in rules
    ]
    if inputs.test.comparison and gate.needs != "no-harm":
        results.insert(0, apply_improvement_rule(inputs.test.comparison, gate, inputs.growth))
    return _conclude(tuple(results), inputs)


def _conclude(results: tuple[RuleResult, ...], inputs: GateInputs) -> Verdict:
    failed = [result for result in results if result.outcome == "failed"]
    open_questions = [result for result in results if result.outcome == "ask"]
    outcome: Outcome = "rejected" if failed else "needs-approval" if open_questions else "promoted"
    # The labels may have moved as well, which explains the figures of a model that is rejected.
    reason = "; ".join(result.said for result in (*failed, *open_questions)) or _describe_success(results)
    changes = inputs.labels.relabelling.sentences() if inputs.labels else ()
    return Verdict(outcome, results, "; ".join((reason, *changes)))


def _describe_success(results: Sequence[RuleResult]) -> str:
    if not results:
        return "no rule was asked"
    inconclusive = sum(result.silent for result in results[1:])
    remaining = len(results) - 1 - inconclusive
    passed = f", and {remaining} more {'rule' if remaining == 1 else 'rules'} passed" if remaining else ""
    return results[0].said + passed + (f", {inconclusive} inconclusive" if inconclusive else "")


def _applies(rule: Rule, inputs: GateInputs) -> bool:
    """Return whether the rule compares nothing, or there is a champion to compare with."""
    if rule.figure == RELABELLED:
        return inputs.labels is not None or inputs.test.comparison is not None
    if rule.scope == "live":
        return inputs.test.comparison is not None
    return not rule.compares or _select_measurement(inputs, rule).comparison is not None


def _select_measurement(inputs: GateInputs, rule: Rule) -> Measurement:
    return inputs.golden if rule.golden and inputs.golden else inputs.test


def _apply_threshold_rule(rule: Rule, inputs: GateInputs, gate: Gate) -> RuleResult:
    """Apply a rule with a fixed limit to the challenger's figures, the data's, or the packaged model's answers.

    Returns:
        The result, with the figure that is furthest on the wrong side.
    """
    if rule.figure == RELABELLED:
        return apply_relabelled_rule(rule, inputs.labels, gate)
    if rule.scope == "served":
        return _apply_serving_rule(rule, inputs.serving_check, gate)
    if rule.scope == "live":
        return apply_live_rule(rule, inputs.live or LiveDisagreement(), gate)
    figures = select_figures(rule, _select_measurement(inputs, rule), inputs.data, gate.minimum_support)
    if not figures:
        unknown = inputs.data.label_issues.unknown if rule.figure == SUSPECTS else ""
        return replace(inconclusive_result(rule, gate, unknown), happened="unknown" if rule.figure == SUSPECTS else "")
    worst, *remaining = sorted(figures, key=lambda figure: figure.value, reverse=rule.kind != "at least")
    beyond = [figure for figure in (worst, *remaining) if rule.fails_at(figure.value)]
    if beyond:
        result = failed_result(
            rule, worst.value, name_failures([figure.describe(rule.figure) for figure in beyond], rule)
        )
        return replace(result, happened=worst.happened)
    side = "at least" if rule.kind == "at least" else "at most"
    result = passed_result(rule, worst.value, f"{worst.describe(rule.figure)} is {side} {rule.limit:g}")
    return replace(result, happened=worst.happened)


def _apply_serving_rule(rule: Rule, serving_check: ServingCheck | None, gate: Gate) -> RuleResult:
    if serving_check is None or not serving_check.asked:
        return inconclusive_result(rule, gate, "no test image was there to ask about")
    if serving_check.wrong:
        return failed_result(rule, serving_check.unlike, name_failures([serving_check.wrong], rule))
    return passed_result(rule, 0.0, str(serving_check))


def _select_pairs(rule: Rule, inputs: GateInputs, gate: Gate) -> list[PairedDifference]:
    """Select the comparisons that a rule is about and that have enough images.

    Returns:
        The comparisons in the order of the measurement.
    """
    measurement = _select_measurement(inputs, rule)
    pairs = measurement.comparison.paired if measurement.comparison else ()
    # A slice that is a whole class would be tested twice, once as that class, unless the rule names it.
    whole_slices = {data_slice.name for data_slice in measurement.slices if data_slice.whole and rule.any}
    covered = [
        pair for pair in pairs if pair.figure == rule.figure and _covers(rule, pair) and pair.of not in whole_slices
    ]
    return [pair for pair in covered if pair.images >= gate.minimum_support or not pair.of]


def _covers(rule: Rule, pair: PairedDifference) -> bool:
    """Return whether a comparison is one that the rule is about."""
    if not rule.any:
        return pair.of == rule.of
    scope = "slice" if "=" in pair.of else "class"
    return pair.of != "" and rule.scope == scope


def _find_significant_drops(rules: Sequence[Rule], inputs: GateInputs, gate: Gate) -> set[_TestKey]:
    """Find the drops that chance does not explain, with all tests of all rules taken together."""
    pairs = {
        _TestKey(rule.golden, pair.figure, pair.of): pair
        for rule in rules
        for pair in _select_pairs(rule, inputs, gate)
    }
    significant = holm(
        [pair.worse for pair in pairs.values()], gate.error_rate, [pair.least for pair in pairs.values()]
    )
    return {key for key, is_significant in zip(pairs, significant, strict=True) if is_significant}


def _apply_comparing_rule(rule: Rule, inputs: GateInputs, gate: Gate, significant: set[_TestKey]) -> RuleResult:
    pairs = sorted(_select_pairs(rule, inputs, gate), key=lambda pair: -pair.drop)
    if not pairs:
        return inconclusive_result(rule, gate)
    harmful = [
        pair
        for pair in pairs
        if pair.drop > rule.limit + 1e-9 and _TestKey(rule.golden, pair.figure, pair.of) in significant
    ]
    if harmful:
        result = failed_result(rule, harmful[0].drop, name_failures([_describe_drop(pair) for pair in harmful], rule))
        return replace(result, p=harmful[0].worse, unlikely=True)
    worst, value = pairs[0], pairs[0].drop
    if value <= rule.limit + 1e-9:
        return passed_result(rule, value, _describe_drop(worst))
    message = f"{_describe_drop(worst)}, which chance may explain ({format_p_value(worst.worse)})"
    return replace(passed_result(rule, value, message), p=worst.worse)


def _describe_drop(pair: PairedDifference) -> str:
    name = f"{pair.figure} of {pair.of}" if pair.of else pair.figure
    return f"{name} {pair.challenger:.3f} against {pair.champion:.3f} on {count(pair.images, 'image')}"
