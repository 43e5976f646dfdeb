"""Test images whose features nearly agree with a training image's are named, and different photographs are not."""

from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from tasks.domain.datasets.leakage import ACROSS, find_split_neighbours, leakage_sentences, report_split_neighbours
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split

Numbers = NDArray[np.float32]


def drawn(seed: int) -> tuple[Numbers, Numbers]:
    """Draw features of 60 test and 300 training images that vary in twelve ways, all on one side of nought."""
    chance = np.random.default_rng(seed)
    features = chance.normal(size=(360, 12)) @ chance.normal(size=(12, 64)) + 3
    features += 0.05 * chance.normal(size=features.shape)
    return features[:60].astype(np.float32), features[60:].astype(np.float32)


def alone(images: Numbers) -> list[str]:
    """Let each image be its own near-duplicate group."""
    return [f"{number}" for number in range(len(images))]


def test_different_pictures_are_hardly_ever_named() -> None:
    """Of fifty versions without a pair at most two name any, with no limit that was chosen for these features."""
    named = [bool(find_split_neighbours(tested, trained, alone(trained))) for tested, trained in map(drawn, range(50))]
    assert sum(named) <= 2


def test_a_test_image_with_a_twin_in_training_is_named() -> None:
    """Of three planted pairs each is named with its own twin, the nearest first."""
    tested, trained = drawn(0)
    for place, noise in ((3, 0.3), (7, 0.1), (11, 0.2)):
        trained[place * 2] = tested[place] + noise * np.random.default_rng(place).normal(size=64)
    found = find_split_neighbours(tested, trained, alone(trained))
    assert [(one.tested, one.trained) for one in found] == [(7, 14), (11, 22), (3, 6)]
    assert all(one.cosine > 0.99 for one in found)


def test_a_burst_in_training_does_not_hide_itself() -> None:
    """A test image with three twins in training, of one group or of three, is named once."""
    tested, trained = drawn(0)
    chance = np.random.default_rng(5)
    trained[:3] = tested[0] + 0.2 * chance.normal(size=(3, 64))
    for groups in (alone(trained), ["0", "0", "0", *alone(trained)[3:]]):
        assert [one.tested for one in find_split_neighbours(tested, trained, groups)] == [0]


def test_where_nothing_can_be_told_nothing_is() -> None:
    """Features that are all the same, too few groups, and no images at all name none."""
    tested, trained = drawn(0)
    assert find_split_neighbours(np.ones_like(tested), np.ones_like(trained), alone(trained)) == ()
    assert find_split_neighbours(np.zeros_like(tested), np.zeros_like(trained), alone(trained)) == ()
    assert find_split_neighbours(tested, trained, ["a", "b", "c", "d"] * 75) == ()
    assert find_split_neighbours(tested[:0], trained, alone(trained)) == ()
    assert find_split_neighbours(tested, trained[:0], []) == ()


def test_a_pair_stands_side_by_side_and_is_counted() -> None:
    """The card shows the test image and after it the training image, and counts pairs where people look first."""
    tested, trained = drawn(0)
    trained[5] = tested[2]
    rows = [Row(f"t{n}", "pug", Split.TEST, (), f"test {n}") for n in range(60)]
    others = [Row(f"o{n}", "pug", Split.VALIDATION, (), f"other {n}") for n in range(300)]
    (finding,) = report_split_neighbours(find_split_neighbours(tested, trained, alone(trained)), rows, others)
    assert finding.kind == ACROSS
    assert finding.meaning.startswith("1 of 60 test images")
    assert [(one.key, one.figure) for one in finding.images] == [
        ("test 2", "test, cosine 1.000"),
        ("other 5", "validation, like test 2"),
    ]
    told = ("1 test image nearly agrees with a training image of another near-duplicate group",)
    assert leakage_sentences({"findings": [asdict(finding)]}) == told
    assert report_split_neighbours((), rows, others) == ()
