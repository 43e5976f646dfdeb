"""On which images cuts are compared, and which cuts."""

from collections import Counter

from configs.schema import Settings
from tasks.comparing import candidates, sample
from tasks.domain.canonical import sha256_of
from tasks.domain.manifest import Row
from tasks.domain.splits import Split
from tasks.modeling.inception import CUTS

SPLITS = (Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST, Split.HELD_OUT)
ROWS = [
    Row(sha256_of([label, number]), label, SPLITS[number % 5], (), f"{label}/{number}.jpg")
    for label, images in (("rare", 40), ("common", 900), ("usual", 360))
    for number in range(images)
]
SETTINGS = Settings.model_validate({"source": {"url": "photos"}, "store": {"url": "store"}})


def test_no_test_image_is_looked_at() -> None:
    """Only training and validation images are compared on, all of them where they are few."""
    found = sample(ROWS)
    assert {row.split for row in found} == {Split.TRAIN, Split.VALIDATION}
    assert len(found) == sum(row.split in {Split.TRAIN, Split.VALIDATION} for row in ROWS)


def test_of_many_images_each_class_gives_its_share() -> None:
    """A class gives in proportion to its size, a rare one ten at least, and always the same images."""
    found = sample(ROWS, 130)
    assert Counter(row.label for row in found) == {"rare": 10, "common": 90, "usual": 36}
    assert found == sample(ROWS[::-1], 130)


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
