"""Laws of the data half: hashes, splits and groups, over whatever may arrive."""

from itertools import combinations
from random import Random

import imagehash
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from tasks.domain.datasets.manifest import Row, canonical_row, dataset_hash
from tasks.domain.datasets.splits import Assignment, Shares, Split, assign_splits
from tasks.domain.hashing import canonical_json, sha256_of_bytes
from tasks.domain.images.crops import METHOD as PARTS_METHOD
from tasks.domain.images.crops import PARTS_BYTES, hash_parts, middle_hash
from tasks.domain.images.near_duplicates import HASH_BYTES, METHOD, group_near_duplicates, perceptual_hash, shrink
from tasks.domain.labels.labeling import Attributes
from tests.tasks.domain.looks import DETAIL, OUTLINE, alike, flipped, hashes, near

SHARES = Shares(test=20, validation=15)
names = st.text("0123456789abcdef", min_size=4, max_size=6)
attributes = st.dictionaries(st.sampled_from(["coat", "light"]), st.sampled_from(["white", "пёстрый"])).map(
    lambda found: tuple(sorted(found.items()))
)
rows = st.builds(Row, names, st.sampled_from(["poodle", "pug", "ñ"]), st.sampled_from(Split), attributes, st.text())
manifests = st.lists(rows, min_size=1, max_size=12, unique_by=lambda row: row.image)


@given(rows)
def test_a_row_is_hashed_as_what_anybody_can_write(row: Row) -> None:
    """The hash covers the canonical JSON of a row's image, label, split and sorted attributes."""
    told = [row.image, row.label, row.split.value, [list(one) for one in sorted(row.attributes)]]
    assert canonical_row(row) == canonical_json(told)


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
    known: Attributes = (("coat", "white"),)
    manifest = [Row("b" * 64, "poodle", Split.TEST, known, "x"), Row("a" * 64, "pug", Split.TRAIN, (), "y")]
    assert dataset_hash(manifest) == "b978b627478a852cb4a7dd6ad534e6be166585b8de34f5cbe1c6bf9023616c2d"


@given(st.dictionaries(names, hashes, max_size=12), st.sampled_from([0, 1, 8, 72, 80]), st.data())
def test_groups_are_those_of_a_plain_comparison(pictures: dict[str, bytes], bits: int, data: st.DataObject) -> None:
    """Grouping finds exactly the groups that comparing every pair finds, each named by its smallest image."""
    for number in range(data.draw(st.integers(0, 8)) if pictures else 0):
        old = data.draw(st.sampled_from(sorted(pictures)))
        pictures[f"{old}~{number}"] = data.draw(near(pictures[old], bits))
    expected = {image: {image} for image in pictures}
    for first, second in combinations(pictures, 2):
        if alike(pictures[first], pictures[second], bits) and expected[first] is not expected[second]:
            joined = expected[first] | expected[second]
            expected.update(dict.fromkeys(joined, joined))
    assert group_near_duplicates(pictures, bits) == {image: min(together) for image, together in expected.items()}


def test_every_light_difference_of_outlines_is_found() -> None:
    """Whichever five bits of the outline differ, the two pictures are grouped; with a sixth they are not."""
    random = Random(5)  # noqa: S311 - no secret
    for _ in range(30):
        picture, bits = random.randbytes(32), random.sample(OUTLINE, 6)
        assert set(group_near_duplicates({"a": picture, "b": flipped(picture, bits[:5])}, 72).values()) == {"a"}
        assert set(group_near_duplicates({"a": picture, "b": flipped(picture, bits)}, 72).values()) == {"a", "b"}


def test_many_at_once_are_grouped_like_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures that share outlines get the same groups when they are compared in small portions."""
    random = Random(1)  # noqa: S311 - no secret
    pictures = {f"{number:03}": flipped(bytes(32), random.sample(DETAIL, 48)) for number in range(120)}
    whole = group_near_duplicates(pictures, 64)
    monkeypatch.setattr("tasks.domain.images.near_duplicates._PAIRS_AT_ONCE", 7)
    assert group_near_duplicates(pictures, 64) == whole
    assert 1 < len(set(whole.values())) < len(pictures)


def test_the_hash_is_the_method_that_its_name_says() -> None:
    """A picture's hash never changes under the same method's name, and it is imagehash's own."""
    down, sideways = np.mgrid[:64, :64]
    picture = Image.fromarray(((down * down * 7 + sideways * 13 + down * sideways) % 256).astype(np.uint8))
    assert METHOD == "phash-16x16"
    assert perceptual_hash(picture).hex() == str(imagehash.phash(picture, hash_size=16))
    assert perceptual_hash(picture).hex() == "89b5d0c580f379fec1f610f2018331e900e941b529fc81f6d1ae5dd661f399eb"


def test_a_picture_of_one_colour_has_the_same_hash_on_every_machine() -> None:
    """All cosines but the mean of a picture of one colour are nothing at all, and not the noise of a machine's sums."""
    assert perceptual_hash(Image.new("RGB", (300, 200), (77, 3, 9))) == bytes([128, *([0] * 31)])


def test_the_hashes_of_parts_are_the_method_that_its_name_says() -> None:
    """The hashes of a picture's parts never change under the same method's name, and the last is the middle's."""
    down, sideways = np.mgrid[:64, :64]
    picture = Image.fromarray(((down * down * 7 + sideways * 13 + down * sideways) % 256).astype(np.uint8))
    parts = hash_parts(shrink(picture))
    assert PARTS_METHOD == "phash-16x16-parts-6x6"
    assert len(parts) == PARTS_BYTES
    assert sha256_of_bytes(parts)[:16] == "67c3b031b384498a"
    assert middle_hash(parts) == parts[-HASH_BYTES:]


@st.composite
def nights(draw: st.DrawFn) -> list[dict[str, bytes]]:
    """Draw nights that add pictures, near copies of old ones, and pictures that lie between two old ones."""
    seen: dict[str, bytes] = {}
    history = []
    for night in range(draw(st.integers(1, 5))):
        new = {f"{name}{night}": draw(hashes) for name in draw(st.lists(names, max_size=4, unique=True))}
        for number, old in enumerate(draw(st.lists(st.sampled_from(sorted(seen)), max_size=3)) if seen else []):
            new[f"{draw(names)}{night}n{number}"] = draw(near(seen[old], 72))
        seen |= new
        history.append(new)
    return history


@given(nights())
def test_a_split_is_for_life(history: list[dict[str, bytes]]) -> None:
    """Whatever later nights add, no image ever changes its split, and every image has one."""
    pictures: dict[str, bytes] = {}
    known: dict[str, Assignment] = {}
    for new in history:
        pictures |= new
        fresh = assign_splits(group_near_duplicates(pictures, 72), known, SHARES)
        assert not fresh.keys() & known.keys()
        known |= fresh
        assert known.keys() == pictures.keys()


@given(nights())
def test_no_new_image_stands_across_the_line(history: list[dict[str, bytes]]) -> None:
    """A new image is never used on one side while an image that it resembles is used on the other."""
    pictures: dict[str, bytes] = {}
    known: dict[str, Assignment] = {}
    for new in history:
        pictures |= new
        together = group_near_duplicates(pictures, 72)
        fresh = assign_splits(together, known, SHARES)
        known |= fresh
        for image, assigned in fresh.items():
            used = {known[other].split for other, group in together.items() if group == together[image]}
            assert assigned.split is Split.HELD_OUT or used <= {assigned.split, Split.HELD_OUT}
