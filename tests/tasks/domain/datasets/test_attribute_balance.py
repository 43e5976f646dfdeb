"""Classes whose photographs cover little of what the others cover."""

import numpy as np
import pytest

from tasks.domain.datasets.attribute_balance import NarrowRange, find_narrow_ranges, list_range_warnings
from tasks.domain.datasets.manifest import Row
from tasks.domain.datasets.splits import Split
from tasks.domain.evaluation.metrics import Figures
from tasks.domain.evaluation.results import advise_collection
from tasks.domain.images.image_info import ImageInfo, ImageProperties

KINDS = ("boxer", "husky", "pug")


def drawn(seed: int, images: int = 100) -> dict[str, tuple[str, ImageProperties]]:
    """Draw the measures of so many images of each class, which are photographed alike."""
    chance = np.random.default_rng(seed)
    return {
        f"{kind}{number}": (
            kind,
            ImageProperties(brightness=float(light), contrast=0.2, sharpness=500, tone=float(tone)),
        )
        for kind in KINDS
        for number, (light, tone) in enumerate(chance.normal(0.45, 0.12, (images, 2)))
    }


def narrow(images: dict[str, tuple[str, ImageProperties]]) -> tuple[NarrowRange, ...]:
    """Find the narrow classes among these images."""
    rows = [Row(image, kind, Split.TRAIN, (), image) for image, (kind, _) in images.items()]
    return find_narrow_ranges(
        rows,
        {image: ImageInfo(image, 9, 9, "JPEG", bytes(32), attributes) for image, (_, attributes) in images.items()},
    )


@pytest.mark.parametrize("images", [2, 5, 10, 40])
def test_classes_that_are_photographed_alike_are_seldom_narrow(images: int) -> None:
    """Of datasets whose classes chance alone tells apart at most one in twenty has a narrow class."""
    assert np.mean([bool(narrow(drawn(seed, images))) for seed in range(200)]) <= 0.05


@pytest.mark.parametrize(("least", "most", "unseen"), [(0, 0.45, "lighter"), (0.45, 1, "darker")])
@pytest.mark.parametrize("kind", ["brightness", "tone"])
def test_a_class_without_its_bright_pictures_is_named(least: float, most: float, unseen: str, kind: str) -> None:
    """Where a class's lighter or darker half is withheld, it alone is named, with what is missing."""
    retained = {
        image: (label, attributes)
        for image, (label, attributes) in drawn(1).items()
        if label != "pug" or least <= getattr(attributes, kind) <= most
    }
    (narrow_range,) = narrow(retained)
    assert (narrow_range.label, narrow_range.measure, narrow_range.unseen) == ("pug", kind, unseen)
    assert 0.3 < narrow_range.outside < 0.7
    assert str(narrow_range).startswith(f"pug is not seen in {unseen} photographs: nearly all of its ")


def test_one_background_is_named_though_the_dogs_differ() -> None:
    """A class before one photographer's white wall is narrow by its surroundings, whatever stands before it."""
    walls = {
        image: (
            label,
            ImageProperties((3 * 0.9 + attributes.tone) / 4, 0.2, 500, attributes.tone)
            if label == "pug"
            else attributes,
        )
        for image, (label, attributes) in drawn(2).items()
    }
    (narrow_range,) = narrow(walls)
    assert (narrow_range.label, narrow_range.measure, narrow_range.unseen) == ("pug", "surroundings", "darker")
    assert (narrow_range.low, narrow_range.high) == pytest.approx((0.9, 0.9))


def test_narrow_classes_are_wanted_and_many_are_counted() -> None:
    """The list of what to collect names the missing photographs; beyond five classes the warnings count the others."""
    narrow_range = NarrowRange("pug", "tone", 80, 0.1, 0.4, 0.02, 0.5)
    (wish,) = advise_collection(Figures(9, {"accuracy": 0.9}, (), (), ()), (), 10, (), [narrow_range])
    assert (wish.of, wish.gain) == ("pug", None)
    assert wish.why == (
        "lighter photographs, since nearly all of its 80 images have a middle whose tone is 0.10 to 0.40 (1 is white), "
        "52% of the other classes' images have not"
    )
    assert list_range_warnings([narrow_range] * 8)[5:] == ["3 more classes have narrow ranges"]
