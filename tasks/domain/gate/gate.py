"""The gate: what the written rules say of a challenger, each with its figure and its limit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from configs.gate_rules import RELABELLED, SUSPECTS, Rule
from configs.sections import Gate
from tasks.domain.datasets.drift import Holdings
from tasks.domain.evaluation.data_growth import Growth
from tasks.domain.evaluation.label_evidence import LabelEvidence
from tasks.domain.evaluation.metrics import Measured
from tasks.domain.evaluation.paired_tests import Paired
from tasks.domain.gate.improvement import improvement
from tasks.domain.gate.relabelled_rule import relabelled
from tasks.domain.gate.rule_result import Ruling, broken, chance, kept, naming, silent
from tasks.domain.gate.serving_check import Served
from tasks.domain.gate.thresholds import figures_asked
from tasks.domain.phrasing import count
from tasks.domain.significance import holm

Outcome = Literal["promoted", "rejected", "needs-approval"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the gate looks at; the golden set and a champion need not exist, and the package need not be asked.

    ``labels`` is what became of the labels that the champion was judged under; None where those cannot be read.
    """

    test: Measured
    golden: Measured | None
    data: Holdings
    served: Served | None = None
    growth: Growth | None = None
    labels: LabelEvidence | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What all the rules said, and why in one sentence."""

    outcome: Outcome
    rules: tuple[Ruling, ...]
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

    def lines(self) -> tuple[Mapping[str, Any], ...]:
        """List the rules the way the outcome and the ledger write them."""
        return tuple(asdict(rule) for rule in self.rules)


def judge(facts: Facts, gate: Gate) -> Verdict:
    """Ask every rule; without a champion those that compare are not asked.

    A rule is broken where its figure is beyond the limit; one that compares needs, besides, that chance alone does not
    explain it: of all comparing rules together, in at most ``gate.error_rate`` of the nights a single one refuses a
    model as good as its champion (Holm). Then the improvement itself must be shown, at the same rate, or be
    likely.
    """
    asked = [rule for rule in gate.parsed if _answerable(rule, facts)]
    spoken = _beyond_chance([rule for rule in asked if rule.compares], facts, gate)
    rulings = [_compared(rule, facts, gate, spoken) if rule.compares else _held(rule, facts, gate) for rule in asked]
    if facts.test.comparison and gate.needs != "no-harm":
        rulings.insert(0, improvement(facts.test.comparison, gate, facts.growth))
    return _verdict(tuple(rulings), facts)


def _verdict(rulings: tuple[Ruling, ...], facts: Facts) -> Verdict:
    failed = [one for one in rulings if one.outcome == "failed"]
    asking = [one for one in rulings if one.outcome == "ask"]
    outcome: Outcome = "rejected" if failed else "needs-approval" if asking else "promoted"
    # A refused model's labels may have moved too, and then they are why its figures are what they are.
    reason = "; ".join(one.said for one in (*failed, *asking)) or _praise(rulings)
    changes = facts.labels.relabelling.sentences() if facts.labels else ()
    return Verdict(outcome, rulings, "; ".join((reason, *changes)))


def _praise(rulings: Sequence[Ruling]) -> str:
    if not rulings:
        return "no rule was asked"
    silences = sum(one.silent for one in rulings[1:])
    others = len(rulings) - 1 - silences
    passed = f", and {others} more {'rule' if others == 1 else 'rules'} passed" if others else ""
    return rulings[0].said + passed + (f", {silences} had nothing to say" if silences else "")


def _answerable(rule: Rule, facts: Facts) -> bool:
    """Tell whether there is a champion to compare with, or the rule needs none."""
    if rule.figure == RELABELLED:
        return facts.labels is not None or facts.test.comparison is not None
    return not rule.compares or _set(facts, rule).comparison is not None


def _set(facts: Facts, rule: Rule) -> Measured:
    return facts.golden if rule.golden and facts.golden else facts.test


def _held(rule: Rule, facts: Facts, gate: Gate) -> Ruling:
    """Hold the challenger's own figures, the data's, or the packaged model's answers, against a number."""
    if rule.figure == RELABELLED:
        return relabelled(rule, facts.labels, gate)
    if rule.scope == "served":
        return _served(rule, facts.served, gate)
    found = figures_asked(rule, _set(facts, rule), facts.data, gate.minimum_support)
    if not found:
        unknown = facts.data.label_issues.unknown if rule.figure == SUSPECTS else ""
        return replace(silent(rule, gate, unknown), happened="unknown" if rule.figure == SUSPECTS else "")
    worst, *others = sorted(found, key=lambda one: one.value, reverse=rule.kind != "at least")
    beyond = [one for one in (worst, *others) if rule.broken_by(one.value)]
    if beyond:
        ruling = broken(rule, worst.value, naming([one.words(rule.figure) for one in beyond], rule))
        return replace(ruling, happened=worst.happened)
    side = "at least" if rule.kind == "at least" else "at most"
    ruling = kept(rule, worst.value, f"{worst.words(rule.figure)} is {side} {rule.limit:g}")
    return replace(ruling, happened=worst.happened)


def _served(rule: Rule, found: Served | None, gate: Gate) -> Ruling:
    if found is None or not found.asked:
        return silent(rule, gate, "no test image was there to ask about")
    if found.wrong:
        return broken(rule, found.unlike, naming([found.wrong], rule))
    return kept(rule, 0.0, str(found))


def _family(rule: Rule, facts: Facts, gate: Gate) -> list[Paired]:
    """Collect the comparisons that a rule speaks of, as far as there are enough images."""
    measured = _set(facts, rule)
    found = measured.comparison.paired if measured.comparison else ()
    # Such a slice would be asked twice, once as its class; a rule that names it still speaks of it.
    twice = {one.name for one in measured.slices if one.whole and rule.any}
    wanted = [one for one in found if one.figure == rule.figure and _means(rule, one) and one.of not in twice]
    return [one for one in wanted if one.images >= gate.minimum_support or not one.of]


def _means(rule: Rule, one: Paired) -> bool:
    return bool(one.of) and rule.scope == ("slice" if "=" in one.of else "class") if rule.any else one.of == rule.of


def _beyond_chance(rules: Sequence[Rule], facts: Facts, gate: Gate) -> set[tuple[bool, str, str]]:
    """Name the falls that chance does not explain, all tests of all rules taken together."""
    tests = {(rule.golden, one.figure, one.of): one for rule in rules for one in _family(rule, facts, gate)}
    speaks = holm([one.worse for one in tests.values()], gate.error_rate, [one.least for one in tests.values()])
    return {name for name, spoken in zip(tests, speaks, strict=True) if spoken}


def _compared(rule: Rule, facts: Facts, gate: Gate, spoken: set[tuple[bool, str, str]]) -> Ruling:
    found = sorted(_family(rule, facts, gate), key=lambda one: -one.fall)
    if not found:
        return silent(rule, gate)
    harm = [one for one in found if one.fall > rule.limit + 1e-9 and (rule.golden, one.figure, one.of) in spoken]
    if harm:
        ruling = broken(rule, harm[0].fall, naming([_fell(one) for one in harm], rule))
        return replace(ruling, p=harm[0].worse, unlikely=True)
    worst, value = found[0], found[0].fall
    if value <= rule.limit + 1e-9:
        return kept(rule, value, _fell(worst))
    said = f"{_fell(worst)}, which chance may explain ({chance(worst.worse)})"
    return replace(kept(rule, value, said), p=worst.worse)


def _fell(one: Paired) -> str:
    name = f"{one.figure} of {one.of}" if one.of else one.figure
    return f"{name} {one.challenger:.3f} against {one.champion:.3f} on {count(one.images, 'image')}"
