"""Label issues: as many as the features bear out, counted by class, and what the gate makes of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from configs.cores import single_threaded_blas
from configs.sections import Gate
from tasks.domain.datasets.label_issues import ClassIssues, LabelIssues, find_label_issues, fit_pca
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.gate.gate import GateInputs, Verdict, apply_gate_rules
from tasks.domain.gate.rule_result import build_rule_row
from tasks.domain.labels.confident_learning import find_label_errors
from tests.tasks.domain.measurements import DRIFT, SERVED, measured

CLASSES, EACH = 6, 80
TRUTH = np.repeat(np.arange(CLASSES), EACH)
GROUPS = list(map(str, range(len(TRUTH))))


def drawn(spread: float, seed: int, truth: NDArray[np.int64] = TRUTH) -> NDArray[np.float32]:
    """Draw features of Gaussian classes; the larger the spread of their centres, the better they are told apart."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(int(truth.max()) + 1, 16)) * spread
    return (centres[truth] + chance.normal(size=(len(truth), 16))).astype(np.float32)


def named(features: NDArray[np.float32], labels: NDArray[np.int64]) -> list[int]:
    """List the images that are named, in their order."""
    return [error.index for error in find_label_errors(features, labels, GROUPS[: len(labels)]).errors]


@pytest.mark.parametrize("spread", [0.3, 0.45, 0.6, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_hardly_any_clean_image_is_named(spread: float, seed: int) -> None:
    """However much classes overlap, at most one correct label in fifty is doubted."""
    assert len(named(drawn(spread, seed), TRUTH)) <= 0.02 * len(TRUTH)


@pytest.mark.parametrize("seed", range(3))
def test_planted_errors_come_first(seed: int) -> None:
    """Of ten wrong labels a class at least half are named, they come first, and few others are named."""
    chance = np.random.default_rng(seed)
    labels = TRUTH.copy()
    for label in range(CLASSES):
        moved = chance.choice(np.flatnonzero(label == TRUTH), 10, replace=False)
        labels[moved] = (label + chance.integers(1, CLASSES, 10)) % CLASSES
    wrong = labels != TRUTH
    indices = named(drawn(1.0, seed), labels)
    assert wrong[indices[:20]].mean() >= 0.9
    assert (~wrong[indices]).sum() <= 0.02 * (~wrong).sum()
    for label in range(CLASSES):
        assert sum(wrong[index] and TRUTH[index] == label for index in indices) >= 10 // 2


@pytest.mark.parametrize("seed", range(3))
def test_a_part_of_a_class_in_another_s_folder_is_seen(seed: int) -> None:
    """Where a quarter of a class lies in the folder of another, some of it is named and hardly anything else there."""
    labels = TRUTH.copy()
    moved = np.random.default_rng(seed).choice(np.flatnonzero(TRUTH == 0), EACH // 4, replace=False)
    labels[moved] = 1
    indices = [index for index in named(drawn(1.5, seed), labels) if labels[index] == 1]
    assert len(indices) >= len(moved) // 8
    assert np.isin(indices, moved).mean() >= 0.8


def test_ten_images_a_class_raise_no_alarm() -> None:
    """Classes of ten images that the features hardly tell apart, clean or not, have no label issues."""
    truth = np.repeat(np.arange(12), 10)
    assert named(drawn(0.25, 1, truth), truth) == []


def test_copies_do_not_vouch_for_each_other() -> None:
    """A wrongly labelled burst is named, since none of its pictures is judged by a head that learned from another."""
    features = drawn(1.0, 4)
    features[1:8] = features[0]
    labels, groups = TRUTH.copy(), [*GROUPS]
    labels[:8], groups[:8] = 3, ["burst"] * 8
    assert {error.index for error in find_label_errors(features, labels, groups).errors} >= set(range(8))


def test_scores_are_in_order() -> None:
    """Each doubted image looks more like another class than like its label; the greatest contrast is first."""
    labels = TRUTH.copy()
    labels[[3, 90, 200]] = [2, 4, 0]
    errors = find_label_errors(drawn(0.8, 5), labels, GROUPS).errors
    contrasts = [error.likeliest / error.given for error in errors]
    assert contrasts == sorted(contrasts, reverse=True)
    assert all(error.likely != labels[error.index] and error.likeliest > error.given for error in errors)


def test_a_class_that_no_other_group_shows_is_not_judged() -> None:
    """All pictures of one burst, or a single one, are no evidence against the label of their class."""
    truth = np.append(TRUTH, [CLASSES] * 8 + [CLASSES + 1])
    errors = find_label_errors(drawn(1.0, 6, truth), truth, [*GROUPS, *["burst"] * 8, "single"])
    assert not any(error.index >= len(TRUTH) for error in errors.errors)
    assert (errors.judged == (truth < CLASSES)).all()


def test_nothing_is_judged_where_features_tell_nothing() -> None:
    """Noise leaves every label unjudged, which is not the same as no label in doubt."""
    assert not find_label_errors(drawn(0.0, 7), TRUTH, GROUPS).judged.any()
    assert find_label_errors(drawn(1.0, 7), TRUTH, GROUPS).judged.all()


RULE = "suspects of any class at most 0.2"
PUGS = ClassIssues("pug", 33, 143, "boxer")
BOXERS = ClassIssues("boxer", 1, 120, "pug")


def judged(issues: LabelIssues, rule: str = RULE, when_silent: str = "pass") -> Verdict:
    """Ask one rule about labels in doubt."""
    gate = Gate.model_validate({"rules": (rule,), "serve_check": False, "when_silent": when_silent})
    return apply_gate_rules(GateInputs(measured([], None), None, replace(DRIFT, label_issues=issues), SERVED), gate)


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
    assert build_rule_row(verdict.rules_to_dicts()[0])[1:] == ("33 of 143 in pug", "", "failed")
    result = judged(LabelIssues((BOXERS,), "")).rules[0]
    assert result.said.startswith(
        "suspects of boxer 0.008 on 120 images (1 label is probably wrong, it looks like pug)"
    )


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
        assert build_rule_row(verdict.rules_to_dicts()[0]).happened == "unknown"
        assert verdict.rules[0].said.startswith(f"{RULE}: unknown, since {why}")


def test_a_class_of_few_images_is_unknown() -> None:
    """One doubted label among few images is no share of a class."""
    verdict = judged(LabelIssues((ClassIssues("pug", 2, 9, "boxer"),), ""))
    assert verdict.rules[0].silent
    assert "not enough images to tell" in verdict.reason


def test_a_class_with_many_doubted_labels_is_a_sentence() -> None:
    """A class of which more labels are doubted than chance explains is pointed out with what they look like."""
    issues = LabelIssues((BOXERS, PUGS), "")
    assert issues.sentences() == ("probably wrong labels: 33 of 143 in pug (most look like boxer)",)
    assert issues.summary() == "33 of 143 in pug, 1 of 120 in boxer"


@given(st.lists(st.integers(1, 500), min_size=1, max_size=20))
def test_hardly_any_doubted_label_is_no_sentence(sizes: list[int]) -> None:
    """As many as are named among clean photographs point out no class, whatever its size."""
    classes = tuple(ClassIssues(str(index), images // 50, images, "pug") for index, images in enumerate(sizes))
    assert LabelIssues(classes, "").sentences() == ()


def test_the_principal_components_have_the_same_bits_on_any_number_of_cores() -> None:
    """Nobody need limit the threads of matrix products for that: whoever fits does."""
    features = np.random.default_rng(0).standard_normal((600, 512)).astype(np.float32)
    components = fit_pca(features).components_
    with single_threaded_blas():
        assert fit_pca(features).components_.tobytes() == components.tobytes()
