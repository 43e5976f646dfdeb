"""Drawn dogs are the same everywhere, and of every kind that is promised."""

import numpy as np
import pytest

from tasks.domain.synthetic.drawn_dogs import BACKBONE_BREEDS, BREEDS, COATS, draw


def test_the_same_seed_draws_the_same_dog() -> None:
    """Breed, coat and seed decide every pixel; another seed is another picture."""
    first, repeated, other = (draw("poodle", "white", seed).tobytes() for seed in (7, 7, 8))
    assert first == repeated
    assert first != other


@pytest.mark.parametrize("breed", [*BREEDS, *BACKBONE_BREEDS])
def test_every_breed_comes_in_every_coat(breed: str) -> None:
    """Each breed can be drawn in each coat, as an RGB square of the side that was asked for."""
    pictures = [draw(breed, coat, seed=1, side=96) for coat in COATS]
    assert {(picture.mode, picture.size) for picture in pictures} == {("RGB", (96, 96))}
    assert len({picture.tobytes() for picture in pictures}) == len(COATS)


def test_the_demo_shows_breeds_that_its_backbone_never_saw() -> None:
    """No breed is both in the demo and among those that the backbone was trained on."""
    assert set(BREEDS).isdisjoint(BACKBONE_BREEDS)


@pytest.mark.parametrize("breed", BREEDS)
def test_the_coat_shows_in_the_picture(breed: str) -> None:
    """White dogs make lighter pictures than black ones, whatever the breed."""
    white, black = (
        np.mean([np.asarray(draw(breed, coat, seed, 96)) for seed in range(12)]) for coat in ("white", "black")
    )
    assert white > black
