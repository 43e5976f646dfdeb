"""Random changes of a picture that leave what it shows: each pass over the training images sees other pictures."""

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

# Shares of the picture's side, of its size, of a full turn's 360 degrees, and of each colour property.
_SHIFT, _ZOOM, _DEGREES, _COLOUR = 0.08, 0.15, 12.0, 0.25
_COLOURS: tuple[Enhance, ...] = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


def augment(pixels: Pixels, kind: Kind, chance: Generator) -> Pixels:
    """Change model input of shape (size, size, 3) by chance: the same generator's state gives the same picture.

    Light mirrors half of the pictures and shifts them by up to 8%; strong also zooms by up to 15%, turns by up to 12
    degrees, and changes brightness, contrast and saturation by up to 25%. What comes into view continues the border.
    """
    if kind == "none":
        return pixels
    mirrored = pixels[:, ::-1] if chance.random() < 1 / 2 else pixels
    shift = chance.uniform(-_SHIFT, _SHIFT, 2) * len(pixels)
    if kind == "light":
        return np.asarray(_moved(mirrored, shift, 1.0, 0.0))
    zoom, turn = np.exp(chance.uniform(-_ZOOM, _ZOOM)), math.radians(chance.uniform(-_DEGREES, _DEGREES))
    picture = _moved(mirrored, shift, zoom, turn)
    for enhance in _COLOURS:
        picture = enhance(picture).enhance(1 + chance.uniform(-_COLOUR, _COLOUR))
    return np.asarray(picture)


def _moved(pixels: Pixels, shift: NDArray[np.float64], zoom: float, turn: float) -> Image.Image:
    """Shift by pixels, enlarge by a factor and turn by radians around the middle, resampling once."""
    size = len(pixels)
    margin = size // 2
    wide = Image.fromarray(np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="edge"))
    cosine, sine, middle = math.cos(turn) / zoom, math.sin(turn) / zoom, (size - 1) / 2
    # Pillow asks where each pixel of the result comes from: x' = a x + b y + c, y' = d x + e y + f.
    c = middle - cosine * middle - sine * middle + shift[0] + margin
    f = middle + sine * middle - cosine * middle + shift[1] + margin
    affine = (cosine, sine, c, -sine, cosine, f)
    return wide.transform((size, size), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC)


#: The picture as it is: what is validated, tested and served.
IDENTITY = "identity"
_MIRROR = "mirror"
# A corner's name says how much of each side it shows: other crops would need other names.
_CORNERS = {
    "7/8 top left": (0, 0),
    "7/8 top right": (0, 1),
    "7/8 bottom left": (1, 0),
    "7/8 bottom right": (1, 1),
    "7/8 centre": (0.5, 0.5),
}
_SHOWN = 7 / 8
#: The views that each choice of ``training.views`` learns from.
VIEWS = {
    "identity": (IDENTITY,),
    "mirror": (IDENTITY, _MIRROR),
    "five-crops": (IDENTITY, *_CORNERS),
}


def to_view(picture: Picture, size: int, view: str) -> NDArray[np.uint8]:
    """See a picture in one way, as a square of the given side in pixels: (size, size, 3)."""
    if view == IDENTITY:
        return to_input(picture, size)
    if view == _MIRROR:
        return np.ascontiguousarray(to_input(picture, size)[:, ::-1])
    down, right = _CORNERS[view]
    full_size = round(size / _SHOWN)
    top_edge, left_edge = int(down * (full_size - size)), int(right * (full_size - size))
    return np.ascontiguousarray(to_input(picture, full_size)[top_edge : top_edge + size, left_edge : left_edge + size])
