"""What a trial of fine-tuning learns from, and the three answers that it may give."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import PedigreeError
from configs.schema import Settings
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.fine_tuning_trial import (
    Trial,
    TrialMeasurement,
    choose_trial_images,
    conclude_trial,
    estimate_gain,
    sample_balanced,
    skip_trial,
)
from tasks.domain.hashing import sha256_of
from tasks.domain.registry.model_record import hash_settings, training_settings

SIZES = {"common": 300, "rare": 20, "usual": 100}
SPLITS = (Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST, Split.HELD_OUT)
ROWS = [
    Row(sha256_of([label, number]), label, SPLITS[number // 4 % 5], (), f"{label}/{number}.jpg")
    for label, size in SIZES.items()
    for number in range(size)
]
# Four neighbours each are near duplicates of each other.
GROUPS = {row.image: sha256_of([row.label, index // 4]) for index, row in enumerate(ROWS)}


def chosen(**changes: object) -> Settings:
    """Ask for a trial of sixty photographs, but for changes of the section fine_tuning."""
    return Settings.model_validate(
        {"source": {"url": "photos"}, "store": {"url": "store"}, "fine_tuning": {"trial": 60, **changes}}
    )


def make_trial(pair: int, gained: int, lost: int, neither: int, **changes: object) -> Trial:
    """Say what a trial of so many validation images comes to: right by both, by the tuned one, by the head, by none."""
    tuned = np.repeat([True, True, False, False], [pair, gained, lost, neither])
    frozen = np.repeat([True, False, True, False], [pair, gained, lost, neither])
    measured = TrialMeasurement(tuned, frozen, [str(index) for index in range(len(tuned))], 0.2, 0.05, 171.3)
    used = chosen(**changes)
    return conclude_trial(choose_trial_images(ROWS, GROUPS, used), measured, ROWS, used, "2026-11-29")


def test_a_trial_never_sees_a_test_image() -> None:
    """It learns from training images and is judged by validation images alone."""
    images = choose_trial_images(ROWS, GROUPS, chosen())
    assert {row.split for row in images.train} == {Split.TRAIN}
    assert {row.split for row in images.validation} == {Split.VALIDATION}
    assert len(images.validation) == sum(row.split is Split.VALIDATION for row in ROWS)
    assert images.classes == ["common", "rare", "usual"]


@given(st.integers(0, 200), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_a_sample_is_balanced_whole_and_bounded(most: int, seed: int) -> None:
    """At most so many images, groups whole, each class as many as the others as far as it has them, in any order."""
    train = [row for row in ROWS if row.split is Split.TRAIN]
    sample = sample_balanced(train, GROUPS, most, seed)
    assert len(sample) <= most
    members = Counter(GROUPS[row.image] for row in train)
    assert all(number == members[group] for group, number in Counter(GROUPS[row.image] for row in sample).items())
    counts = Counter(dict.fromkeys(SIZES, 0) | Counter(row.label for row in sample))
    of = Counter(row.label for row in train)
    have_more = [counts[label] for label in SIZES if counts[label] < of[label]]
    assert max(counts.values()) - min(have_more, default=max(counts.values())) <= 4
    assert sample == sample_balanced(train[::-1], GROUPS, most, seed)


@pytest.mark.parametrize(
    ("counts", "answer", "words"),
    [
        ((110, 40, 10, 40), "worth it", "Fine-tuning is worth it: 2 epochs from mixed9 on 60 photographs of 3 classes"),
        ((140, 3, 15, 42), "not worth it", "Fine-tuning is not worth it: "),
        ((110, 20, 15, 55), "cannot tell", "A trial cannot tell whether fine-tuning is worth it: "),
        ((30, 0, 0, 0), "cannot tell", "recognise 1.000 (0.886 to 1.000) of 30 validation images"),
        ((1900, 30, 8, 62), "not worth it", "the gain is +0.011 (95% interval +0.005 to +0.017)"),
    ],
    ids=["better", "worse", "even", "few", "too little"],
)
def test_three_answers(counts: tuple[int, int, int, int], answer: str, words: str) -> None:
    """A gain beyond chance is worth it, less than two points for sure is not, and all else cannot be told."""
    trial = make_trial(*counts)
    assert trial.answer == answer
    assert words in str(trial)


def test_the_sentence_says_what_was_measured_and_what_it_costs() -> None:
    """Both accuracies and the gain with intervals, the day, what the trial cost and what a whole one would."""
    assert str(make_trial(110, 40, 10, 40)) == (
        "Fine-tuning is worth it: 2 epochs from mixed9 on 60 photographs of 3 classes recognise 0.750 (0.686 to 0.805) "
        "of 200 validation images, a head alone on the same photographs 0.600 (0.531 to 0.665); the gain is +0.150 "
        "(95% interval +0.082 to +0.215). The trial of 2026-11-29 took 170 CPU seconds; 10 epochs on all 168 "
        "training images would take about 390, in each run that trains."
    )
    assert "1 epoch from mixed9" in str(make_trial(110, 40, 10, 40, epochs=1))


def test_what_was_not_tried_says_why() -> None:
    """A reason of the fine-tuning itself reads as part of the sentence."""
    trial = skip_trial(PedigreeError("It broke down: set a lower rate. The champion stays."), "2026-11-29")
    assert (trial.answer, str(trial)) == (
        "cannot tell",
        "Fine-tuning was not tried: It broke down: set a lower rate.",
    )


def test_near_duplicates_prove_nothing_twice() -> None:
    """With each image there five times the interval hardly narrows, where five times the groups narrow it by half."""
    tuned, frozen = np.repeat([True, True, False], [60, 15, 5]), np.repeat([True, False, True], [60, 15, 5])
    names = [str(index) for index in range(80)]
    _, low, high = estimate_gain(tuned, frozen, names)
    copies = estimate_gain(np.tile(tuned, 5), np.tile(frozen, 5), names * 5)
    ungrouped = estimate_gain(np.tile(tuned, 5), np.tile(frozen, 5), [str(index) for index in range(400)])
    assert copies[2] - copies[1] > 0.9 * (high - low)
    assert ungrouped[2] - ungrouped[1] < 0.5 * (high - low)


def test_the_interval_holds() -> None:
    """Of 2,000 trials on 60 groups of one or two images at least 93% bound the gain that was drawn."""
    chance = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        groups = np.repeat(np.arange(60), chance.integers(1, 3, 60))
        kind = chance.choice(4, 60, p=[0.55, 0.2, 0.1, 0.15])[groups]
        gain = estimate_gain(kind < 2, (kind == 0) | (kind == 2), [str(group) for group in groups])
        held += gain[1] <= 0.1 <= gain[2]
    assert held >= 0.93 * 2000


@pytest.mark.parametrize(
    ("values", "rows", "words"),
    [
        ({}, [row for row in ROWS if row.split is not Split.VALIDATION], "validation split holds 0 images, too few"),
        ({"trial": 14}, ROWS, "is 14, too few for 3 classes: set it to 15 or more"),
        ({"from_block": "mixed10"}, ROWS, "from_block is mixed10, behind backbone.cut mixed9: set an earlier one"),
    ],
    ids=["validation", "photographs", "block"],
)
def test_where_a_trial_can_say_nothing_it_says_why(values: dict[str, object], rows: list[Row], words: str) -> None:
    """What is too little or does not fit is named with what to do."""
    used = chosen(**values)
    used = used.model_copy(update={"backbone": used.backbone.model_copy(update={"cut": "mixed9"})})
    with pytest.raises(PedigreeError, match=words):
        choose_trial_images(rows, GROUPS, used)


def test_a_trial_is_part_of_no_recipe_and_no_record() -> None:
    """Whoever asks for one gets the same model by the same recipe, so a run with nothing new stays one."""
    assert hash_settings(chosen()) == hash_settings(chosen(trial=0))
    assert training_settings(chosen()) == training_settings(chosen(trial=0))
    assert "trial" not in training_settings(chosen())["fine_tuning"]
