"""The views in which a head sees a training image."""

import numpy as np
import pytest
from PIL import Image

from tasks.domain.images.augmentation import IDENTITY, VIEWS, to_view
from tasks.domain.images.preprocessing import Picture, to_input

SIZE = 75


@pytest.fixture
def picture() -> Picture:
    """Picture that grows brighter to the right in red, and downwards in green."""
    ramp = np.linspace(0, 255, 160).astype(np.uint8)
    pixels = np.zeros((160, 160, 3), np.uint8)
    pixels[:, :, 0], pixels[:, :, 1] = ramp, ramp[:, None]
    return Picture(Image.fromarray(pixels), "PNG")


def test_the_identity_is_what_is_served(picture: Picture) -> None:
    """The first view of every choice is the model input itself, bit for bit."""
    assert {views[0] for views in VIEWS.values()} == {IDENTITY}
    assert np.array_equal(to_view(picture, SIZE, IDENTITY), to_input(picture, SIZE))


def test_the_mirror_swaps_left_and_right(picture: Picture) -> None:
    """Mirrored twice, a picture is itself; once, it is not."""
    mirrored = to_view(picture, SIZE, "mirror")
    assert np.array_equal(mirrored[:, ::-1], to_input(picture, SIZE))
    assert not np.array_equal(mirrored, to_input(picture, SIZE))


def test_five_crops_show_the_corners_and_the_middle(picture: Picture) -> None:
    """Each crop is a full square and shows the place that its name says: as red as that place, and as green."""
    colours = {}
    for view in VIEWS["five-crops"][1:]:
        crop = to_view(picture, SIZE, view)
        assert crop.shape == (SIZE, SIZE, 3)
        red, green, _ = crop.mean(axis=(0, 1)) - to_input(picture, SIZE).mean(axis=(0, 1))
        colours[view] = (round(float(red) / 16), round(float(green) / 16))
    assert colours == {
        "7/8 top left": (-1, -1),
        "7/8 top right": (1, -1),
        "7/8 bottom left": (-1, 1),
        "7/8 bottom right": (1, 1),
        "7/8 centre": (0, 0),
    }
