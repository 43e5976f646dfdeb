"""Real photographs: changed copies are grouped with their originals, different photographs are not."""

from pathlib import Path

import pytest
from PIL import Image

from tasks.domain.duplicates import groups, perceptual_hash
from tests.benchmarks.near_duplicates import BITS, CHANGES


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
    """Copies are in their original's group as often as docs/near-duplicates.md promises, and originals never meet."""
    originals = {name: perceptual_hash(picture) for name, picture in pictures.items()}
    copies = {
        f"{name} {change}": perceptual_hash(CHANGES[kind][change](picture))
        for name, picture in pictures.items()
        for change in CHANGES[kind]
    }
    together = groups(originals | copies, BITS)
    assert len({together[name] for name in originals}) == len(originals)
    assert sum(together[copy] == together[copy.split(" ")[0]] for copy in copies) / len(copies) >= least
