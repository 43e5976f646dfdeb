"""Near duplicates: changed copies are grouped with their originals, different photographs are not."""

from itertools import combinations
from random import Random

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tasks.domain.images.near_duplicates import (
    METHOD,
    group_near_duplicates,
    perceptual_hash,
)
from tests.benchmarks.near_duplicates import BITS, CHANGES
from tests.tasks.domain.picture_hashes import DETAIL, OUTLINE, alike, flipped, hashes, near


@pytest.mark.parametrize(
    ("kind", "least"),
    [("re-encoded", 0.99), ("resized", 0.99), ("lightly cropped", 0.9), ("light and colour", 0.9), ("mirrored", 0.9)],
)
def test_changed_copies_are_grouped(pictures: dict[str, Image.Image], kind: str, least: float) -> None:
    """Copies join their original as often as docs/explanation/near-duplicates.md says; originals never meet."""
    originals = {name: perceptual_hash(picture) for name, picture in pictures.items()}
    copies = {
        f"{name} {change}": perceptual_hash(CHANGES[kind][change](picture))
        for name, picture in pictures.items()
        for change in CHANGES[kind]
    }
    together = group_near_duplicates(originals | copies, BITS)
    assert len({together[name] for name in originals}) == len(originals)
    assert sum(together[copy] == together[copy.split(" ")[0]] for copy in copies) / len(copies) >= least


names = st.text("0123456789abcdef", min_size=4, max_size=6)


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
    at_once = group_near_duplicates(pictures, 64)
    monkeypatch.setattr("tasks.domain.images.near_duplicates._PAIRS_AT_ONCE", 7)
    assert group_near_duplicates(pictures, 64) == at_once
    assert 1 < len(set(at_once.values())) < len(pictures)


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
