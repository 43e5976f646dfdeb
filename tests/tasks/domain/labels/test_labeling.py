"""What an image shows: sources of labels in their order, spellings, copies and conflicts."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.labels.labeling import (
    Attributes,
    Conflict,
    LabelledImage,
    Labelling,
    LocatedImage,
    SourceLabel,
    Spelling,
    label_images,
    normalize_name,
    read_layout,
    suggest_aliases,
)

AS_WRITTEN = Spelling({}, ())


def by_folder(*located: LocatedImage, spelling: Spelling = AS_WRITTEN) -> Labelling:
    """Label objects by their first folder alone."""
    return label_images(located, {image.key: [read_layout(image.key, "label")] for image in located}, spelling)


def from_manifest(*message: SourceLabel) -> Labelling:
    """Label one object by what was said about it."""
    return label_images([LocatedImage("1.jpg", "x")], {"1.jpg": message}, AS_WRITTEN)


@pytest.mark.parametrize(
    ("key", "layout", "label", "attributes"),
    [
        ("poodle/1.jpg", "label", "poodle", ()),
        ("poodle/white/1.jpg", "label", "poodle", ()),
        ("poodle/white/1.jpg", "label/coat", "poodle", (("coat", "white"),)),
        ("poodle/1.jpg", "label/coat", "poodle", ()),
        ("2026/poodle/white/deep/1.jpg", "year/label/coat", "poodle", (("coat", "white"), ("year", "2026"))),
        ("Пудель/1.jpg", "label", "Пудель", ()),
        ("1.jpg", "label", "", ()),
        ("2026/1.jpg", "year/label", "", (("year", "2026"),)),
    ],
)
def test_folders_say_label_and_attributes(key: str, layout: str, label: str, attributes: Attributes) -> None:
    """Each level of the layout names what the folder at that depth says; no folder for the label, no label."""
    assert read_layout(key, layout) == SourceLabel("folder", label, attributes)


def test_copies_count_once() -> None:
    """The same bytes under one label are one image, found under the first of their keys."""
    labelling = by_folder(LocatedImage("pug/b", "x"), LocatedImage("pug/a", "x"))
    assert labelling.labelled == (LabelledImage("pug/a", "x", "pug", (), (("label", "folder"),)),)


def test_two_labels_for_the_same_bytes_are_a_conflict() -> None:
    """The same bytes under two labels are no image of either, and every key that claims them is named."""
    labelling = by_folder(LocatedImage("pug/1", "x"), LocatedImage("boxer/1", "x"), LocatedImage("pug/2", "y"))
    assert labelling.conflicts == (Conflict("x", (("boxer", "boxer/1"), ("pug", "pug/1"))),)
    assert [image.image for image in labelling.labelled] == ["y"]


def test_unlabelled_images_are_kept_by_name() -> None:
    """An image of which nobody says what it shows waits, and is named; one labelled copy is enough."""
    assert by_folder(LocatedImage("1.jpg", "x")).unlabelled == (LocatedImage("1.jpg", "x"),)
    assert by_folder(LocatedImage("1.jpg", "x"), LocatedImage("pug/1", "x")).unlabelled == ()


def test_the_first_source_with_a_label_decides() -> None:
    """A more trusted source overrules a later one, a silent one leaves it the word, and each origin is written down."""
    corrected = from_manifest(SourceLabel("manifest", "pug", ()), SourceLabel("folder", "boxer", (("coat", "fawn"),)))
    assert corrected.labelled[0].label == "pug"
    assert corrected.labelled[0].origins == (("coat", "folder"), ("label", "manifest"))
    assert (
        from_manifest(SourceLabel("manifest", "", ()), SourceLabel("folder", "boxer", ())).labelled[0].label == "boxer"
    )


def test_attributes_are_gathered_from_all_sources() -> None:
    """An attribute comes from the first source that names it, whichever source the label comes from."""
    labelling = from_manifest(
        SourceLabel("manifest", "", (("coat", "white"),)),
        SourceLabel("folder", "pug", (("coat", "black"), ("light", "dim"))),
    ).labelled[0]
    assert labelling.attributes == (("coat", "white"), ("light", "dim"))
    assert dict(labelling.origins) == {"coat": "manifest", "label": "folder", "light": "folder"}


def test_a_key_that_a_manifest_labels_twice_is_a_conflict() -> None:
    """Two rows of one manifest that disagree about a key are a conflict; two that agree are not."""
    assert from_manifest(SourceLabel("manifest", "pug", ()), SourceLabel("manifest", "boxer", ())).conflicts == (
        Conflict("x", (("pug", "1.jpg"), ("boxer", "1.jpg"))),
    )
    assert (
        from_manifest(SourceLabel("manifest", "pug", ()), SourceLabel("manifest", " pug ", ())).labelled[0].label
        == "pug"
    )


def test_aliases_make_one_class_of_many_spellings() -> None:
    """Spellings of the alias table become its class, whatever their case and spaces, and are no conflict any more."""
    spelling = Spelling({"Toy  Poodle": "poodle", "Poodle (Toy)": "poodle"}, ())
    labelling = by_folder(LocatedImage("toy poodle/1", "x"), LocatedImage("POODLE (toy)/1", "x"), spelling=spelling)
    assert [(image.key, image.label) for image in labelling.labelled] == [("POODLE (toy)/1", "poodle")]


def test_left_out_classes_are_counted_not_learned() -> None:
    """Images of a class that is left out, also through an alias, are kept apart by name."""
    spelling = Spelling({"wolf": "not a dog"}, ("Not a Dog",))
    labelling = by_folder(LocatedImage("wolf/1", "x"), LocatedImage("pug/1", "y"), spelling=spelling)
    assert [item.image for item in labelling.left_out] == ["x"]
    assert [image.image for image in labelling.labelled] == ["y"]


def test_letters_that_look_the_same_are_the_same() -> None:
    """A name that a Mac wrote with letters and accents apart is the class that others wrote composed."""
    labelling = by_folder(LocatedImage("Bo\u0308hme/1", "x"), LocatedImage("B\u00f6hme/2", "y"))
    assert {image.label for image in labelling.labelled} == {"B\u00f6hme"}


@given(st.text())
def test_plain_is_plain(text: str) -> None:
    """Writing a name plainly twice changes nothing more."""
    assert normalize_name(normalize_name(text)) == normalize_name(text)


@given(
    st.dictionaries(
        st.text("abc/", min_size=1, max_size=4),
        st.tuples(st.sampled_from("xyz"), st.lists(st.sampled_from(["pug", "boxer", "wolf", ""]), max_size=3)),
        max_size=8,
    )
)
def test_every_image_comes_to_exactly_one_end(objects: Mapping[str, tuple[str, Sequence[str]]]) -> None:
    """Each image is labelled, unlabelled, in conflict or left out: one of these, whatever is said about its copies."""
    located = [LocatedImage(key, image) for key, (image, _) in objects.items()]
    source_labels = {
        key: [SourceLabel("manifest", label, ()) for label in labels] for key, (_, labels) in objects.items()
    }
    labelling = label_images(located, source_labels, Spelling({}, ("wolf",)))
    ends = [
        image.image
        for part in (labelling.labelled, labelling.unlabelled, labelling.conflicts, labelling.left_out)
        for image in part
    ]
    assert sorted(ends) == sorted({image.image for image in located})


def test_slips_of_the_pen_are_suggested() -> None:
    """A label that occurs once and resembles another is suggested as its alias; two classes that look alike are not."""
    hints = suggest_aliases(["poodle"] * 5 + ["poodel"] + ["boxer"] * 3 + ["Box-er"] + ["akita"] * 2 + ["akito"] * 2)
    assert hints == (
        "Box-er and boxer differ only in how they are written: an alias would make them one class",
        "poodel occurs once and resembles poodle: if it is a slip, add it to labels.aliases",
    )
