"""What the settings and a dataset version must agree on: names in rules, and images that no model may have learned."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from configs.gate_rules import Rule, nearest
from tasks.domain.datasets.manifest import Row
from tasks.domain.evaluation.comparison import EvaluationSet
from tasks.domain.phrasing import count


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
    return f"the rule {rule.text!r} names {rule.of}, which is {kind} of these images; {nearest(rule.of, names)}"


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
