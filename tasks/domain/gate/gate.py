"""The gate: what the written rules say of a challenger, each with its figure and its limit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from configs.gate_rules import RELABELLED, SUSPECTS, Rule
from configs.sections import Gate
from tasks.domain.datasets.version_diff import DatasetDrift
from tasks.domain.evaluation.data_growth import DataGrowth
from tasks.domain.evaluation.label_evidence import LabelEvidence
from tasks.domain.evaluation.metrics import Measurement
from tasks.domain.evaluation.paired_tests import PairedDifference
from tasks.domain.gate.improvement import apply_improvement_rule
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


@dataclass(frozen=True, slots=True)
class GateInputs:
    """What the gate looks at; the golden set and a champion need not exist, and the package need not be asked.

    ``labels`` is what became of the labels that the champion was judged under; None where those cannot be read.
    """

    test: Measurement
    golden: Measurement | None
    data: DatasetDrift
    serving_check: ServingCheck | None = None
    growth: DataGrowth | None = None
    labels: LabelEvidence | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all the rules said, and why in one sentence."""

    outcome: Outcome
    rules: tuple[RuleResult, ...]
    reason: str

    @property
    def promoted(self) -> bool:
        """Tell whether the challenger becomes champion."""
        return self.outcome == "promoted"

    @property
    def title(self) -> str:
        """Name the outcome as pages do."""
        return {"promoted": "Promoted", "rejected": "Refused", "needs-approval": "A person must decide"}[self.outcome]

    def __str__(self) -> str:
        """Say the verdict and its reason."""
        word = {"promoted": "promote", "rejected": "refuse", "needs-approval": "ask"}[self.outcome]
        return f"{word}: {self.reason}"

    def rules_to_dicts(self) -> tuple[Mapping[str, Any], ...]:
        """List the rules the way the outcome and the ledger write them."""
        return tuple(asdict(rule) for rule in self.rules)


def apply_gate_rules(facts: GateInputs, gate: Gate) -> Verdict:
    """Ask every rule; without a champion those that compare are not asked.

    A rule is broken where its figure is beyond the limit; one that compares needs, besides, that chance alone does not
    explain it: of all comparing rules together, in at most ``gate.error_rate`` of the nights a single one refuses a
    model as good as its champion (Holm). Then the improvement itself must be shown, at the same rate, or be
    likely.
    """
    rules = [rule for rule in gate.parsed if _answerable(rule, facts)]
    significant = _significant_falls([rule for rule in rules if rule.compares], facts, gate)
    results = [
        _apply_comparing_rule(rule, facts, gate, significant)
        if rule.compares
        else _apply_threshold_rule(rule, facts, gate)
        for rule in rules
    ]
    if facts.test.comparison and gate.needs != "no-harm":
        results.insert(0, apply_improvement_rule(facts.test.comparison, gate, facts.growth))
    return _verdict(tuple(results), facts)


def _verdict(results: tuple[RuleResult, ...], facts: GateInputs) -> Verdict:
    failed = [result for result in results if result.outcome == "failed"]
    asking = [result for result in results if result.outcome == "ask"]
    outcome: Outcome = "rejected" if failed else "needs-approval" if asking else "promoted"
    # A refused model's labels may have moved too, and then they are why its figures are what they are.
    reason = "; ".join(result.said for result in (*failed, *asking)) or _success_reason(results)
    changes = facts.labels.relabelling.sentences() if facts.labels else ()
    return Verdict(outcome, results, "; ".join((reason, *changes)))


def _success_reason(results: Sequence[RuleResult]) -> str:
    if not results:
        return "no rule was asked"
    inconclusive = sum(result.silent for result in results[1:])
    remaining = len(results) - 1 - inconclusive
    passed = f", and {remaining} more {'rule' if remaining == 1 else 'rules'} passed" if remaining else ""
    return results[0].said + passed + (f", {inconclusive} had nothing to say" if inconclusive else "")


def _answerable(rule: Rule, facts: GateInputs) -> bool:
    """Tell whether there is a champion to compare with, or the rule needs none."""
    if rule.figure == RELABELLED:
        return facts.labels is not None or facts.test.comparison is not None
    return not rule.compares or _measurement(facts, rule).comparison is not None


def _measurement(facts: GateInputs, rule: Rule) -> Measurement:
    return facts.golden if rule.golden and facts.golden else facts.test


def _apply_threshold_rule(rule: Rule, facts: GateInputs, gate: Gate) -> RuleResult:
    """Hold the challenger's own figures, the data's, or the packaged model's answers, against a number."""
    if rule.figure == RELABELLED:
        return apply_relabelled_rule(rule, facts.labels, gate)
    if rule.scope == "served":
        return _apply_serving_rule(rule, facts.serving_check, gate)
    figures = select_figures(rule, _measurement(facts, rule), facts.data, gate.minimum_support)
    if not figures:
        unknown = facts.data.label_issues.unknown if rule.figure == SUSPECTS else ""
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


def _pairs_of(rule: Rule, facts: GateInputs, gate: Gate) -> list[PairedDifference]:
    """Collect the comparisons that a rule speaks of, as far as there are enough images."""
    measured = _measurement(facts, rule)
    pairs = measured.comparison.paired if measured.comparison else ()
    # Such a slice would be asked twice, once as its class; a rule that names it still speaks of it.
    twice = {part.name for part in measured.slices if part.whole and rule.any}
    covered = [part for part in pairs if part.figure == rule.figure and _covers(rule, part) and part.of not in twice]
    return [part for part in covered if part.images >= gate.minimum_support or not part.of]


def _covers(rule: Rule, pair: PairedDifference) -> bool:
    return bool(pair.of) and rule.scope == ("slice" if "=" in pair.of else "class") if rule.any else pair.of == rule.of


def _significant_falls(rules: Sequence[Rule], facts: GateInputs, gate: Gate) -> set[tuple[bool, str, str]]:
    """Name the falls that chance does not explain, all tests of all rules taken together."""
    pairs = {(rule.golden, pair.figure, pair.of): pair for rule in rules for pair in _pairs_of(rule, facts, gate)}
    significant = holm(
        [pair.worse for pair in pairs.values()], gate.error_rate, [pair.least for pair in pairs.values()]
    )
    return {key for key, is_significant in zip(pairs, significant, strict=True) if is_significant}


def _apply_comparing_rule(
    rule: Rule, facts: GateInputs, gate: Gate, significant: set[tuple[bool, str, str]]
) -> RuleResult:
    pairs = sorted(_pairs_of(rule, facts, gate), key=lambda pair: -pair.drop)
    if not pairs:
        return inconclusive_result(rule, gate)
    harmful = [
        pair for pair in pairs if pair.drop > rule.limit + 1e-9 and (rule.golden, pair.figure, pair.of) in significant
    ]
    if harmful:
        result = failed_result(rule, harmful[0].drop, name_failures([_describe_fall(pair) for pair in harmful], rule))
        return replace(result, p=harmful[0].worse, unlikely=True)
    worst, value = pairs[0], pairs[0].drop
    if value <= rule.limit + 1e-9:
        return passed_result(rule, value, _describe_fall(worst))
    message = f"{_describe_fall(worst)}, which chance may explain ({format_p_value(worst.worse)})"
    return replace(passed_result(rule, value, message), p=worst.worse)


def _describe_fall(pair: PairedDifference) -> str:
    name = f"{pair.figure} of {pair.of}" if pair.of else pair.figure
    return f"{name} {pair.challenger:.3f} against {pair.champion:.3f} on {count(pair.images, 'image')}"
