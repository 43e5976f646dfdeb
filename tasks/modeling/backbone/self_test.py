"""Self-test: whether a machine computes the same features twice, and which bits it gives for reference pictures."""

import platform
from collections.abc import Sequence
from hashlib import sha256, shake_256
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from configs.errors import PedigreeError
from tasks.domain.training.machines import Machine
from tasks.modeling.determinism import describe_processor, map_in_parallel

if TYPE_CHECKING:
    from tasks.modeling.backbone.backbone import Backbone, Pixels, Vector

# The side of a square of one colour in each reference picture, in pixels: noise, texture, and shapes.
_GRAINS = (1, 5, 23)


def examine_machine(backbone: "Backbone") -> Machine:
    """Check that features depend on the picture alone here, and return what tells this machine from others.

    Every process that computes features calls this before its first image.

    Args:
        backbone: The backbone.

    Returns:
        The machine, with the hash of its features of the reference pictures.

    Raises:
        PedigreeError: The same picture gave different features.
    """
    processor, instructions = describe_processor()
    reference = check_determinism(backbone)
    return Machine(platform.node(), processor, instructions, str(backbone.facts["engine"]), reference)


def check_determinism(backbone: "Backbone") -> str:
    """Check on this machine that features depend neither on neighbours nor on the order of images.

    Args:
        backbone: The backbone.

    Returns:
        The hash of the features of the three reference pictures: 64 hex digits.

    Raises:
        PedigreeError: The same picture gave different features.
    """
    pictures = reference_pictures(backbone.size)
    alone = [backbone.network(pixels) for pixels in pictures]
    together = list(map_in_parallel(backbone.network, chain(pictures, pictures[::-1])))
    if not np.array_equal(np.stack([*alone, *alone[::-1]]), np.stack(together)):
        raise PedigreeError(
            "On this machine the same picture gives different features twice: train on another machine."
        )
    return _hash(alone)


def hash_reference_features(backbone: "Backbone") -> str:
    """Return the hash of the features of the three reference pictures, as ``check_determinism`` does: 64 hex digits."""
    return _hash([backbone.network(pixels) for pixels in reference_pictures(backbone.size)])


def _hash(features: "Sequence[Vector]") -> str:
    return sha256(np.stack(features).astype("<f4").tobytes()).hexdigest()


def reference_pictures(size: int) -> list["Pixels"]:
    """Draw the three reference pictures, the same ones in every version of every library.

    Args:
        size: The side of a picture in pixels.

    Returns:
        Pictures of shape (size, size, 3), uint8.
    """
    return [_draw(size, grain) for grain in _GRAINS]


def _draw(size: int, grain: int) -> "Pixels":
    """Fill a picture with squares of colours that a hash gives, which no generator of random numbers can change."""
    side = -(-size // grain)
    colours = np.frombuffer(shake_256(f"pedigree {grain}".encode()).digest(side * side * 3), np.uint8)
    squares = colours.reshape(side, side, 3).repeat(grain, axis=0).repeat(grain, axis=1)
    return np.ascontiguousarray(squares[:size, :size])
