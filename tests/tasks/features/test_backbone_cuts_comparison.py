"""On which images cuts are compared, and which cuts."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from configs.errors import PedigreeError
from configs.schema import Settings
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Assignment, Split
from tasks.domain.hashing import sha256_of
from tasks.features.backbone_cuts import candidates, cross_fit_cut, measure_cuts, sample
from tasks.modeling.backbone.inception import CUTS
from tasks.stores.store import Store

SPLITS = (Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST, Split.HELD_OUT)
ROWS = [
    Row(sha256_of([label, number]), label, SPLITS[number % 5], (), f"{label}/{number}.jpg")
    for label, images in (("rare", 40), ("common", 900), ("usual", 360))
    for number in range(images)
]
SETTINGS = Settings.model_validate({"source": {"url": "photos"}, "store": {"url": "store"}})


def test_no_test_image_is_looked_at() -> None:
    """Only training and validation images are compared on, all of them where they are few."""
    sampled = sample(ROWS)
    assert {row.split for row in sampled} == {Split.TRAIN, Split.VALIDATION}
    assert len(sampled) == sum(row.split in {Split.TRAIN, Split.VALIDATION} for row in ROWS)


def test_of_many_images_each_class_gives_its_share() -> None:
    """A class gives in proportion to its size, a rare one ten at least, and always the same images."""
    sampled = sample(ROWS, 130)
    assert Counter(row.label for row in sampled) == {"rare": 10, "common": 90, "usual": 36}
    assert sampled == sample(ROWS[::-1], 130)


def test_pairs_are_those_of_the_last_cuts() -> None:
    """Each cut is compared, and each two of the last four; where the end learns, none that ends before it."""
    every = "+".join(CUTS)
    assert candidates(every, SETTINGS)[:11] == list(CUTS)
    assert candidates(every, SETTINGS)[11:] == [
        "mixed7+mixed8",
        "mixed7+mixed9",
        "mixed7+mixed10",
        "mixed8+mixed9",
        "mixed8+mixed10",
        "mixed9+mixed10",
    ]
    tuned = SETTINGS.model_copy(update={"training": SETTINGS.training.model_copy(update={"method": "fine-tune"})})
    assert candidates(every, tuned) == [
        "mixed9",
        "mixed10",
        "mixed7+mixed9",
        "mixed7+mixed10",
        "mixed8+mixed9",
        "mixed8+mixed10",
        "mixed9+mixed10",
    ]


def test_features_that_never_vary_are_survived_and_noticed() -> None:
    """Heads on them know the classes' shares and no more, and the answers say that nothing varied."""
    truth, groups = np.arange(60) % 3, [str(number) for number in range(60)]
    same = cross_fit_cut("mixed5", np.full((60, 768), 0.5, np.float32), truth, groups)
    assert not same.varies
    assert same.losses == pytest.approx(np.full(60, np.log(3)), abs=0.05)
    other = np.random.default_rng(0).normal(size=(60, 768)).astype(np.float32)
    assert cross_fit_cut("mixed5", other, truth, groups).varies


@pytest.mark.parametrize(("label", "words"), [("pug", "of two classes at least"), ("boxer", "that do not look alike")])
def test_too_few_photographs_are_refused_before_any_is_embedded(tmp_path: Path, label: str, words: str) -> None:
    """One class, or classes of one near-duplicate group each, are a sentence although the weights cannot be had."""
    backbone = {"weights": "nowhere.h5", "sha256": "a" * 64}
    values = {"source": {"url": "photos"}, "store": {"url": str(tmp_path)}, "backbone": backbone}
    rows = [Row(sha256_of(number), (label, "pug")[number % 2], Split.TRAIN, (), f"{number}.jpg") for number in range(4)]
    groups = {row.image: Assignment(row.label, Split.TRAIN) for row in rows}
    Store(str(tmp_path)).splits.settle(lambda assignments: {} if assignments else groups)
    Store(str(tmp_path)).manifests.write("d" * 64, rows)
    with pytest.raises(PedigreeError, match=words):
        measure_cuts("d" * 64, Store(str(tmp_path)), Settings.model_validate(values))
