"""What the tests of images share: real photographs."""

from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture(scope="module")
def pictures(photos: Path) -> dict[str, Image.Image]:
    """One photograph of each breed."""
    firsts = [min(breed.glob("*.jpg")) for breed in sorted(photos.iterdir()) if breed.is_dir()]
    return {path.stem: Image.open(path).convert("RGB") for path in firsts}
