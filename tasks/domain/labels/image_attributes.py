"""Attributes read from the picture itself, so that bias shows where nobody wrote anything down."""

from tasks.domain.images.image_info import ImageInfo
from tasks.domain.labels.labeling import Attributes

#: How such an attribute was obtained, beside the sources of labels.
PICTURE = "picture"

# Shares of white: a third and two thirds for what stands in the middle, the rare ends for the whole picture. Of 250
# photographs of dogs 17% had a dark and 3% a light middle, 7% were dark and 1% bright.
_TONES = ((0.34, "dark"), (0.66, "mid"), (1.01, "light"))
_BRIGHTNESS = ((0.28, "dark"), (0.72, "normal"), (1.01, "bright"))
# Pixels of the shorter side; InceptionV3 sees 299.
_RESOLUTIONS = ((299, "low"), (1000, "medium"), (float("inf"), "high"))


def image_attributes(image_info: ImageInfo) -> Attributes:
    """Tell a picture's tone, of what stands in its middle, its brightness and its resolution, in three steps each."""
    return (
        ("brightness", _step(image_info.measures.brightness, _BRIGHTNESS)),
        ("resolution", _step(min(image_info.width, image_info.height), _RESOLUTIONS)),
        ("tone", _step(image_info.measures.tone, _TONES)),
    )


def _step(value: float, steps: tuple[tuple[float, str], ...]) -> str:
    return next(name for limit, name in steps if value < limit)
