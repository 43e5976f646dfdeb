"""Image augmentation: random changes for fine-tuning, and the fixed views (mirror, crops) that a head learns from."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from tasks.domain.images.preprocessing import Picture, to_input

Kind = Literal["none", "light", "strong"]
Pixels = NDArray[np.uint8]
Enhance = Callable[[Image.Image], ImageEnhance.Brightness | ImageEnhance.Contrast | ImageEnhance.Color]

# The largest shift as a share of the side, zoom as a logarithm of the factor, rotation in degrees, and relative change
# of brightness, contrast and saturation.
_SHIFT, _ZOOM, _DEGREES, _COLOUR_GAIN = 0.08, 0.15, 12.0, 0.25
_ENHANCERS: tuple[Enhance, ...] = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
#: The unchanged picture. Validation, test and serving see only this view.
IDENTITY = "identity"
_MIRROR = "mirror"
# The names carry the crop's share of each side, because features are stored by view: another crop needs another name.
# The values are the crop's position, downwards and to the right, as a share of what is cut off.
_CORNERS = {
    "7/8 top left": (0, 0),
    "7/8 top right": (0, 1),
    "7/8 bottom left": (1, 0),
    "7/8 bottom right": (1, 1),
    "7/8 centre": (0.5, 0.5),
}
_CROP_SHARE = 7 / 8
#: The views that each choice of ``training.views`` learns from.
VIEWS = {
    "identity": (IDENTITY,),
    "mirror": (IDENTITY, _MIRROR),
    "five-crops": (IDENTITY, *_CORNERS),
}


def augment(pixels: Pixels, kind: Kind, rng: Generator) -> Pixels:
    """Return a randomly changed copy of a picture; the same state of the generator gives the same result.

    ``light`` mirrors half of the pictures and shifts them by up to 8% of the side. ``strong`` also zooms by up to 15%,
    rotates by up to 12 degrees, and changes brightness, contrast and saturation by up to 25%. Areas that come into
    view repeat the pixels of the border.

    Args:
        pixels: Model input of shape (size, size, 3).
        kind: How strong the changes are; ``none`` returns the picture itself.
        rng: The source of randomness.

    Returns:
        The changed picture, of shape (size, size, 3).
    """
    if kind == "none":
        return pixels
    mirrored = pixels[:, ::-1] if rng.random() < 1 / 2 else pixels
    shift = rng.uniform(-_SHIFT, _SHIFT, 2) * len(pixels)
    if kind == "light":
        return np.asarray(_warp(mirrored, shift, 1.0, 0.0))
    zoom, turn = np.exp(rng.uniform(-_ZOOM, _ZOOM)), math.radians(rng.uniform(-_DEGREES, _DEGREES))
    picture = _warp(mirrored, shift, zoom, turn)
    for enhance in _ENHANCERS:
        picture = enhance(picture).enhance(1 + rng.uniform(-_COLOUR_GAIN, _COLOUR_GAIN))
    return np.asarray(picture)


def _warp(pixels: Pixels, shift: NDArray[np.float64], zoom: float, turn: float) -> Image.Image:
    """Shift (in pixels), scale (by a factor) and rotate (in radians, around the middle) with a single resampling."""
    size = len(pixels)
    margin = size // 2
    wide = Image.fromarray(np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="edge"))
    cosine, sine, middle = math.cos(turn) / zoom, math.sin(turn) / zoom, (size - 1) / 2
    # Pillow asks where each pixel of the result comes from: x' = a x + b y + c, y' = d x + e y + f.
    c = middle - cosine * middle - sine * middle + shift[0] + margin
    f = middle + sine * middle - cosine * middle + shift[1] + margin
    affine = (cosine, sine, c, -sine, cosine, f)
    return wide.transform((size, size), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)


def render_view(picture: Picture, size: int, view: str) -> NDArray[np.uint8]:
    """Render one view of a picture as model input.

    Args:
        picture: A decoded picture.
        size: The side of the model input, in pixels.
        view: One of the names in ``VIEWS``.

    Returns:
        The pixels of the view, of shape (size, size, 3).
    """
    if view == IDENTITY:
        return to_input(picture, size)
    if view == _MIRROR:
        return np.ascontiguousarray(to_input(picture, size)[:, ::-1])
    down, right = _CORNERS[view]
    full_size = round(size / _CROP_SHARE)
    top_edge, left_edge = int(down * (full_size - size)), int(right * (full_size - size))
    return np.ascontiguousarray(to_input(picture, full_size)[top_edge : top_edge + size, left_edge : left_edge + size])
