"""Copying parts of a store into another one, a few at a time."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from tasks.stores.files.weights import read_backbone, write_backbone
from tasks.stores.tables.features import FeatureStore
from tasks.stores.tables.images import ImageStore

T = TypeVar("T")
# So many images, or features, are in memory at once.
_IMAGES, _FEATURES = 64, 4096


def copy_images(origin: str, target: str, images: Sequence[str]) -> None:
    """Copy images with their bytes and what was measured when they were first decoded."""
    examined, contents = ImageStore(origin).read_infos(images), ImageStore(origin).read(images)
    for batch in _batches(contents, _IMAGES):
        ImageStore(target).add([(examined[image], data) for image, data in batch])


def copy_features(origin: FeatureStore, target: FeatureStore, views_by_image: Mapping[str, Sequence[str]]) -> None:
    """Copy what a backbone made of these images in the views that are wanted of each."""
    for view in sorted({view for views in views_by_image.values() for view in views}):
        images = iter([image for image, views in views_by_image.items() if view in views])
        for batch in _batches(images, _FEATURES):
            target.add(batch, origin.read(batch, view), [view] * len(batch))


def copy_backbone(origin: str, target: str, fingerprint: str) -> None:
    """Copy a backbone's weights and the facts that its fingerprint covers."""
    write_backbone(target, fingerprint, *read_backbone(origin, fingerprint))


def _batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(islice(items, size)):
        yield batch
