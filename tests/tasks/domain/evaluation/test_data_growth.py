"""More data as evidence: what the challenger learned from, and what cross-validation says of it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import Generator

from configs.sections import Gate
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.data_growth import (
    CrossValidation,
    DataGrowth,
    VersionFeatures,
    compare_training_data,
    cross_validate,
)
from tasks.domain.gate.gate import GateInputs, Verdict, apply_gate_rules
from tests.tasks.domain.measurements import DRIFT, SERVED, measured

CLASSES = ("beagle", "boxer", "husky", "poodle", "pug")
OLD, NEW, WIDTH = 400, 120, 16


def drawn(chance: Generator) -> VersionFeatures:
    """Draw old images and new ones of five overlapping classes, each a group of its own."""
    truth = np.arange(OLD + NEW) % len(CLASSES)
    centres = chance.normal(size=(len(CLASSES), WIDTH)) * 0.8
    features = (centres[truth] + chance.normal(size=(len(truth), WIDTH))).astype(np.float32)
    names = [f"{number:016x}" for number in chance.integers(0, 1 << 60, len(truth))]
    return VersionFeatures(names, features, [CLASSES[number] for number in truth], names)


def judged(current: VersionFeatures) -> CrossValidation:
    """Cross-validate this run's images beside the old ones among them."""
    old = VersionFeatures(current.images[:OLD], current.features[:OLD], current.labels[:OLD], current.groups[:OLD])
    validation = cross_validate(current, old)
    assert validation
    return validation


def moved(current: VersionFeatures, share: float, chance: Generator) -> VersionFeatures:
    """Put a share of the new images under another label, by chance."""
    labels = list(current.labels)
    for number in range(OLD, OLD + NEW):
        if chance.random() < share:
            labels[number] = str(chance.choice([label for label in CLASSES if label != labels[number]]))
    return replace(current, labels=labels)


def grown(validation: CrossValidation) -> DataGrowth:
    """Tell of a challenger that learned from a fifth more by the same recipe."""
    return DataGrowth(100, 100, 20, "same", validation)


def verdict(growth: DataGrowth | None, gate: Gate) -> Verdict:
    """Judge a model that is right about two images more than its champion, which chance may explain."""
    return apply_gate_rules(GateInputs(measured([0], [0, 1, 2], 150), None, DRIFT, SERVED, growth), gate)


@pytest.fixture(scope="module")
def ahead() -> CrossValidation:
    """Cross-validate clean images, and see that they are ahead."""
    return next(
        result
        for seed in range(9)
        if (result := judged(drawn(np.random.default_rng(seed)))).comparison.paired[0].difference > 0
        and result.unlike > Gate().error_rate
    )


def test_what_was_learned_is_counted_by_image_and_label() -> None:
    """A training image under another label, in another split, or gone counts as not learned from."""
    former = [Row(name, "pug", Split.TRAIN, (), name) for name in "abcd"] + [Row("t", "pug", Split.TEST, (), "t")]
    rows = [
        former[0],
        former[1]._replace(label="boxer"),
        former[2]._replace(split=Split.HELD_OUT),
        Row("e", "pug", Split.TRAIN, (), "e"),
        Row("f", "pug", Split.TEST, (), "f"),
    ]
    assert compare_training_data(rows, former, "same") == DataGrowth(4, 1, 2, "same")


def test_more_data_are_enough_where_cross_validation_bears_them_out(ahead: CrossValidation) -> None:
    """Such a model is promoted, unless gate.needs is improvement; either reason names the other way."""
    likely = verdict(grown(ahead), Gate())
    assert likely.promoted
    assert likely.reason.startswith(
        "likely better: it learned from all 100 training images of the champion and 20 more, which cross-validation"
    )
    assert "gate.needs: improvement would wait (" in likely.reason
    strict = verdict(grown(ahead), Gate(needs="improvement"))
    assert strict.outcome == "rejected"
    assert strict.reason.endswith("and so would gate.needs: likely-improvement")


def test_less_than_that_is_not_enough(ahead: CrossValidation) -> None:
    """What is lacking is named, and the setting that would promote."""
    enough = grown(ahead)
    for growth, message in (
        (
            replace(enough, kept=99),
            "this run lacks 1 of the champion's 100 training images, gone or under another label",
        ),
        (replace(enough, recipe="other"), "the champion was made by other training settings"),
        (replace(enough, more=9), "9.0% more images than the champion's 100, and gate.more_data asks for 10%"),
        (replace(enough, more=0), "its training images are the champion's 100 and no others"),
        (replace(enough, cross_validated=None), "nothing to cross-validate"),
    ):
        refused = verdict(growth, Gate())
        assert refused.outcome == "rejected"
        assert message in refused.reason
        assert refused.reason.endswith("gate.needs: no-harm would promote it unless a rule finds harm")


def test_another_backbone_must_be_shown_to_be_better(ahead: CrossValidation) -> None:
    """Another backbone that is ahead by chance in cross-validation is refused, and what is shown needs no more data."""
    accuracy, *losses = ahead.comparison.paired
    for p, promoted in ((0.2, False), (0.01, True)):
        pairs = (replace(accuracy, better=p), *losses)
        shown = replace(ahead, comparison=replace(ahead.comparison, paired=pairs))
        growth = replace(grown(shown), recipe="another backbone", more=0)
        assert verdict(growth, Gate()).promoted == promoted
    pairs = (replace(accuracy, difference=-0.02), *losses)
    behind = grown(replace(ahead, comparison=replace(ahead.comparison, paired=pairs)))
    refused = verdict(replace(behind, recipe="another backbone"), Gate())
    assert "recognised less often with the other backbone: accuracy" in refused.reason


def test_harm_is_refused_however_much_was_learned(ahead: CrossValidation) -> None:
    """More data do not outweigh a rule that finds harm."""
    poodles = [number for number in range(150) if number % 5 == 3]
    verdict = apply_gate_rules(GateInputs(measured(poodles, [], 150), None, DRIFT, SERVED, grown(ahead)), Gate())
    assert verdict.outcome == "rejected"
    assert "recall of poodle" in verdict.reason


@pytest.mark.parametrize("share", [0.2, 0.3])
def test_wrong_labels_among_the_new_images_are_seen(share: float) -> None:
    """Where a fifth or more of the new labels is wrong, more data are seldom evidence."""
    chance = np.random.default_rng(5)
    runs = [grown(judged(moved(drawn(chance), share, chance))) for _ in range(20)]
    assert sum(verdict(growth, Gate()).promoted for growth in runs) <= 1


def test_one_class_among_another_is_seen() -> None:
    """New poodles that all lie among the beagles harm old images, and the reason says so, however well they fit."""
    chance = np.random.default_rng(6)
    current = drawn(chance)
    labels = ["beagle" if number >= OLD and label == "poodle" else label for number, label in enumerate(current.labels)]
    result = verdict(grown(replace(judged(replace(current, labels=labels)), unlike=1.0)), Gate())
    assert result.outcome == "rejected"
    assert "in cross-validation old images are recognised less often with the new images" in result.reason


def test_no_image_is_answered_by_a_head_that_saw_its_like() -> None:
    """Where features say nothing no more answers are right than by chance, though each image lies there twice."""
    chance = np.random.default_rng(8)
    pair = np.arange(OLD + NEW) // 2
    features = chance.normal(size=(len(pair), 64)).astype(np.float32)[pair]
    labels = [CLASSES[number] for number in chance.integers(0, len(CLASSES), len(pair))[pair]]
    names = [f"{number:016x}" for number in range(len(pair))]
    result = judged(VersionFeatures(names, features, labels, [f"{number:016x}" for number in pair]))
    assert result.comparison.challenger is not None
    assert result.comparison.challenger < 1 / len(CLASSES) + 3 * np.sqrt(0.2 * 0.8 / (OLD / 2))


def test_clean_images_fit_as_often_as_the_old_ones() -> None:
    """New images of the same kind are called unlike the old ones at most at the rate, each tested out of its group."""
    chance = np.random.default_rng(7)
    unlike = np.mean([judged(drawn(chance)).unlike <= Gate().error_rate for _ in range(40)])
    assert unlike <= Gate().error_rate + 2 * np.sqrt(0.05 * 0.95 / 40)
