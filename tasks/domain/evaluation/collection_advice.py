"""Of which photographs more are wanted: what they would bring, what the model is bad at, and what nobody can tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.domain.datasets.attribute_balance import Narrow
from tasks.domain.evaluation.learning_curves import MORE, Curve
from tasks.domain.evaluation.metrics import Figures
from tasks.domain.evaluation.slices import Slice, telling
from tasks.domain.phrasing import count

# Below half a point nobody would go out for photographs.
_WORTH = 0.005


@dataclass(frozen=True, slots=True)
class Wanted:
    """A class or slice, why more photographs of it are wanted, and what 50 of them would likely add to its recall.

    The gain is a share with its 95% interval; None where only the data card or the test split speaks.
    """

    of: str
    why: str
    gain: float | None = None
    low: float | None = None
    high: float | None = None


def wanted(
    found: Figures,
    slices: Sequence[Slice],
    minimum: int,
    curves: Sequence[Curve] = (),
    narrow: Sequence[Narrow] = (),
) -> tuple[Wanted, ...]:
    """Rank what to collect: first classes that 50 more images would likely help, by how much.

    Then classes whose images cover little of what the others cover, the narrowest first. Then what is certainly
    recognised less often than all images, the worst first; certainly means that the whole interval is below the
    accuracy. Then follow classes with fewer test images than the minimum, and slices of the others, the fewest first:
    of these nothing is known.
    """
    accuracy = found.overall["accuracy"]
    helped = sorted((one for one in curves if (one.gain or 0) >= _WORTH), key=lambda one: (-(one.gain or 0), one.label))
    named = {one.label for one in helped}
    unknown = {one.label for one in found.classes if one.images < minimum}
    classes = [
        (one.label, one.images, one.recall or 0.0, one.high)
        for one in found.classes
        if one.label not in named | unknown
    ]
    parts = [one for one in telling(slices) if one.label not in unknown]
    every = [*classes, *((one.name, one.images, one.recall, one.high) for one in parts)]
    weak = sorted((recall, of, images) for of, images, recall, high in every if images >= minimum and high < accuracy)
    few = [
        *sorted((one.images, one.label) for one in found.classes if one.label in unknown),
        *sorted((one.images, one.name) for one in parts if one.images < minimum),
    ]
    return (
        *(Wanted(one.label, _brings(one), one.gain, one.low, one.high) for one in helped),
        *(Wanted(one.label, f"{one.unseen} photographs, since {one.why}") for one in narrow),
        *(
            Wanted(of, f"{recall:.1%} of {images:,} test images are recognised, {accuracy:.1%} of all")
            for recall, of, images in weak
        ),
        *(
            Wanted(of, f"{count(images, 'test image')}: {minimum - images:,} more, and it is known")
            for images, of in few
        ),
    )


def _brings(one: Curve) -> str:
    perhaps = ", perhaps nothing" if one.low < _WORTH else ""
    return (
        f"{MORE} more images would likely add {100 * (one.gain or 0):.1f} points of recall "
        f"({100 * one.low:.1f} to {100 * one.high:.1f}{perhaps}) to the {one.images:,} that it learns from"
    )
