"""Labels that are named as wrong, as many as the features bear out."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tasks.domain.labels.confident_learning import find_label_errors

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
    found = named(drawn(1.0, seed), labels)
    assert wrong[found[:20]].mean() >= 0.9
    assert (~wrong[found]).sum() <= 0.02 * (~wrong).sum()
    for label in range(CLASSES):
        assert sum(wrong[place] and TRUTH[place] == label for place in found) >= 10 // 2


@pytest.mark.parametrize("seed", range(3))
def test_a_part_of_a_class_in_another_s_folder_is_seen(seed: int) -> None:
    """Where a quarter of a class lies in the folder of another, some of it is named and hardly anything else there."""
    labels = TRUTH.copy()
    moved = np.random.default_rng(seed).choice(np.flatnonzero(TRUTH == 0), EACH // 4, replace=False)
    labels[moved] = 1
    found = [place for place in named(drawn(1.5, seed), labels) if labels[place] == 1]
    assert len(found) >= len(moved) // 8
    assert np.isin(found, moved).mean() >= 0.8


def test_ten_images_a_class_raise_no_alarm() -> None:
    """Classes of ten images that the features hardly tell apart, clean or not, have no suspects."""
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
    """Each suspect looks more like another class than like its label; the greatest contrast is first."""
    labels = TRUTH.copy()
    labels[[3, 90, 200]] = [2, 4, 0]
    found = find_label_errors(drawn(0.8, 5), labels, GROUPS).errors
    contrasts = [error.likeliest / error.given for error in found]
    assert contrasts == sorted(contrasts, reverse=True)
    assert all(error.likely != labels[error.index] and error.likeliest > error.given for error in found)


def test_a_class_that_no_other_group_shows_is_not_judged() -> None:
    """All pictures of one burst, or a single one, are no evidence against the label of their class."""
    truth = np.append(TRUTH, [CLASSES] * 8 + [CLASSES + 1])
    found = find_label_errors(drawn(1.0, 6, truth), truth, [*GROUPS, *["burst"] * 8, "single"])
    assert not any(error.index >= len(TRUTH) for error in found.errors)
    assert (found.judged == (truth < CLASSES)).all()


def test_nothing_is_judged_where_features_tell_nothing() -> None:
    """Noise leaves every label unjudged, which is not the same as no label in doubt."""
    assert not find_label_errors(drawn(0.0, 7), TRUTH, GROUPS).judged.any()
    assert find_label_errors(drawn(1.0, 7), TRUTH, GROUPS).judged.all()
