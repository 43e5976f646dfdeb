"""What a picture looks like in figures: brightness, contrast, sharpness, and the tone of what stands in its middle."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.color_management import small_grey
from tasks.domain.images.crops import hash_parts
from tasks.domain.images.near_duplicates import hash_levels, shrink
from tasks.domain.images.preprocessing import Limits, open_picture
from tasks.domain.images.rejections import Rejection


@dataclass(frozen=True, slots=True)
class ImageProperties:
    """Brightness, contrast and tone run from 0 to 1; sharpness is the variance of the Laplacian, in grey levels."""

    brightness: float
    contrast: float
    sharpness: float
    tone: float


def measure_image(picture: Image.Image) -> ImageProperties:
    """Measure a decoded picture on a grey copy whose longer side has at most 256 pixels."""
    levels = np.asarray(small_grey(picture), dtype=np.int16)
    height, width = levels.shape
    middle = levels[height // 4 : height - height // 4, width // 4 : width - width // 4]
    (mean, variance), (tone, _), (_, sharpness) = map(_moments, (levels, middle, _laplacian(levels)))
    return ImageProperties(brightness=mean / 255, contrast=sqrt(variance) / 255, sharpness=sharpness, tone=tone / 255)


def _moments(levels: NDArray[np.int16]) -> tuple[float, float]:
    """Return mean and variance, from whole numbers; nothing has neither."""
    if not levels.size:
        return 0.0, 0.0
    # Sums in 64 bits take twice as long; those of at most 256 x 256 levels, each squared at most 255^2, are below 2^32.
    wide = levels.astype(np.int32)
    mean = int(wide.sum(dtype=np.int32)) / levels.size
    squares = int(np.square(wide).view(np.uint32).sum(dtype=np.uint32)) / levels.size
    return mean, max(squares - mean * mean, 0.0)


def _laplacian(levels: NDArray[np.int16]) -> NDArray[np.int16]:
    """Take the second derivative in both directions, eight bits of it: (n, m) to (n - 2, m - 2).

    Source: Pertuz et al., 2013, "Analysis of focus measure operators", LAPV.
    """
    inner = levels[1:-1, 1:-1]
    around = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:]
    clipped: NDArray[np.int16] = np.clip(around - 4 * inner, -128, 127)
    return clipped


@dataclass(frozen=True, slots=True)
class Description:
    """What decoding tells of a picture; width and height are those of the upright one."""

    width: int
    height: int
    format: str
    phash: bytes
    measures: ImageProperties
    parts: bytes = b""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image that decodes, named by the SHA-256 of its bytes; width and height are those of the upright picture.

    An image of an older store has no hashes of its parts, and what is read of one without its bytes does not have them.
    """

    image: str
    width: int
    height: int
    format: str
    phash: bytes
    properties: ImageProperties
    parts: bytes = b""


def validate_image(data: bytes, limits: Limits) -> ImageInfo | Rejection:
    """Decode a file wholly and measure it, or say why it is no training image."""
    return name_image(data, describe_image(data, limits))


def describe_image(data: bytes, limits: Limits) -> Description | Rejection:
    """Decode a file wholly and measure it, without naming it, or say why it is no training image."""
    picture = open_picture(data, limits)
    if isinstance(picture, Rejection):
        return picture
    grey = small_grey(picture.image)
    levels = shrink(grey)
    return Description(
        width=picture.image.width,
        height=picture.image.height,
        format=picture.format,
        phash=hash_levels(levels),
        measures=measure_image(grey),
        parts=hash_parts(levels),
    )


def name_image(data: bytes, description: Description | Rejection) -> ImageInfo | Rejection:
    """Name what was described by the hash of its bytes."""
    if isinstance(description, Rejection):
        return description
    return ImageInfo(
        image=sha256_of_bytes(data),
        width=description.width,
        height=description.height,
        format=description.format,
        phash=description.phash,
        properties=description.measures,
        parts=description.parts,
    )
