"""What an image shows, read from its folders."""

import pytest

from tasks.domain.labels import Attributes, Conflict, Labelled, Located, label_images, read_layout


@pytest.mark.parametrize(
    ("key", "layout", "found"),
    [
        ("poodle/1.jpg", "label", ("poodle", ())),
        ("poodle/white/1.jpg", "label", ("poodle", ())),
        ("poodle/white/1.jpg", "label/coat", ("poodle", (("coat", "white"),))),
        ("poodle/1.jpg", "label/coat", ("poodle", ())),
        ("2026/poodle/white/deep/1.jpg", "year/label/coat", ("poodle", (("coat", "white"), ("year", "2026")))),
        ("Пудель/1.jpg", "label", ("Пудель", ())),
        ("1.jpg", "label", None),
        ("2026/1.jpg", "year/label", None),
    ],
)
def test_folders_say_label_and_attributes(key: str, layout: str, found: tuple[str, Attributes] | None) -> None:
    """Each level of the layout names what the folder at that depth says; no folder for the label, no label."""
    assert read_layout(key, layout) == found


def test_copies_count_once() -> None:
    """The same bytes under one label are one image, found under the first of their keys."""
    found = label_images([Located("pug/b", "x"), Located("pug/a", "x")], "label")
    assert found.labelled == (Labelled("pug/a", "x", "pug", ()),)


def test_two_labels_for_the_same_bytes_are_a_conflict() -> None:
    """The same bytes under two labels are no image of either, and every key that claims them is named."""
    found = label_images([Located("pug/1", "x"), Located("boxer/1", "x"), Located("pug/2", "y")], "label")
    assert found.conflicts == (Conflict("x", (("boxer", "boxer/1"), ("pug", "pug/1"))),)
    assert [one.image for one in found.labelled] == ["y"]


def test_unlabelled_images_are_kept_by_name() -> None:
    """An image outside every folder waits, and is named."""
    assert label_images([Located("1.jpg", "x")], "label").unlabelled == (Located("1.jpg", "x"),)
