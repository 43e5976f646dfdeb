"""Pictures with the features that they have once they are darker or blurred: photographs, or drawn dogs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from configs.schema import Backbone as BackboneSettings
from tasks.domain.images.augmentation import IDENTITY, render_view
from tasks.domain.images.preprocessing import Picture
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tasks.modeling.backbone.loading import load_backbone
from tasks.modeling.determinism import map_in_parallel
from tests.benchmarks.photographs.collection import Alteration, collect

#: What happens to a decoded picture: a quarter less light, or a blur of one pixel.
ALTERATIONS: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda image: image,
    "darker": lambda image: image.point(lambda level: level * 0.75),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
}
_DRAWN, _SIDE = 300, 96


@dataclass(frozen=True)
class Material:
    """Pictures with their features under each alteration.

    Attributes:
        classes: The names of the classes.
        truth: The index of each picture's class, of shape (n_pictures,).
        groups: The near-duplicate group of each picture, of shape (n_pictures,).
        features: Features of shape (n_pictures, width) for each alteration.
    """

    classes: tuple[str, ...]
    truth: NDArray[np.int64]
    groups: NDArray[np.str_]
    features: Mapping[str, NDArray[np.float32]]


def read_material(folder: Path, weights: Path, cut: str, keep: Path | None) -> Material:
    """Read photographs and embed them under each alteration.

    Args:
        folder: One folder a class.
        weights: InceptionV3's weights as a Keras file.
        cut: The cut.
        keep: Where features are kept for the next time; None to keep none.

    Returns:
        The photographs.
    """
    altered = {
        name: collect(folder, weights, keep, Alteration("" if name == "as it is" else name, alter))
        for name, alter in ALTERATIONS.items()
    }
    plain = altered["as it is"]
    features = {name: collection.features[cut] for name, collection in altered.items()}
    return Material(plain.classes, plain.truth, np.array(plain.groups), features)


def draw_material(keep: Path | None) -> Material:
    """Draw dogs of the demo's breeds and embed them by the demo's backbone under each alteration.

    Args:
        keep: Where features are kept for the next time; None to keep none.

    Returns:
        The drawings, each a group of its own.
    """
    truth = np.arange(_DRAWN * len(BREEDS)) % len(BREEDS)
    file = (
        keep / f"drawn-{sha256(f'{_DRAWN} {_SIDE} {BREEDS} {[*ALTERATIONS]}'.encode()).hexdigest()[:16]}.npz"
        if keep
        else None
    )
    if file and file.exists():
        with np.load(file) as arrays:
            features = dict(arrays)
    else:
        features = _embed_drawings(truth)
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(file, **features)  # type: ignore[arg-type]
    return Material(tuple(BREEDS), truth, np.arange(len(truth)).astype(str), features)


def _embed_drawings(truth: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    backbone = load_backbone(BackboneSettings(weights="demo", cut="mixed2", size=_SIDE))
    network = backbone.network

    def embed(seed: int) -> list[NDArray[np.float32]]:
        picture = Picture(draw(tuple(BREEDS)[truth[seed]], COATS[seed // len(BREEDS) % len(COATS)], seed), "PNG")
        altered = [replace(picture, image=alter(picture.image)) for alter in ALTERATIONS.values()]
        return [network(render_view(square, _SIDE, IDENTITY)) for square in altered]

    rows = list(map_in_parallel(embed, range(len(truth))))
    return {name: np.stack([row[place] for row in rows]) for place, name in enumerate(ALTERATIONS)}
