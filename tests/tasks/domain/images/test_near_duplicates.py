"""Real photographs: changed copies are grouped with their originals, different photographs are not."""

from pathlib import Path

import pytest
from PIL import Image, ImageOps

from tasks.domain.images.crops import PARTS, CropIndex, group_with_crops, hash_parts, middle_hash
from tasks.domain.images.near_duplicates import group_near_duplicates, hash_levels, perceptual_hash, shrink
from tests.benchmarks.near_duplicates import BITS, CHANGES, cropped, encoded


@pytest.fixture(scope="module")
def pictures(photos: Path) -> dict[str, Image.Image]:
    """One photograph of each breed."""
    firsts = [min(breed.glob("*.jpg")) for breed in sorted(photos.iterdir()) if breed.is_dir()]
    return {path.stem: Image.open(path).convert("RGB") for path in firsts}


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
    levels = {name: shrink(picture) for name, picture in (pictures | copies).items()}
    hashes = {name: hash_levels(one) for name, one in levels.items()}
    parts = {name: hash_parts(one) for name, one in levels.items()}
    new = {"the original": copies, "the crop": pictures, "both at once": pictures | copies}[first]
    middles = {name: middle_hash(one) for name, one in parts.items()}
    together = group_with_crops(hashes, middles, [[(name, parts[name]) for name in new]], BITS)
    assert len({together[name] for name in pictures}) == len(pictures)
    assert sum(together[copy] == together[copy.split(" ")[0]] for copy in copies) / len(copies) >= least


def test_an_image_without_hashes_of_its_parts_is_found_by_its_whole(pictures: dict[str, Image.Image]) -> None:
    """A crop that an older store holds is found when its original arrives, though only its whole was hashed then."""
    old, new = (dict(list(pictures.items())[:5]), {f"{name} original": one for name, one in list(pictures.items())[:5]})
    crops = {name: perceptual_hash(cropped(picture, 5, 5, 5, 5)) for name, picture in old.items()}
    finder = CropIndex(crops | {name: perceptual_hash(one) for name, one in new.items()}, {}, BITS)
    pairs = set(
        finder.near([*((name, b"") for name in old), *((name, hash_parts(shrink(one))) for name, one in new.items())])
    )
    assert pairs == {(f"{name} original", name) for name in old}


def test_pictures_that_too_many_others_share_an_outline_with_are_passed_over() -> None:
    """A thousand pictures with one outline cost no comparison of each with each."""
    hashes = {f"{number:04}": bytes(28) + number.to_bytes(4) for number in range(1000)}
    parts = [(name, one * PARTS) for name, one in hashes.items()]
    assert list(CropIndex(hashes, {}, BITS).near(parts)) == []
    few = dict(list(hashes.items())[:50])
    assert len(set(CropIndex(few, {}, BITS).near(parts[:50]))) == 50 * 49
