"""Gate rules on fixed limits: the figures that each rule is about, and the rule for relabelled photographs."""

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

# The largest drop in a class's recall that needs no approval where nothing supports the labels that moved.
_LARGEST_DROP = 0.05


@dataclass(frozen=True, slots=True)
class RuleFigure:
    """One figure that a rule is about.

    Attributes:
        of: The class, slice or attribute; empty where the figure is about all images.
        value: The figure.
        images: The number of images behind it; 0 where that says nothing.
        note: A remark for the sentence.
        happened: What happened, in words, for the row of a table.
    """

    of: str
    value: float
    images: int = 0
    note: str = ""
    happened: str = ""

    def describe(self, figure: str) -> str:
        """Describe the figure in words, under this name."""
        name = f"{figure} of {self.of}" if self.of else figure
        value = f"{self.value:.3f}" if self.value % 1 or self.images else f"{self.value:,.0f}"
        images = f" on {count(self.images, 'image')}" if self.images else ""
        return f"{name} {value}{images}" + (f" ({self.note})" if self.note else "")


def select_figures(rule: Rule, measurement: Measurement, data: DatasetDrift, minimum: int) -> list[RuleFigure]:
    """Select the figures that a rule is about, without those of too few images.

    Args:
        rule: The rule.
        measurement: The challenger's metrics, on the test split or the golden set.
        data: How the dataset version differs from its parent.
        minimum: Figures of fewer images are left out.

    Returns:
        The figures.
    """
    if rule.scope == "data":
        return list(_select_data_figures(rule.figure, data))
    if rule.figure == "images":
        return [RuleFigure(label, number) for label, number in data.images.items() if rule.any or label == rule.of]
    if rule.scope == "all":
        value = measurement.figures.overall.get(rule.figure)
        return [] if value is None else [RuleFigure("", value, measurement.figures.images)]
    figures = (
        map(_label_issue_figure, data.label_issues.classes)
        if rule.figure == SUSPECTS
        else _select_part_figures(rule, measurement)
    )
    return [
        figure
        for figure in figures
        if (rule.any or figure.of == rule.of) and (figure.images >= minimum or not figure.images)
    ]


def _select_part_figures(rule: Rule, measurement: Measurement) -> Iterator[RuleFigure]:
    if rule.scope == "slice":
        yield from (
            RuleFigure(part.name, part.recall, part.images)
            for part in measurement.slices
            if not (rule.any and part.whole)
        )
    elif rule.scope == "attribute":
        for gap in measurement.gaps:
            if gap.gap is not None:
                yield RuleFigure(gap.attribute, gap.gap, note=f"best {gap.best}, worst {gap.worst}")
    else:
        for label in measurement.figures.classes:
            value = label.recall if rule.figure == "recall" else label.precision
            if value is not None:
                yield RuleFigure(label.label, value, label.images)


def _label_issue_figure(issues: ClassIssues) -> RuleFigure:
    labels = count(issues.doubted, "label is", "labels are")
    looks = "it looks" if issues.doubted == 1 else "most look"
    note = f"{labels} probably wrong, {looks} like {issues.like}" if issues.doubted else "no label is in doubt"
    return RuleFigure(issues.label, issues.share, issues.images, note, str(issues) if issues.doubted else note)


def _select_data_figures(figure: str, data: DatasetDrift) -> Iterator[RuleFigure]:
    if figure == "classes lost":
        yield RuleFigure("", len(data.lost), note=", ".join(data.lost))
    elif figure == "label conflicts":
        yield RuleFigure("", data.conflicts)
    elif data.drift is not None:
        yield RuleFigure("", data.drift, note=f"of {data.drifted}")


def apply_relabelled_rule(rule: Rule, evidence: LabelEvidence | None, gate: Gate) -> RuleResult:
    """Compare each class's share of relabelled photographs with the limit.

    A class fails where the share is beyond the limit, where too few of its test images keep their label, or where votes
    for the old labels are beyond chance: those of one class and direction (Holm's method), or all of them together.
    Where the votes support neither the old nor the new labels, no class may lose more than five points of recall,
    whether chance explains that or not. Classes whose votes support the new labels beyond chance are left out.

    Args:
        rule: The rule.
        evidence: What moved, and the votes on it; None where the former labels cannot be read.
        gate: The error rate and the fewest images.

    Returns:
        The result, with the largest share.
    """
    if evidence is None:
        return inconclusive_result(rule, gate, "the labels under which the champion was judged cannot be read")
    contradicted = _find_contradicted(evidence, gate)
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
    """Return whether the votes on photographs that moved support their new labels.

    Args:
        movement: The votes on one class and direction.
        gate: The error rate.

    Returns:
        Whether the head supports the new labels beyond chance, and the champion does not support the old ones.
    """
    return movement.head.p_value_for_new <= gate.error_rate < movement.champion.p_value_for_old


def _find_contradicted(evidence: LabelEvidence, gate: Gate) -> list[ClassEvidence]:
    """Find the movements for which the head or the champion supports the old labels beyond chance."""
    all_votes = [votes for movement in evidence.classes for votes in (movement.head, movement.champion)]
    least = [0.5 ** (votes.old + votes.new) for votes in all_votes]
    significant = holm([votes.p_value_for_old for votes in all_votes], gate.error_rate, least) if all_votes else []
    return [
        movement for number, movement in enumerate(evidence.classes) if any(significant[2 * number : 2 * number + 2])
    ]


def _pooled_message(evidence: LabelEvidence, gate: Gate) -> str:
    """Describe what all movements together raise that no single one does; empty where they raise nothing."""
    pooled = evidence.pool_votes([movement for movement in evidence.classes if not supports_new_labels(movement, gate)])
    if pooled.p_value_for_old <= gate.error_rate:
        return f"all relabelled photographs together speak for their old labels ({_preference('the head', pooled)})"
    fall = next(iter(evidence.falls), None)
    if fall is None or fall.drop <= _LARGEST_DROP or pooled.p_value_for_new <= gate.error_rate:
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


def _preference(witness: str, votes: LabelVotes) -> str:
    if not votes.old + votes.new:
        return f"{witness} cannot tell"
    p = format_p_value(min(votes.p_value_for_old, votes.p_value_for_new))
    return f"{witness} prefers the old label of {votes.old:,} and the new one of {votes.new:,}, {p}"
