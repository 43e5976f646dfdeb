"""Changed pictures and the views of a head: as random as the generator, and still pictures of the same thing."""

import numpy as np
import pytest
from PIL import Image

from tasks.domain.images.augmentation import IDENTITY, VIEWS, Kind, Pixels, augment, render_view
from tasks.domain.images.preprocessing import Picture, to_input
from tasks.domain.synthetic.drawn_dogs import draw

_DOG = to_input(Picture(draw("corgi", "golden", 3), "drawn"), 64)


@pytest.mark.parametrize("kind", ["light", "strong"])
def test_the_same_chance_gives_the_same_picture(kind: Kind) -> None:
    """One seed always gives one picture of the same shape and type, and another seed another one."""
    first, repeated, other = (augment(_DOG, kind, np.random.default_rng([0, seed])) for seed in (1, 1, 2))
    assert first.shape == _DOG.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, repeated)
    assert not np.array_equal(first, other)


def test_none_changes_nothing() -> None:
    """Without augmentation the picture is the very one that serving sees."""
    assert np.array_equal(augment(_DOG, "none", np.random.default_rng(0)), _DOG)


def test_light_changes_mirror_and_shift_only() -> None:
    """Of forty pictures about half are mirrored, and each is the dog or its mirror image, a few pixels away."""
    mirrored = 0
    for seed in range(40):
        changed = augment(_DOG, "light", np.random.default_rng(seed))
        plain, turned = _nearest(changed, _DOG), _nearest(changed, _DOG[:, ::-1])
        mirrored += turned < plain
        # Half a pixel of shift blurs the drawing's lines by no more than this.
        assert min(plain, turned) < 9
    assert 10 <= mirrored <= 30


def test_strong_changes_colours_too() -> None:
    """Brightness, which mirror and shift leave nearly alone, varies under strong changes."""
    means = {
        kind: np.std([augment(_DOG, kind, np.random.default_rng(seed)).mean() for seed in range(20)])
        for kind in ("light", "strong")
    }
    assert means["strong"] > 3 * means["light"]


def _nearest(changed: Pixels, picture: Pixels) -> float:
    """Return the mean difference, away from the border, at the shift of whole pixels that fits best."""
    inner = slice(10, -10)
    return min(
        float(
            np.abs(np.roll(picture, (down, right), (0, 1))[inner, inner].astype(float) - changed[inner, inner]).mean()
        )
        for down in range(-6, 7)
        for right in range(-6, 7)
    )


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
    assert np.array_equal(render_view(picture, SIZE, IDENTITY), to_input(picture, SIZE))


def test_the_mirror_swaps_left_and_right(picture: Picture) -> None:
    """Mirrored twice, a picture is itself; once, it is not."""
    mirrored = render_view(picture, SIZE, "mirror")
    assert np.array_equal(mirrored[:, ::-1], to_input(picture, SIZE))
    assert not np.array_equal(mirrored, to_input(picture, SIZE))


def test_five_crops_show_the_corners_and_the_middle(picture: Picture) -> None:
    """Each crop is a full square and shows the place that its name says: as red as that place, and as green."""
    colours = {}
    for view in VIEWS["five-crops"][1:]:
        crop = render_view(picture, SIZE, view)
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
