"""Views: the same picture seen in a few fixed ways, so that a head learns what does not matter."""

import numpy as np
from numpy.typing import NDArray

from tasks.domain.pixels import Picture, to_input

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
    whole = round(size / _SHOWN)
    top, left = int(down * (whole - size)), int(right * (whole - size))
    return np.ascontiguousarray(to_input(picture, whole)[top : top + size, left : left + size])
