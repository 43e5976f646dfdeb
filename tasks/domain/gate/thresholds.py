"""The figures that a rule with a number speaks of: the challenger's own, and the data's."""

from collections.abc import Iterator
from dataclasses import dataclass

from configs.gate_rules import SUSPECTS, Rule
from tasks.domain.datasets.drift import Holdings
from tasks.domain.datasets.label_issue_counts import ClassIssues
from tasks.domain.evaluation.metrics import Measured
from tasks.domain.phrasing import count


@dataclass(frozen=True, slots=True)
class Asked:
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


def figures_asked(rule: Rule, measured: Measured, data: Holdings, minimum: int) -> list[Asked]:
    """List the figures that a rule speaks of, without those of fewer images than the minimum."""
    if rule.scope == "data":
        return list(_of_data(rule.figure, data))
    if rule.figure == "images":
        return [Asked(label, number) for label, number in data.images.items() if rule.any or label == rule.of]
    if rule.scope == "all":
        value = measured.figures.overall.get(rule.figure)
        return [] if value is None else [Asked("", value, measured.figures.images)]
    found = map(_doubted, data.label_issues.classes) if rule.figure == SUSPECTS else _of_parts(rule, measured)
    return [one for one in found if (rule.any or one.of == rule.of) and (one.images >= minimum or not one.images)]


def _of_parts(rule: Rule, measured: Measured) -> Iterator[Asked]:
    if rule.scope == "slice":
        yield from (Asked(one.name, one.recall, one.images) for one in measured.slices if not (rule.any and one.whole))
    elif rule.scope == "attribute":
        for gap in measured.gaps:
            if gap.gap is not None:
                yield Asked(gap.attribute, gap.gap, note=f"best {gap.best}, worst {gap.worst}")
    else:
        for label in measured.figures.classes:
            value = label.recall if rule.figure == "recall" else label.precision
            if value is not None:
                yield Asked(label.label, value, label.images)


def _doubted(one: ClassIssues) -> Asked:
    labels = count(one.doubted, "label is", "labels are")
    looks = "it looks" if one.doubted == 1 else "most look"
    note = f"{labels} probably wrong, {looks} like {one.like}" if one.doubted else "no label is in doubt"
    return Asked(one.label, one.share, one.images, note, str(one) if one.doubted else note)


def _of_data(figure: str, data: Holdings) -> Iterator[Asked]:
    if figure == "classes lost":
        yield Asked("", len(data.lost), note=", ".join(data.lost))
    elif figure == "label conflicts":
        yield Asked("", data.conflicts)
    elif data.drift is not None:
        yield Asked("", data.drift, note=f"of {data.drifted}")
