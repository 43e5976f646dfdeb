"""Leakage: what a random split would have claimed, and test images that nearly agree with a training image."""

from dataclasses import asdict, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.domain.datasets.leakage import (
    ACROSS,
    RANDOM_SPLIT_KEY,
    RandomSplit,
    compute_clustered_interval,
    compute_share_in_other_folds,
    describe_leakage,
    find_split_neighbours,
    list_files,
    report_split_neighbours,
    sample_groups,
)
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.runs.mlflow_summary import collect_dataset_metrics

FOUND = RandomSplit(1369, 0.714, 0.652, 0.044, 0.078, 0.082, 0.199, 1369, "b" * 64)


def test_the_claim_is_told_beside_the_honest_figure() -> None:
    """Both accuracies, the interval of their difference, and what leaked are in the words, and in MLflow as well."""
    card = {RANDOM_SPLIT_KEY: asdict(FOUND), "classes": [], "images": 0}
    claim, leaked = describe_leakage(card)
    assert claim == (
        "a random split over files would have claimed an accuracy of 0.714; split by near-duplicate groups, the same "
        "head reaches 0.652 (cross-validated on 1,369 files): 0.062 less, 95% interval 0.044 to 0.078"
    )
    assert leaked == "8.2% of its test files have their very bytes in training, 19.9% a copy or a look-alike"
    assert collect_dataset_metrics(card)["random_split/claimed"] == 0.714


def test_what_chance_explains_and_what_nothing_leaked_are_told_as_that() -> None:
    """An interval with nought is no overclaim, different files have one figure, and no figure is no words."""
    chance = describe_leakage({RANDOM_SPLIT_KEY: asdict(replace(FOUND, low=-0.01))})[0]
    assert chance.endswith(
        "0.652 (cross-validated on 1,369 files): about the same (a difference of 0.062), 95% interval -0.010 to 0.078"
    )
    clean = replace(FOUND, claimed=0.652, low=0.0, high=0.0, same_bytes=0.0, alike=0.0)
    assert describe_leakage({RANDOM_SPLIT_KEY: asdict(clean)})[0] == (
        "no two files look alike, so a random split over files claims what a split by near-duplicate groups does: "
        "an accuracy of 0.652 (cross-validated on 1,369 files)"
    )
    assert describe_leakage({}) == ()


def test_a_sample_and_another_backbone_are_told() -> None:
    """Who reads a report of another backbone's model learns that the figure is not of its features."""
    card = {RANDOM_SPLIT_KEY: asdict(replace(FOUND, of=20580))}
    assert "on 1,369 of 20,580 files, with features of another backbone)" in describe_leakage(card, "c" * 64)[0]
    assert "another backbone" not in describe_leakage(card, "b" * 64)[0]


def test_a_file_alone_in_its_group_has_one_name() -> None:
    """Where no two files are alike both deals are the same; others have names of their own."""
    by_group, by_file = list_files(["a", "b", "c"], [1, 1, 1]).names()
    assert by_group == by_file
    files = list_files(["a", "b", "a"], [1, 1, 2])
    by_group, by_file = files.names()
    assert files.images.tolist() == [0, 1, 2, 2]
    assert len(set(by_group)) == 2
    assert len(set(by_file)) == 4


def test_a_sample_is_of_whole_groups_and_fair() -> None:
    """No group is cut, no more files than asked for are taken, and large groups are not taken before small ones."""
    groups = [f"{number % 400:03}" for number in range(1000)]
    copies = [1 + (number % 10 == 0) for number in range(1000)]
    chosen = sample_groups(groups, copies, most=500)
    inside = {groups[index] for index in chosen}
    assert chosen == [index for index in range(1000) if groups[index] in inside]
    assert 490 < sum(copies[index] for index in chosen) <= 500
    # Groups named below 200 have three images, the others two.
    assert 0.3 < np.mean([name < "200" for name in inside]) < 0.7
    assert sample_groups(groups, copies) == list(range(1000))


def test_the_share_that_leaks_is_counted_across_folds() -> None:
    """A file leaks where another of the same image lies in another fold, not where all lie in its own."""
    images, folds = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 2, 2, 0])
    assert compute_share_in_other_folds(images, folds) == pytest.approx(0.4)


def test_files_of_a_group_are_one_witness() -> None:
    """The interval of a mean is as wide as that of its groups' means, however many files each group has."""
    chance = np.random.default_rng(0)
    differences = chance.normal(0.1, 1.0, 200)
    alone = compute_clustered_interval(differences, np.arange(200))
    five = compute_clustered_interval(np.repeat(differences, 5), np.repeat(np.arange(200), 5))
    assert five == pytest.approx(alone)
    assert alone[1] - alone[0] == pytest.approx(2 * 1.96 * differences.std() / np.sqrt(200))


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
    for index, noise in ((3, 0.3), (7, 0.1), (11, 0.2)):
        trained[index * 2] = tested[index] + noise * np.random.default_rng(index).normal(size=64)
    neighbours = find_split_neighbours(tested, trained, alone(trained))
    assert [(neighbour.tested, neighbour.trained) for neighbour in neighbours] == [(7, 14), (11, 22), (3, 6)]
    assert all(neighbour.cosine > 0.99 for neighbour in neighbours)


def test_a_burst_in_training_does_not_hide_itself() -> None:
    """A test image with three twins in training, of one group or of three, is named once."""
    tested, trained = drawn(0)
    chance = np.random.default_rng(5)
    trained[:3] = tested[0] + 0.2 * chance.normal(size=(3, 64))
    for groups in (alone(trained), ["0", "0", "0", *alone(trained)[3:]]):
        assert [neighbour.tested for neighbour in find_split_neighbours(tested, trained, groups)] == [0]


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
    other_rows = [Row(f"o{n}", "pug", Split.VALIDATION, (), f"other {n}") for n in range(300)]
    (finding,) = report_split_neighbours(find_split_neighbours(tested, trained, alone(trained)), rows, other_rows)
    assert finding.kind == ACROSS
    assert finding.meaning.startswith("1 of 60 test images")
    assert [(image.key, image.figure) for image in finding.images] == [
        ("test 2", "test, cosine 1.000"),
        ("other 5", "validation, like test 2"),
    ]
    expected = ("1 test image nearly agrees with a training image of another near-duplicate group",)
    assert describe_leakage({"findings": [asdict(finding)]}) == expected
    assert report_split_neighbours((), rows, other_rows) == ()
