"""Removing an image for good, with everything that a store made of its bytes."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from configs.problems import Problem
from tasks.stores.bucket import open_bucket
from tasks.stores.datasets import read_manifest, written
from tasks.stores.features import remove_features
from tasks.stores.forgotten import forget_image, forgotten_images
from tasks.stores.images import ImageStore


@dataclass(frozen=True, slots=True)
class Forgotten:
    """An image that was removed, how many backbones' features with it, and the versions that used it."""

    image: str
    features: int
    versions: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return asdict(self)


def forget(store: str, image: str) -> Forgotten:
    """Note that an image was removed, so that it never comes back, and then remove it; a second call finishes a first.

    Raises:
        Problem: There is no such store, or no such image in it.
    """
    open_bucket(store).check()
    images = ImageStore(store)
    if image not in images.known() | forgotten_images(store):
        raise Problem(f"The store {store} holds no image {image}: name it by its SHA-256, all 64 digits.")
    forget_image(store, image, datetime.now(UTC).isoformat())
    images.remove(image)
    users = [name for name in sorted(written(store)) if any(row.image == image for row in read_manifest(store, name))]
    return Forgotten(image, remove_features(store, image), tuple(users))
