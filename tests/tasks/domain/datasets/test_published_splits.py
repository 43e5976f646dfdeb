"""Published splits are read, obeyed without a test image that has a twin in training, and asked about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.published_splits import (
    check_layout,
    check_split_words,
    list_words,
    parse_split,
    report_misplaced,
)
from tasks.domain.datasets.splits import Assignment, Shares, Split, assign_splits
from tasks.domain.labels.labelled_images import Conflict, LabelledImage, LabelledImages, Labelling

SHARES = Shares(test=20, validation=15)
SIDES = (Split.TRAIN, Split.VALIDATION, Split.TEST)
images = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.tuples(st.sampled_from("ghijk"), st.sampled_from([*SIDES, None]), st.booleans()),
    max_size=12,
)


def labelling(*keys: str, origin: str = "folder") -> Labelling:
    """Label keys by their first folder."""
    return Labelling(
        tuple(LabelledImage(key, key, key.split("/")[0], (), (("label", origin),)) for key in keys), (), ()
    )


@pytest.mark.parametrize(
    ("words", "split"),
    [
        (["train", "Train", "TRAINING", "train2017", "training_set", "train-images", "trn"], Split.TRAIN),
        (["val", "valid", "Validation", "val2017", "dev", "dev-set"], Split.VALIDATION),
        (["test", "testing", "Test_Set", "test1", "holdout", "hold-out", "eval"], Split.TEST),
        (["terrier", "trainer", "tester", "valentine", "device", "pug", "", "test dog", "setter"], None),
    ],
)
def test_names_of_splits(words: list[str], split: Split | None) -> None:
    """The usual names of splits are known in any case and with the usual additions, and breeds are none."""
    assert [parse_split(word) for word in words] == [split] * len(words)


@pytest.mark.parametrize(
    ("keys", "layout", "words"),
    [
        (["train/pug/1", "val/pug/2", "test/boxer/3"], "label", ["test, train, val are classes here", "split/label"]),
        (["train/pug/1", "train/boxer/2"], "label", ["train is the only class", "labels.splits"]),
        (["training_set/a/1", "test_set/a/1", "extra/2"], "label", ["test_set, training_set are classes"]),
        (["pug/1", "pug/boxer/2", "boxer/3"], "label", ["class pug holds", "class boxer", "label/part"]),
        (["pug/1", "pug/x/Boxer/2", "boxer/3"], "label", ["class pug holds", "(pug/x/Boxer)"]),
        (["train/pug/1", "pug/2"], "label", ["class train holds", "class pug"]),
    ],
)
def test_folders_that_do_not_fit_the_layout_are_a_question(keys: list[str], layout: str, words: list[str]) -> None:
    """Splits as classes, and a class folder within another one, are asked about in one sentence with the settings."""
    question = check_layout(labelling(*keys), layout)
    assert all(word in question for word in words), question


def test_photographs_in_two_splits_are_a_question_too() -> None:
    """Where train and test hold the same bytes these are in conflict, and the folders are asked about all the same."""
    claims = (("train", "train/pug/1"), ("test", "test/pug/1"))
    question = check_layout(Labelling((), (), (Conflict("1", claims),)), "label")
    assert "test, train are classes here" in question
    assert "split/label" in question


@pytest.mark.parametrize(
    ("keys", "layout"),
    [
        (["pug/1", "boxer/2", "test/3"], "label"),
        (["pug/front/1", "pug/side/2", "boxer/front/3"], "label"),
        (["pug/train/1", "pug/test/1", "boxer/train/3"], "label"),
        (["pug/boxer/1", "boxer/2"], "label/part"),
        (["pug/pug/1", "boxer/2"], "label"),
        ([], "label"),
    ],
)
def test_what_fits_is_no_question(keys: list[str], layout: str) -> None:
    """Other folders below the classes, and levels that the layout names, are as somebody wanted them."""
    assert check_layout(labelling(*keys), layout) == ""


def test_a_manifests_label_is_not_asked_about_its_folders() -> None:
    """Where folders say nothing about labels, a folder named like a class says nothing either."""
    assert check_layout(labelling("pug/boxer/1", "boxer/2", origin="manifest"), "label") == ""
    assert "labels.column" in check_layout(labelling("train/1", "test/2", origin="manifest"), "label")


@given(images)
def test_no_test_image_has_a_twin_in_training(images: dict[str, tuple[str, Split | None, bool]]) -> None:
    """Whatever is published and in whatever order it comes, the used images of a group stand on one side."""
    splits: dict[str, Assignment] = {}
    everything = {image: group for image, (group, _, _) in images.items()}
    published = {image: side for image, (_, side, _) in images.items() if side}
    for late in (False, True):
        arrived = {image: group for image, group in everything.items() if late or not images[image][2]}
        listed = {image: side for image, side in published.items() if image in arrived}
        new = assign_splits(arrived, splits, SHARES, published=listed)
        assert not new.keys() & splits.keys()
        splits |= new
    used = {image: assignment.split for image, assignment in splits.items() if assignment.split is not Split.HELD_OUT}
    for group in set(everything.values()):
        assert len({side for image, side in used.items() if everything[image] == group}) <= 1


@given(images)
def test_a_published_split_is_obeyed_or_held_out(images: dict[str, tuple[str, Split | None, bool]]) -> None:
    """Of images that are new, each is where it was published, or held out beside one that goes before it."""
    everything = {image: group for image, (group, _, _) in images.items()}
    published = {image: side for image, (_, side, _) in images.items() if side}
    given_splits = assign_splits(everything, {}, SHARES, published=published)
    lacking = {side for side in (Split.TEST, Split.VALIDATION) if side not in published.values()}
    for image, side in published.items():
        split = given_splits[image].split
        assert split in {side, Split.HELD_OUT} or (side is Split.TRAIN and split in lacking)
        if side is Split.TEST:
            assert split is Split.TEST


@given(images)
def test_without_a_published_split_all_is_as_before(images: dict[str, tuple[str, Split | None, bool]]) -> None:
    """Splits that nobody publishes are those of every former version."""
    everything = {image: group for image, (group, _, _) in images.items()}
    assert assign_splits(everything, {}, SHARES, published={}) == assign_splits(everything, {}, SHARES)


def published_as(words: dict[str, str]) -> list[LabelledImage]:
    """Return images whose attribute ``split`` has these words."""
    return [LabelledImage(image, image, "pug", (("split", word),), ()) for image, word in words.items()]


def test_a_side_that_nobody_published_is_taken_from_training() -> None:
    """A benchmark of training and test images gets a validation split from the former; that is no finding."""
    everything = {str(number): str(number) for number in range(200)}
    published = {image: Split.TEST if int(image) % 4 == 0 else Split.TRAIN for image in everything}
    splits = assign_splits(everything, {}, SHARES, published=published)
    assert {splits[image].split for image, side in published.items() if side is Split.TEST} == {Split.TEST}
    rest = [splits[image].split for image, side in published.items() if side is Split.TRAIN]
    assert set(rest) == {Split.TRAIN, Split.VALIDATION}
    rows = [Row(image, "pug", assignment.split, (), image) for image, assignment in splits.items()]
    assert report_misplaced(rows, published_as({image: side.value for image, side in published.items()}), {}) == ()


def test_what_is_not_in_its_published_split_is_named() -> None:
    """A held-out image and one that an earlier run put elsewhere are named, with what was published."""
    rows = [Row("a", "pug", Split.HELD_OUT, (), "a"), Row("b", "pug", Split.TRAIN, (), "b")]
    (finding,) = report_misplaced(rows, published_as({"a": "train", "b": "Test", "c": "val"}), {"a": "test/1"})
    assert [(image.image, image.figure) for image in finding.images] == [
        ("a", "published as train, but held-out here, like test/1"),
        ("b", "published as Test, but train here"),
    ]


def test_a_word_that_is_no_split_is_refused() -> None:
    """A word that cannot be obeyed is named before any image gets a split for life."""
    problems = list_words(LabelledImages.of([*published_as({"i": "tset"}), LabelledImage("l", "j", "pug", (), ())]))
    assert problems == {"tset"}
    assert "tset in the attribute split names no split" in check_split_words(problems)
    assert check_split_words(["train", "val"]) == ""
