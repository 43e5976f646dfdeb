"""What an image shows: sources of labels in their order, spellings, copies and conflicts, in columns as row by row."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.labels.label_images import Statements, label_images
from tasks.domain.labels.labeling import SourceLabel, Spelling, collect_claims, normalize_aliases, read_layout
from tasks.domain.labels.labelled_images import Conflict, LabelledImage, Labelling, LocatedImage

AS_WRITTEN = Spelling({}, ())


def labelled(
    located: Iterable[LocatedImage],
    source_labels: Mapping[str, Sequence[SourceLabel]],
    spelling: Spelling,
    missing: Iterable[str] = (),
) -> Labelling:
    """Label objects that are not in columns yet."""
    ordered = sorted(located)
    keys, images = (pa.array([getattr(row, name) for row in ordered], pa.string()) for name in ("key", "image"))
    statements = Statements.by_key(keys, source_labels)
    return label_images(pa.table([keys, images], names=["key", "image"]), statements, spelling, missing)


def by_folder(*located: LocatedImage, spelling: Spelling = AS_WRITTEN) -> Labelling:
    """Label objects by their first folder alone."""
    return labelled(located, {image.key: [read_layout(image.key, "label")] for image in located}, spelling)


def from_manifest(*message: SourceLabel) -> Labelling:
    """Label one object by what was said about it."""
    return labelled([LocatedImage("1.jpg", "x")], {"1.jpg": message}, AS_WRITTEN)


def by_rows(
    located: Iterable[LocatedImage], source_labels: Mapping[str, Sequence[SourceLabel]], spelling: Spelling
) -> Labelling:
    """Label objects one by one, as was done before there were columns."""
    aliases, out = normalize_aliases(spelling.aliases), {label.casefold() for label in spelling.leave_out}
    first: dict[str, LocatedImage] = {}
    copies: defaultdict[str, list[LabelledImage]] = defaultdict(list)
    for place in sorted(located):
        first.setdefault(place.image, place)
        for claim in collect_claims(aliases, source_labels.get(place.key, ())):
            copies[place.image].append(LabelledImage(place.key, place.image, *claim))
    claimed = sorted(copies.items())
    conflicts = {image for image, rows in claimed if len({row.label for row in rows}) > 1}
    single = [merged(rows) for image, rows in claimed if image not in conflicts]
    return Labelling(
        tuple(row for row in single if row.label.casefold() not in out),
        tuple(first[image] for image in sorted(first.keys() - copies.keys())),
        tuple(
            Conflict(image, tuple(dict.fromkeys((row.label, row.key) for row in copies[image])))
            for image in sorted(conflicts)
        ),
        tuple(row for row in single if row.label.casefold() in out),
    )


def merged(rows: Sequence[LabelledImage]) -> LabelledImage:
    """Complete the first of an image's copies by the attributes that it lacks."""
    attributes, origins = dict[str, str](), dict[str, str]()
    for row in rows:
        attributes, origins = dict(row.attributes) | attributes, dict(row.origins) | origins
    return rows[0]._replace(attributes=tuple(sorted(attributes.items())), origins=tuple(sorted(origins.items())))


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
    labelling = labelled(located, source_labels, Spelling({}, ("wolf",)))
    ends = [
        image.image
        for part in (labelling.labelled, labelling.unlabelled, labelling.conflicts, labelling.left_out)
        for image in part
    ]
    assert sorted(ends) == sorted({image.image for image in located})


said = st.builds(
    SourceLabel,
    st.sampled_from(["manifest", "folder"]),
    st.sampled_from(["pug", "Pug", "mops", "boxer", "wolf", ""]),
    st.dictionaries(st.sampled_from(["coat", "light"]), st.sampled_from(["dim", "white", ""])).map(
        lambda pairs: tuple(sorted(pairs.items()))
    ),
)


@given(
    st.dictionaries(
        st.text("ab/\u00e9\U0001f436", min_size=1, max_size=4),
        st.tuples(st.sampled_from(["x", "y", "z" * 64, "Z" * 64]), st.lists(said, max_size=3)),
        max_size=8,
    )
)
def test_columns_label_as_rows_do(objects: Mapping[str, tuple[str, Sequence[SourceLabel]]]) -> None:
    """Labelling in columns comes to what labelling object by object comes to, whatever sources say about copies."""
    located = [LocatedImage(key, image) for key, (image, _) in objects.items()]
    source_labels = {key: labels for key, (_, labels) in objects.items()}
    spelling = Spelling({"mops": "pug"}, ("wolf",))
    assert labelled(located, source_labels, spelling) == by_rows(located, source_labels, spelling)


@given(st.lists(st.text("ab/\u00e9", min_size=1, max_size=6), max_size=8), st.lists(said, max_size=3))
def test_sources_are_joined_in_their_order(keys: list[str], labels: list[SourceLabel]) -> None:
    """What folders and a manifest say of a key stands side by side, in the order of the sources."""
    column = pa.array(keys, pa.string())
    written = dict.fromkeys(keys[::2], labels)
    joined = Statements.join(
        [Statements.by_key(column, written), Statements.by_folder(column, "label/coat")], len(keys)
    )
    expected = [[*written.get(key, []), read_layout(key, "label/coat")] for key in keys]
    assert [list(joined.kinds[code]) for code in joined.codes.tolist()] == expected
