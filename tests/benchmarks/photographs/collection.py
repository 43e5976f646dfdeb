"""Real photographs, one folder a class: their near-duplicate groups, and their features by every cut of a backbone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from configs.schema import Dataset
from configs.sections import Images
from tasks.domain.images.augmentation import IDENTITY, render_view
from tasks.domain.images.crops import hash_parts, middle_hash
from tasks.domain.images.near_duplicates import hash_levels, to_grey_levels
from tasks.domain.images.preprocessing import Picture, limits_from_settings, open_picture
from tasks.modeling.backbone.inception import CUTS
from tasks.modeling.backbone.keras_weights import load_keras_file
from tasks.modeling.determinism import map_in_parallel
from tests.tasks.domain.picture_hashes import group_with_crops

SIZE = 299


@dataclass(frozen=True)
class Collection:
    """Distinct photographs in the order of their hashes.

    Attributes:
        name: What the photographs show, such as monkeys.
        files: One file an image; where several hold the same bytes, the first by its name.
        images: The SHA-256 of each, 64 hex digits.
        labels: The folder that each lies in.
        features: For each cut, features of shape (n_images, width), float32.
    """

    name: str
    files: tuple[Path, ...]
    images: tuple[str, ...]
    labels: tuple[str, ...]
    features: dict[str, NDArray[np.float32]]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Name the classes, sorted."""
        return tuple(sorted(set(self.labels)))

    @cached_property
    def truth(self) -> NDArray[np.int64]:
        """Give each image its class as an index, of shape (n_images,)."""
        places = {label: index for index, label in enumerate(self.classes)}
        return np.array([places[label] for label in self.labels])

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Name each image's near-duplicate group as a run with default settings does."""
        levels = {
            image: to_grey_levels(opened(path).image) for image, path in zip(self.images, self.files, strict=True)
        }
        whole_hashes = {image: hash_levels(grey) for image, grey in levels.items()}
        parts = {image: hash_parts(grey) for image, grey in levels.items()}
        middles = {image: middle_hash(hashes) for image, hashes in parts.items()}
        together = group_with_crops(whole_hashes, middles, [list(parts.items())], Dataset().near_duplicate_bits)
        return tuple(together[image] for image in self.images)


class Alteration(NamedTuple):
    """What happens to a photograph before it is embedded, under a name by which its features are kept."""

    name: str
    alter: Callable[[Image.Image], Image.Image]


AS_IT_IS = Alteration("", lambda image: image)


def collect(folder: Path, weights: Path, keep: Path | None = None, alteration: Alteration = AS_IT_IS) -> Collection:
    """Read a folder of class folders and embed its photographs by every cut in one pass.

    Args:
        folder: One folder a class, with photographs that Pedigree can decode.
        weights: InceptionV3's weights as a Keras file.
        keep: Where features are kept for the next time; None to keep none.
        alteration: What happens to each photograph before.

    Returns:
        The distinct photographs; those that lie under two labels are left out.
    """
    lying: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*/*")):
        lying.setdefault(sha256(path.read_bytes()).hexdigest(), []).append(path)
    clear = {image: paths[0] for image, paths in lying.items() if len({path.parent for path in paths}) == 1}
    images = tuple(sorted(clear))
    files = tuple(clear[image] for image in images)
    features = _kept_features(files, images, weights, keep, alteration)
    return Collection(folder.name, files, images, tuple(path.parent.name for path in files), features)


def opened(path: Path) -> Picture:
    """Decode a photograph by the pixel contract."""
    picture = open_picture(path.read_bytes(), limits_from_settings(Images()))
    if not isinstance(picture, Picture):
        raise TypeError(f"{path} cannot be used: {picture.detail}")
    return picture


def _kept_features(
    files: Sequence[Path], images: Sequence[str], weights: Path, keep: Path | None, alteration: Alteration
) -> dict[str, NDArray[np.float32]]:
    name = sha256("".join([*images, sha256(weights.read_bytes()).hexdigest(), alteration.name]).encode()).hexdigest()
    file = keep / f"features-{name[:16]}.npz" if keep else None
    if file and file.exists():
        with np.load(file) as arrays:
            return {cut: arrays[cut] for cut in CUTS if cut in arrays}
    features = _embedded(files, weights, alteration)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **features)  # type: ignore[arg-type]
    return features


def _embedded(files: Sequence[Path], weights: Path, alteration: Alteration) -> dict[str, NDArray[np.float32]]:
    import keras
    import tensorflow as tf

    complete = load_keras_file(weights.read_bytes(), str(weights))
    pixels = keras.Input((SIZE, SIZE, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    body = keras.Model(complete.input, [complete.get_layer(cut).output for cut in CUTS])
    model = keras.Model(
        pixels, [keras.layers.GlobalAveragePooling2D()(output) for output in body(scaled, training=False)]
    )

    # TensorFlow's decorator has no types.
    network = tf.function(lambda batch: model(batch, training=False), autograph=False)

    def vectors(path: Path) -> list[NDArray[np.float32]]:
        picture = opened(path)
        altered = replace(picture, image=alteration.alter(picture.image))
        return [vector.numpy()[0] for vector in network(render_view(altered, SIZE, IDENTITY)[None])]

    rows = list(map_in_parallel(vectors, files))
    return {cut: np.stack([row[index] for row in rows]) for index, cut in enumerate(CUTS)}
