"""Validation of one image: decode it, measure its properties, hash it for look-alikes, and name it by its bytes."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.color_management import to_small_grey
from tasks.domain.images.crops import hash_parts
from tasks.domain.images.jpeg_brightness import read_brightness
from tasks.domain.images.near_duplicates import REDUCING_GAP, hash_levels, to_grey_levels
from tasks.domain.images.preprocessing import Limits, open_picture
from tasks.domain.images.rejections import Rejection

# With this, 250 x 188 pixels, half of the commonest size, are shrunk by two both ways, as 256 x 192 are.
_BRIGHTNESS_GAP = 1.4


@dataclass(frozen=True, slots=True)
class ImageProperties:
    """Properties measured on a grey copy of the picture.

    Attributes:
        brightness: The mean grey level, from 0 (black) to 1 (white).
        contrast: The standard deviation of the grey levels, as a share of white.
        sharpness: The variance of the Laplacian, in squared grey levels of 0 to 255.
        tone: The mean grey level of the middle quarter of the picture, from 0 to 1.
    """

    brightness: float
    contrast: float
    sharpness: float
    tone: float


def measure_image(picture: Image.Image) -> ImageProperties:
    """Compute the properties of a decoded picture on a grey copy whose longer side has at most 256 pixels."""
    levels = np.asarray(to_small_grey(picture), dtype=np.int16)
    height, width = levels.shape
    middle = levels[height // 4 : height - height // 4, width // 4 : width - width // 4]
    mean, variance = _moments(levels)
    tone, _ = _moments(middle)
    _, sharpness = _moments(_laplacian(levels))
    return ImageProperties(brightness=mean / 255, contrast=sqrt(variance) / 255, sharpness=sharpness, tone=tone / 255)


def _moments(levels: NDArray[np.int16]) -> tuple[float, float]:
    """Return the mean and the variance, summed in whole numbers; both are zero where there are no levels."""
    if not levels.size:
        return 0.0, 0.0
    # 64-bit sums take twice as long, and 32 bits are enough: 256 x 256 levels, each squared at most 255^2, give < 2^32.
    wide = levels.astype(np.int32)
    mean = int(wide.sum(dtype=np.int32)) / levels.size
    squares = int(np.square(wide).view(np.uint32).sum(dtype=np.uint32)) / levels.size
    return mean, max(squares - mean * mean, 0.0)


def _laplacian(levels: NDArray[np.int16]) -> NDArray[np.int16]:
    """Compute the Laplacian of grey levels, clipped to eight bits.

    Source: Pertuz et al., 2013, "Analysis of focus measure operators", LAPV.

    Args:
        levels: Grey levels of shape (n, m).

    Returns:
        Values from -128 to 127, of shape (n - 2, m - 2).
    """
    inner = levels[1:-1, 1:-1]
    around = levels[:-2, 1:-1] + levels[2:, 1:-1] + levels[1:-1, :-2] + levels[1:-1, 2:]
    clipped: NDArray[np.int16] = np.clip(around - 4 * inner, -128, 127)
    return clipped


@dataclass(frozen=True, slots=True)
class Description:
    """What a decoder process reports of a picture; the process does not name it.

    Attributes:
        width: The width of the upright picture, in pixels.
        height: Its height.
        format: The format that Pillow recognized, such as JPEG.
        phash: The perceptual hash, 32 bytes.
        measures: The measured properties.
        parts: The hashes of the picture's parts, for finding crops.
    """

    width: int
    height: int
    format: str
    phash: bytes
    measures: ImageProperties
    parts: bytes = b""


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image that decodes.

    Attributes:
        image: The SHA-256 of its bytes, which names it.
        width: The width of the upright picture, in pixels.
        height: Its height.
        format: The format that Pillow recognized, such as JPEG.
        phash: The perceptual hash, 32 bytes.
        properties: The measured properties.
        parts: The hashes of the picture's parts; empty for images of older stores, and where only the columns without
            them were read.
    """

    image: str
    width: int
    height: int
    format: str
    phash: bytes
    properties: ImageProperties
    parts: bytes = b""


def describe_image(data: bytes, limits: Limits) -> Description | Rejection:
    """Decode a file completely and measure it, without naming it.

    Args:
        data: The bytes of the file.
        limits: The sizes that are allowed.

    Returns:
        The description, or the reason why the file is rejected.
    """
    picture = open_picture(data, limits)
    if isinstance(picture, Rejection):
        return picture
    return _describe(picture.image, picture.image.size, picture.format)


def describe_brightness(data: bytes, limits: Limits) -> Description | Rejection:
    """Read a file completely and measure it, a JPEG by the brightness that it holds; all else as ``describe_image``.

    This takes half the time. Hashes differ from those of ``describe_image`` as little as those of a copy that was saved
    once more, but they differ, so a store keeps to one of the two.

    Args:
        data: The bytes of the file.
        limits: The sizes that are allowed.

    Returns:
        The description, or the reason why the file is rejected.
    """
    brightness = read_brightness(data, limits)
    if brightness is None:
        return describe_image(data, limits)
    return _describe(brightness.grey, (brightness.width, brightness.height), "JPEG", _BRIGHTNESS_GAP)


def _describe(picture: Image.Image, size: tuple[int, int], name: str, gap: float = REDUCING_GAP) -> Description:
    grey = to_small_grey(picture)
    levels = to_grey_levels(grey, gap)
    return Description(
        width=size[0],
        height=size[1],
        format=name,
        phash=hash_levels(levels),
        measures=measure_image(grey),
        parts=hash_parts(levels),
    )


def name_image(data: bytes, description: Description | Rejection) -> ImageInfo | Rejection:
    """Add an image's name, the hash of its bytes, to its description.

    Args:
        data: The bytes of the file.
        description: What a decoder reported; a rejection is handed back as it is.

    Returns:
        The named image, or the rejection.
    """
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
