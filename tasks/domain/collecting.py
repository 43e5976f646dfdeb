"""Of which photographs more are wanted, by what is known of a model: what it is bad at, and what nobody can tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.domain.metrics import Figures
from tasks.domain.slices import Slice
from tasks.domain.wording import count


@dataclass(frozen=True, slots=True)
class Wanted:
    """A class or slice, and why more photographs of it are wanted."""

    of: str
    why: str


def wanted(found: Figures, slices: Sequence[Slice], minimum: int) -> tuple[Wanted, ...]:
    """Rank what to collect: first what is certainly recognised less often than all images, the worst first.

    Certainly means that the whole interval is below the accuracy. Then follow classes and slices with fewer test images
    than the minimum, the fewest first: of these nothing is known.
    """
    accuracy = found.overall["accuracy"]
    classes = [(one.label, one.images, one.recall or 0.0, one.high) for one in found.classes]
    every = [*classes, *((one.name, one.images, one.recall, one.high) for one in slices)]
    weak = sorted((recall, of, images) for of, images, recall, high in every if images >= minimum and high < accuracy)
    few = sorted((images, "=" in of, of) for of, images, _, _ in every if images < minimum)
    return (
        *(
            Wanted(of, f"{recall:.1%} of {images:,} test images are recognised, {accuracy:.1%} of all")
            for recall, of, images in weak
        ),
        *(
            Wanted(of, f"{count(images, 'test image')}: {minimum - images:,} more, and it is known")
            for images, _, of in few
        ),
    )
