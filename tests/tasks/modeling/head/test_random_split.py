"""A random split over files claims more than is true exactly where files are alike."""

from dataclasses import replace

import numpy as np
import pytest

from configs.errors import PedigreeError
from tasks.modeling.head.cross_fitting import FitOptions
from tasks.modeling.head.random_split import DistinctImages, measure_random_split

_IMAGES, _WIDTH = 240, 60


def drawn(seed: int = 0) -> DistinctImages:
    """Draw three classes that overlap, each image in a group of its own and in one file."""
    chance = np.random.default_rng(seed)
    truth = np.arange(_IMAGES) % 3
    features = chance.normal(size=(3, _WIDTH))[truth] * 0.25 + chance.normal(size=(_IMAGES, _WIDTH))
    names = [f"{number:03}" for number in range(_IMAGES)]
    return DistinctImages(features.astype(np.float32), [f"class {label}" for label in truth], names, [1] * _IMAGES)


def test_planted_copies_raise_the_claim_and_not_the_honest_figure() -> None:
    """Half of the images lie there twice: a random split claims more beyond chance, whole groups claim what is true."""
    clean, recipe = drawn(), FitOptions()
    honest = measure_random_split(clean, recipe)
    leaking = measure_random_split(replace(clean, copies=[1, 2] * (_IMAGES // 2)), recipe)
    assert honest
    assert leaking
    assert leaking.low > 0.03
    assert leaking.claimed - leaking.honest > 0.08
    assert leaking.honest == pytest.approx(honest.honest, abs=0.05)
    assert leaking.files == 360
    # Of the 240 files with a copy four fifths have it in another fold.
    assert leaking.same_bytes == pytest.approx(2 / 3 * 0.8, abs=0.03)
    assert leaking.alike == leaking.same_bytes


def test_look_alikes_raise_it_as_well() -> None:
    """Images that are nearly the same leak although their bytes differ."""
    images, chance = drawn(), np.random.default_rng(1)
    twins = (images.features + chance.normal(scale=0.05, size=images.features.shape)).astype(np.float32)
    doubled = DistinctImages(
        np.concatenate([images.features, twins]), [*images.labels] * 2, [*images.groups] * 2, [1] * 2 * _IMAGES
    )
    split = measure_random_split(doubled, FitOptions())
    assert split
    assert split.low > 0.03
    assert split.same_bytes == 0
    assert split.alike == pytest.approx(0.8, abs=0.03)


def test_without_look_alikes_both_figures_are_the_same() -> None:
    """Nothing but the split differs: where no two files are alike the figures agree, the second time to the bit."""
    split = measure_random_split(drawn(), FitOptions())
    assert split
    assert (split.claimed, split.low, split.high, split.alike) == (split.honest, 0, 0, 0)
    assert split == measure_random_split(drawn(), FitOptions())


def test_where_nothing_can_be_held_out_nothing_is_claimed() -> None:
    """Classes of one group each and features that never vary have no figure; those that are no numbers a sentence."""
    clean = drawn()
    assert measure_random_split(replace(clean, groups=[*clean.labels]), FitOptions()) is None
    assert measure_random_split(replace(clean, features=np.ones_like(clean.features)), FitOptions()) is None
    with pytest.raises(PedigreeError, match="no numbers"):
        measure_random_split(replace(clean, features=np.full_like(clean.features, np.nan)), FitOptions())
