"""What a picture looks like in figures: brightness, contrast, sharpness, and the tone of what stands in its middle."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tasks.domain.images.color_management import small_grey


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
