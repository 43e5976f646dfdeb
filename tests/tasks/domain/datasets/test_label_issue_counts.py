"""Labels in doubt counted by class: what the gate makes of them, and which classes a sentence points out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.sections import Gate
from tasks.domain.datasets.label_issues import ClassIssues, LabelIssues, find_label_issues
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.gate.gate import Facts, Verdict, apply_gate_rules
from tasks.domain.gate.rule_result import in_one_line
from tests.tasks.domain.contests import HOLDINGS, SERVED, measured

RULE = "suspects of any class at most 0.2"
PUGS = ClassIssues("pug", 33, 143, "boxer")
BOXERS = ClassIssues("boxer", 1, 120, "pug")


def judged(issues: LabelIssues, rule: str = RULE, when_silent: str = "pass") -> Verdict:
    """Ask one rule about labels in doubt."""
    gate = Gate.model_validate({"rules": (rule,), "serve_check": False, "when_silent": when_silent})
    return apply_gate_rules(Facts(measured([], None), None, replace(HOLDINGS, label_issues=issues), SERVED), gate)


@pytest.mark.parametrize(
    ("rule", "outcome"),
    [
        (RULE, "rejected"),
        (f"{RULE} else ask", "needs-approval"),
        ("suspects of pug at most 0.25", "promoted"),
        ("suspects of boxer at most 0", "rejected"),
    ],
)
def test_a_class_with_too_many_doubted_labels_breaks_the_rule(rule: str, outcome: str) -> None:
    """The share of a class's labels that are probably wrong is held against the limit, and the rule may ask."""
    assert judged(LabelIssues((PUGS, BOXERS), ""), rule).outcome == outcome


def test_the_rule_names_the_class_and_the_count() -> None:
    """The reason names the class beyond the limit with how many of its labels are in doubt, and no other class."""
    verdict = judged(LabelIssues((PUGS, BOXERS), ""))
    assert verdict.reason == (
        "suspects of pug 0.231 on 143 images (33 labels are probably wrong, most look like boxer): "
        "suspects of any class at most 0.2"
    )
    assert verdict.rules[0].value == PUGS.share
    assert in_one_line(verdict.lines()[0]) == "33 of 143 in pug · failed"
    kept = judged(LabelIssues((BOXERS,), "")).rules[0]
    assert kept.said.startswith("suspects of boxer 0.008 on 120 images (1 label is probably wrong, it looks like pug)")


@pytest.mark.parametrize(("when_silent", "outcome"), [("pass", "promoted"), ("ask", "needs-approval")])
def test_what_cannot_be_measured_is_unknown(when_silent: str, outcome: str) -> None:
    """Features that tell nothing apart, or that are not at hand, leave the rule unknown in a sentence, not fine."""
    rows = [Row(str(number), "pug" if number % 2 else "boxer", Split.TRAIN, (), "") for number in range(80)]
    noise = np.random.default_rng(3).normal(size=(80, 8)).astype(np.float32)
    unknown = find_label_issues(rows, [row.image for row in rows], noise).labels
    for issues, why in ((unknown, "the features do not tell these classes apart"), (LabelIssues(), "no features")):
        verdict = judged(issues, when_silent=when_silent)
        assert verdict.outcome == outcome
        assert verdict.rules[0].silent
        assert in_one_line(verdict.lines()[0]).startswith("unknown · ")
        assert verdict.rules[0].said.startswith(f"{RULE}: unknown, since {why}")


def test_a_class_of_few_images_is_unknown() -> None:
    """One doubted label among few images is no share of a class."""
    verdict = judged(LabelIssues((ClassIssues("pug", 2, 9, "boxer"),), ""))
    assert verdict.rules[0].silent
    assert "not enough images to tell" in verdict.reason


def test_a_class_with_many_doubted_labels_is_a_sentence() -> None:
    """A class of which more labels are doubted than chance explains is pointed out with what they look like."""
    found = LabelIssues((BOXERS, PUGS), "")
    assert found.sentences() == ("probably wrong labels: 33 of 143 in pug (most look like boxer)",)
    assert found.counted() == "33 of 143 in pug, 1 of 120 in boxer"


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20))
def test_hardly_any_doubted_label_is_no_sentence(sizes: list[int]) -> None:
    """As many as are named among clean photographs point out no class, whatever its size."""
    classes = tuple(ClassIssues(str(place), images // 50, images, "pug") for place, images in enumerate(sizes))
    assert LabelIssues(classes, "").sentences() == ()
