"""Manifests of dataset versions: their hash sees every change, and small classes wait."""

from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st

from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.datasets.version_rows import VersionRows, WaitingClass, dataset_hash, select_classes
from tasks.domain.hashing import canonical_json, sha256_of_bytes
from tasks.domain.labels.attributes import Attributes


def rows_of(label: str, *splits: Split) -> list[Row]:
    """Make one image of a class for each split."""
    return [Row(f"{label}{number}", label, split, (), "") for number, split in enumerate(splits)]


def test_a_small_class_waits() -> None:
    """A class with fewer images than the minimum waits, and held-out images do not count."""
    few = rows_of("pug", Split.TRAIN, Split.TEST, Split.HELD_OUT)
    many = rows_of("boxer", Split.TRAIN, Split.TEST, Split.VALIDATION)
    selection = select_classes([*few, *many], 3)
    assert {row.label for row in selection.rows} == {"boxer"}
    assert selection.waiting == (WaitingClass("pug", 2, "2 of 3 images, lacks 1"),)


def test_a_class_without_training_images_waits() -> None:
    """A class that has nothing to be trained on waits, however many images it has."""
    selection = select_classes(rows_of("pug", *[Split.TEST] * 5), 3)
    assert selection.rows == ()
    assert [item.label for item in selection.waiting] == ["pug"]


names = st.text("0123456789abcdef", min_size=4, max_size=6)


attributes = st.dictionaries(st.sampled_from(["coat", "light"]), st.sampled_from(["white", "пёстрый"])).map(
    lambda attributes: tuple(sorted(attributes.items()))
)


def rows_named(images: st.SearchStrategy[str]) -> st.SearchStrategy[list[Row]]:
    """Draw the rows of a version whose images have such names."""
    labels = st.sampled_from(["poodle", "pug", "ñ"])
    rows = st.builds(Row, images, labels, st.sampled_from(Split), attributes, st.text())
    return st.lists(rows, min_size=1, max_size=12, unique_by=lambda row: row.image)


rows = st.builds(Row, names, st.sampled_from(["poodle", "pug", "ñ"]), st.sampled_from(Split), attributes, st.text())


# Names that are hashes, as all are outside of tests, and others.
manifests = rows_named(names) | rows_named(st.text("0a", min_size=64, max_size=64))


@given(manifests)
def test_a_version_is_hashed_as_what_anybody_can_write(manifest: list[Row]) -> None:
    """The hash is the SHA-256 of sorted lines: canonical JSON of a row's image, label, split and sorted attributes."""
    rows = ([row.image, row.label, row.split.value, sorted(map(list, row.attributes))] for row in manifest)
    lines = sorted(canonical_json(row) for row in rows)
    assert dataset_hash(manifest) == sha256_of_bytes(b"\n".join([b"pedigree dataset 1", *lines, b""]))


@given(manifests)
def test_rows_in_columns_are_the_same_rows(manifest: list[Row]) -> None:
    """A version's rows come back from columns, and from the table that is stored, as they were."""
    columns = VersionRows.of(manifest)
    assert list(columns) == list(VersionRows.from_table(columns.to_table())) == manifest


@given(manifests, st.randoms(), st.text())
def test_the_hash_forgets_order_and_keys(manifest: list[Row], random: Random, key: str) -> None:
    """The dataset hash is the same in any order, and under any keys."""
    shuffled = [row._replace(key=key) for row in manifest]
    random.shuffle(shuffled)
    assert dataset_hash(shuffled) == dataset_hash(manifest)


@given(manifests, st.data())
def test_the_hash_sees_every_change(manifest: list[Row], data: st.DataObject) -> None:
    """The dataset hash changes when one image's bytes, label, split or attributes change, or one image more or less."""
    index = data.draw(st.integers(0, len(manifest) - 1))
    row = manifest[index]
    field = data.draw(st.sampled_from(["image", "label", "split", "attributes"]))
    other = data.draw(
        {"image": names, "label": st.text(), "split": st.sampled_from(Split), "attributes": attributes}[field]
    )
    assume(other != getattr(row, field))
    assert dataset_hash([*manifest[:index], row._replace(**{field: other}), *manifest[index + 1 :]]) != dataset_hash(
        manifest
    )
    assert dataset_hash([*manifest[:index], *manifest[index + 1 :]]) != dataset_hash(manifest)


def test_the_hash_is_the_one_that_others_computed() -> None:
    """The dataset hash of a given manifest never changes between versions of the code."""
    attributes: Attributes = (("coat", "white"),)
    manifest = [Row("b" * 64, "poodle", Split.TEST, attributes, "x"), Row("a" * 64, "pug", Split.TRAIN, (), "y")]
    assert dataset_hash(manifest) == "b978b627478a852cb4a7dd6ad534e6be166585b8de34f5cbe1c6bf9023616c2d"
