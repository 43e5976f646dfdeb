"""Cropped copies: they are grouped with their originals, whichever arrives first."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.crops import METHOD, PARTS, PARTS_BYTES, CropIndex, hash_parts, middle_hash
from tasks.domain.images.near_duplicates import HASH_BYTES, hash_levels, perceptual_hash, to_grey_levels
from tests.benchmarks.near_duplicates import BITS, cropped, encoded
from tests.tasks.domain.picture_hashes import group_with_crops


def test_the_hashes_of_parts_are_the_method_that_its_name_says() -> None:
    """The hashes of a picture's parts never change under the same method's name, and the last is the middle's."""
    down, sideways = np.mgrid[:64, :64]
    picture = Image.fromarray(((down * down * 7 + sideways * 13 + down * sideways) % 256).astype(np.uint8))
    parts = hash_parts(to_grey_levels(picture))
    assert METHOD == "phash-16x16-parts-6x6"
    assert len(parts) == PARTS_BYTES
    assert sha256_of_bytes(parts)[:16] == "67c3b031b384498a"
    assert middle_hash(parts) == parts[-HASH_BYTES:]


BORDERS = {
    "5% at each border": ((5, 5, 5, 5), 0.9),
    "10% at each border": ((10, 10, 10, 10), 0.7),
    "7% at each border, mirrored": ((-7, 7, 7, 7), 0.9),
    "uneven": ((2, 9, 6, 4), 0.7),
}


@pytest.mark.parametrize("kind", BORDERS)
@pytest.mark.parametrize("first", ["the original", "the crop", "both at once"])
def test_crops_are_grouped_whichever_arrives_first(pictures: dict[str, Image.Image], kind: str, first: str) -> None:
    """A crop joins its original's group, whether it comes later, earlier or with it, and originals never meet."""
    (left, top, right, bottom), least = BORDERS[kind]
    copies = {
        f"{name} crop": encoded(
            cropped(picture if left > 0 else ImageOps.mirror(picture), abs(left), top, right, bottom), "JPEG", 75
        )
        for name, picture in pictures.items()
    }
    levels = {name: to_grey_levels(picture) for name, picture in (pictures | copies).items()}
    hashes = {name: hash_levels(grey) for name, grey in levels.items()}
    parts = {name: hash_parts(grey) for name, grey in levels.items()}
    new = {"the original": copies, "the crop": pictures, "both at once": pictures | copies}[first]
    middles = {name: middle_hash(grey) for name, grey in parts.items()}
    together = group_with_crops(hashes, middles, [[(name, parts[name]) for name in new]], BITS)
    assert len({together[name] for name in pictures}) == len(pictures)
    assert sum(together[copy] == together[copy.split(" ")[0]] for copy in copies) / len(copies) >= least


def test_an_image_without_hashes_of_its_parts_is_found_by_its_whole(pictures: dict[str, Image.Image]) -> None:
    """A crop that an older store holds is found when its original arrives, though only its whole was hashed then."""
    old, new = (
        dict(list(pictures.items())[:5]),
        {f"{name} original": picture for name, picture in list(pictures.items())[:5]},
    )
    crops = {name: perceptual_hash(cropped(picture, 5, 5, 5, 5)) for name, picture in old.items()}
    wholes = crops | {name: perceptual_hash(picture) for name, picture in new.items()}
    parts = [(name, hash_parts(to_grey_levels(picture))) for name, picture in new.items()]
    together = group_with_crops(wholes, {}, [[*((name, b"") for name in old), *parts]], BITS)
    assert together == {name: name.split(" ")[0] for name in wholes}


def test_pictures_that_too_many_others_share_an_outline_with_are_passed_over() -> None:
    """A thousand pictures with one outline cost no comparison of each with each."""
    rows = np.frombuffer(b"".join(bytes(28) + number.to_bytes(4) for number in range(1000)), np.uint8).reshape(-1, 32)
    numbers = np.arange(1000)

    def count_pairs(count: int) -> int:
        index = CropIndex(rows[:count], numbers[:count], BITS)
        found = index.find_pairs(numbers[:count], np.repeat(rows[:count], PARTS, axis=0))
        return len({pair for pairs in found for pair in zip(*map(np.ndarray.tolist, pairs), strict=True)})

    assert count_pairs(1000) == 0
    assert count_pairs(50) == 50 * 49
