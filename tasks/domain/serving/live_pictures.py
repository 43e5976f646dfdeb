"""Live pictures: a bounded, honest sample of the distinct pictures that people send in a period."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.domain.images.near_duplicates import group_near_duplicates
from tasks.domain.serving.drift_report import PictureColumns


@dataclass(frozen=True, slots=True)
class LiveImage:
    """What is kept of a live picture, which cannot be seen from it.

    Attributes:
        phash: Its perceptual hash, 32 bytes.
        features: Its features, of shape (width,).
        probabilities: The calibrated probability of each class, of shape (n_classes,).
        sure: Whether the model was confident.
        unusual: How unusual it is, from 0 to 1; NaN where that is not known.
        brightness: The mean grey level, from 0 to 1.
        tone: That of the middle of the picture.
        label: Its class, where people have labelled it; empty for live pictures.
    """

    phash: bytes
    features: NDArray[np.float32]
    probabilities: NDArray[np.float64]
    sure: bool
    unusual: float
    brightness: float
    tone: float
    label: str = ""


class LiveSample:
    """A uniform sample of the distinct pictures of a period: those whose salted hashes are the smallest.

    Every distinct picture has the same chance to be in it, however often and in whatever order pictures come, and
    memory is bounded (the bottom-k sketch of Cohen and Kaplan, "Summarizing data using bottom-k sketches", PODC 2007).
    So who sends one picture a thousand times weighs as much as who sends it once.
    """

    def __init__(self, most: int, salt: bytes) -> None:
        """Begin without a picture.

        Args:
            most: The most pictures that are kept.
            salt: A secret, without which nobody can make a picture that is kept.
        """
        self._most, self._salt = most, salt
        self._images: dict[int, LiveImage] = {}
        self._largest = -1

    def __len__(self) -> int:
        """Count the pictures."""
        return len(self._images)

    def wants(self, image: str) -> bool:
        """Return whether a picture of this name would be kept, so that others need not be measured."""
        rank = self._rank(image)
        return rank not in self._images and (len(self._images) < self._most or rank < self._largest)

    def add(self, image: str, live: LiveImage) -> None:
        """Keep a picture, if it is wanted.

        Args:
            image: The SHA-256 of its bytes.
            live: What is kept of it.
        """
        if not self.wants(image):
            return
        self._images[self._rank(image)] = live
        if len(self._images) > self._most:
            del self._images[self._largest]
        self._largest = max(self._images)

    def images(self) -> list[LiveImage]:
        """Return the pictures, in an order that is chance."""
        return [image for _, image in sorted(self._images.items())]

    def _rank(self, image: str) -> int:
        return int.from_bytes(hashlib.sha256(self._salt + bytes.fromhex(image)).digest())


def one_of_each_group(images: Sequence[LiveImage], bits: int) -> list[LiveImage]:
    """Return one picture of each near-duplicate group.

    Args:
        images: The pictures.
        bits: How many of the 256 bits of two hashes may differ in near duplicates.

    Returns:
        The first picture of each group, in their order.
    """
    named = {f"{number:09}": image for number, image in enumerate(images)}
    groups = group_near_duplicates({name: image.phash for name, image in named.items()}, bits)
    return [image for name, image in named.items() if groups[name] == name]


def to_columns(images: Sequence[LiveImage]) -> PictureColumns:
    """Return pictures in columns.

    Args:
        images: The pictures; there is one at least.

    Returns:
        The columns, in their order.
    """
    return PictureColumns(
        np.stack([image.probabilities for image in images]),
        np.array([image.sure for image in images]),
        np.array([image.unusual for image in images]),
        np.array([image.brightness for image in images]),
        np.array([image.tone for image in images]),
    )
