"""The figures that a rule with a number speaks of: the challenger's own, and the data's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from configs.gate_rules import SUSPECTS, Rule
from configs.sections import Gate
from tasks.domain.datasets.label_issues import ClassIssues
from tasks.domain.datasets.version_diff import DatasetDrift
from tasks.domain.evaluation.label_evidence import ClassEvidence, LabelEvidence, LabelVotes
from tasks.domain.evaluation.metrics import Measurement
from tasks.domain.gate.rule_result import (
    RuleResult,
    failed_result,
    format_p_value,
    inconclusive_result,
    name_failures,
    passed_result,
)
from tasks.domain.phrasing import count
from tasks.domain.significance import holm

# Where nothing speaks for labels that moved, a class that is recognised less often by more than this is asked about.
_FALL = 0.05


@dataclass(frozen=True, slots=True)
class RuleFigure:
    """One figure, of what it is, on how many images it was measured (nought where that says nothing), and a remark.

    ``happened`` says in words, for a row of a table, what the value alone does not.
    """

    of: str
    value: float
    images: int = 0
    note: str = ""
    happened: str = ""

    def describe(self, figure: str) -> str:
        """Say it in words."""
        name = f"{figure} of {self.of}" if self.of else figure
        value = f"{self.value:.3f}" if self.value % 1 or self.images else f"{self.value:,.0f}"
        images = f" on {count(self.images, 'image')}" if self.images else ""
        return f"{name} {value}{images}" + (f" ({self.note})" if self.note else "")


def select_figures(rule: Rule, measured: Measurement, data: DatasetDrift, minimum: int) -> list[RuleFigure]:
    """List the figures that a rule speaks of, without those of fewer images than the minimum."""
    if rule.scope == "data":
        return list(_of_data(rule.figure, data))
    if rule.figure == "images":
        return [RuleFigure(label, number) for label, number in data.images.items() if rule.any or label == rule.of]
    if rule.scope == "all":
        value = measured.figures.overall.get(rule.figure)
        return [] if value is None else [RuleFigure("", value, measured.figures.images)]
    figures = (
        map(_label_issue_figure, data.label_issues.classes) if rule.figure == SUSPECTS else _of_parts(rule, measured)
    )
    return [
        figure
        for figure in figures
        if (rule.any or figure.of == rule.of) and (figure.images >= minimum or not figure.images)
    ]


def _of_parts(rule: Rule, measured: Measurement) -> Iterator[RuleFigure]:
    if rule.scope == "slice":
        yield from (
            RuleFigure(part.name, part.recall, part.images) for part in measured.slices if not (rule.any and part.whole)
        )
    elif rule.scope == "attribute":
        for gap in measured.gaps:
            if gap.gap is not None:
                yield RuleFigure(gap.attribute, gap.gap, note=f"best {gap.best}, worst {gap.worst}")
    else:
        for label in measured.figures.classes:
            value = label.recall if rule.figure == "recall" else label.precision
            if value is not None:
                yield RuleFigure(label.label, value, label.images)


def _label_issue_figure(issues: ClassIssues) -> RuleFigure:
    labels = count(issues.doubted, "label is", "labels are")
    looks = "it looks" if issues.doubted == 1 else "most look"
    note = f"{labels} probably wrong, {looks} like {issues.like}" if issues.doubted else "no label is in doubt"
    return RuleFigure(issues.label, issues.share, issues.images, note, str(issues) if issues.doubted else note)


def _of_data(figure: str, data: DatasetDrift) -> Iterator[RuleFigure]:
    if figure == "classes lost":
        yield RuleFigure("", len(data.lost), note=", ".join(data.lost))
    elif figure == "label conflicts":
        yield RuleFigure("", data.conflicts)
    elif data.drift is not None:
        yield RuleFigure("", data.drift, note=f"of {data.drifted}")


def apply_relabelled_rule(rule: Rule, evidence: LabelEvidence | None, gate: Gate) -> RuleResult:
    """Hold each class's share of relabelled photographs against the limit.

    A class is beyond it, too, where so many test images moved that too few are left, and whatever the share where the
    photographs speak for their old labels beyond chance: those of one class and direction (Holm's method), or all
    together. Where they speak for neither, no class may be recognised less often by more than five points, whether
    chance explains it or not. Nothing is asked of photographs that speak for their new labels beyond chance.
    """
    if evidence is None:
        return inconclusive_result(rule, gate, "the labels under which the champion was judged cannot be read")
    contradicted = _contradicted(evidence, gate)
    movements = [
        movement
        for movement in evidence.classes
        if (rule.any or movement.change.label == rule.of) and not supports_new_labels(movement, gate)
    ]
    beyond = [
        movement
        for movement in movements
        if movement in contradicted or rule.fails_at(movement.change.share) or _too_few_left(movement, gate)
    ]
    worst = max((movement.change.share for movement in movements), default=0.0)
    if beyond:
        return failed_result(
            rule, worst, name_failures([_describe_movement(movement, gate) for movement in beyond], rule)
        )
    if movements and (message := _pooled_message(evidence, gate)):
        return failed_result(
            rule,
            worst,
            f"{message}; {name_failures([_describe_movement(movement, gate) for movement in movements], rule)}",
        )
    return passed_result(rule, worst, _passed_message(evidence, movements, gate))


def supports_new_labels(movement: ClassEvidence, gate: Gate) -> bool:
    """Tell whether the photographs that moved speak for their new labels beyond chance, and no witness against them."""
    return movement.head.p_value_for_new <= gate.error_rate < movement.champion.p_value_for_old


def _contradicted(evidence: LabelEvidence, gate: Gate) -> list[ClassEvidence]:
    """List the movements of which a witness speaks for the old labels beyond chance."""
    testimonies = [testimony for movement in evidence.classes for testimony in (movement.head, movement.champion)]
    least = [0.5 ** (testimony.old + testimony.new) for testimony in testimonies]
    significant = (
        holm([testimony.p_value_for_old for testimony in testimonies], gate.error_rate, least) if testimonies else []
    )
    return [
        movement for number, movement in enumerate(evidence.classes) if any(significant[2 * number : 2 * number + 2])
    ]


def _pooled_message(evidence: LabelEvidence, gate: Gate) -> str:
    """Say what all movements together are asked about that no single one is; nothing where there is nothing to ask."""
    pooled = evidence.pool_votes([movement for movement in evidence.classes if not supports_new_labels(movement, gate)])
    if pooled.p_value_for_old <= gate.error_rate:
        return f"all relabelled photographs together speak for their old labels ({_preference('the head', pooled)})"
    fall = next(iter(evidence.falls), None)
    if fall is None or fall.drop <= _FALL or pooled.p_value_for_new <= gate.error_rate:
        return ""
    figures = f"{fall.challenger:.3f} against {fall.champion:.3f} on {count(fall.images, 'image')}"
    return f"recall of {fall.label} {figures} by the labels before, while nothing speaks for the new ones"


def _passed_message(evidence: LabelEvidence, movements: Sequence[ClassEvidence], gate: Gate) -> str:
    if not evidence.relabelling.moved:
        return "no photograph carries another label than before"
    if movements:
        return _describe_movement(movements[0], gate)
    vouched = [movement for movement in evidence.classes if supports_new_labels(movement, gate)]
    return (
        f"the photographs speak for their new labels: {_describe_movement(vouched[0], gate)}"
        if vouched
        else "of other classes"
    )


def _too_few_left(movement: ClassEvidence, gate: Gate) -> bool:
    return movement.change.direction == "lost" and movement.change.left < gate.minimum_support <= movement.change.tested


def _describe_movement(movement: ClassEvidence, gate: Gate) -> str:
    change = movement.change
    way = "to others" if change.direction == "lost" else "from others"
    text = (
        f"{change.label} {change.direction} {change.images:,} of {count(change.of, 'photograph')} {way} by relabelling"
    )
    if _too_few_left(movement, gate):
        text += f" and has {count(change.left, 'test image')} left of {change.tested:,}"
    return f"{text} ({_preference('the head', movement.head)}; {_preference('the champion', movement.champion)})"


def _preference(witness: str, testimony: LabelVotes) -> str:
    if not testimony.old + testimony.new:
        return f"{witness} cannot tell"
    p = format_p_value(min(testimony.p_value_for_old, testimony.p_value_for_new))
    return f"{witness} prefers the old label of {testimony.old:,} and the new one of {testimony.new:,}, {p}"
