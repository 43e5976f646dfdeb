"""Changed pictures: as random as the generator, and still pictures of the same thing."""

import numpy as np
import pytest

from tasks.domain.images.augmentation import Kind, Pixels, augment
from tasks.domain.images.preprocessing import Picture, to_input
from tasks.domain.synthetic.drawn_dogs import draw

_DOG = to_input(Picture(draw("corgi", "golden", 3), "drawn"), 64)


@pytest.mark.parametrize("kind", ["light", "strong"])
def test_the_same_chance_gives_the_same_picture(kind: Kind) -> None:
    """One seed always gives one picture of the same shape and type, and another seed another one."""
    first, again, other = (augment(_DOG, kind, np.random.default_rng([0, seed])) for seed in (1, 1, 2))
    assert first.shape == _DOG.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_none_changes_nothing() -> None:
    """Without augmentation the picture is the very one that serving sees."""
    assert np.array_equal(augment(_DOG, "none", np.random.default_rng(0)), _DOG)


def test_light_changes_mirror_and_shift_only() -> None:
    """Of forty pictures about half are mirrored, and each is the dog or its mirror image, a few pixels away."""
    mirrored = 0
    for seed in range(40):
        found = augment(_DOG, "light", np.random.default_rng(seed))
        plain, turned = _nearest(found, _DOG), _nearest(found, _DOG[:, ::-1])
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


def _nearest(found: Pixels, picture: Pixels) -> float:
    """Return the mean difference, away from the border, at the shift of whole pixels that fits best."""
    inner = slice(10, -10)
    return min(
        float(np.abs(np.roll(picture, (down, right), (0, 1))[inner, inner].astype(float) - found[inner, inner]).mean())
        for down in range(-6, 7)
        for right in range(-6, 7)
    )
