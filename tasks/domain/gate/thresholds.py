"""The figures that a rule with a number speaks of: the challenger's own, and the data's."""

from collections.abc import Iterator
from dataclasses import dataclass

from configs.gate_rules import SUSPECTS, Rule
from tasks.domain.datasets.drift import DatasetDrift
from tasks.domain.datasets.label_issue_counts import ClassIssues
from tasks.domain.evaluation.metrics import Measurement
from tasks.domain.phrasing import count


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

    def words(self, figure: str) -> str:
        """Say it in words."""
        name = f"{figure} of {self.of}" if self.of else figure
        value = f"{self.value:.3f}" if self.value % 1 or self.images else f"{self.value:,.0f}"
        images = f" on {count(self.images, 'image')}" if self.images else ""
        return f"{name} {value}{images}" + (f" ({self.note})" if self.note else "")


def figures_for_rule(rule: Rule, measured: Measurement, data: DatasetDrift, minimum: int) -> list[RuleFigure]:
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
