"""What a picture looks like in figures: brightness, contrast, sharpness, and the tone of what stands in its middle."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

_SIDE = 256
# The second derivative in both directions (Pertuz et al., 2013, "Analysis of focus measure operators": LAPV).
_LAPLACIAN = ImageFilter.Kernel((3, 3), (0, 1, 0, 1, -4, 1, 0, 1, 0), scale=1, offset=128)


@dataclass(frozen=True, slots=True)
class Measures:
    """Brightness, contrast and tone run from 0 to 1; sharpness is the variance of the Laplacian, in grey levels."""

    brightness: float
    contrast: float
    sharpness: float
    tone: float


def measure(picture: Image.Image) -> Measures:
    """Measure a decoded picture on a grey copy whose longer side has at most 256 pixels."""
    grey = picture.convert("L")
    grey.thumbnail((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    levels = np.asarray(grey, dtype=np.float64)
    height, width = levels.shape
    middle = levels[height // 4 : height - height // 4, width // 4 : width - width // 4]
    # Pillow leaves the outermost pixels as they are.
    edges = np.asarray(grey.filter(_LAPLACIAN), dtype=np.float64)[1:-1, 1:-1]
    return Measures(
        brightness=float(levels.mean() / 255),
        contrast=float(levels.std() / 255),
        sharpness=float(edges.var()) if edges.size else 0.0,
        tone=float(middle.mean() / 255),
    )
