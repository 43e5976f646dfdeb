"""The demo's backbone: ``python -m infra.scripts.demo_backbone`` draws dogs, trains on them, and writes the weights.

The dogs are of other breeds than the demo's, so that the demo's breeds are new to the backbone. Training takes about
five minutes on two cores. The same drawings give the same weights, bit for bit, on the same kind of processor; another
kind rounds differently.
"""

import sys
from collections.abc import Iterable

import numpy as np

from tasks.domain.hashing import sha256_of_bytes
from tasks.domain.images.preprocessing import Picture, to_input
from tasks.domain.synthetic.drawn_dogs import BACKBONE_BREEDS, COATS, draw
from tasks.modeling.backbone.backbone import Backbone
from tasks.modeling.backbone.loading import DEMO_CUT, DEMO_SHA256, DEMO_WEIGHTS
from tasks.modeling.backbone.pretraining import Pictures, train_backbone
from tasks.modeling.backbone.serialization import to_bytes

SIZE = 96
_TRAIN, _VALIDATION, _EPOCHS = 36, 6, 12


def main() -> None:
    """Train, write the weights in half precision, and say whether they are the ones that were shipped."""
    data = to_bytes(train_demo_backbone(_TRAIN, _VALIDATION, _EPOCHS).model.get_weights(), np.float16)
    DEMO_WEIGHTS.write_bytes(data)
    sha256 = sha256_of_bytes(data)
    comparison = (
        "the same as before" if sha256 == DEMO_SHA256 else f'now set DEMO_SHA256 = "{sha256}" in tasks/modeling'
    )
    _say(f"{DEMO_WEIGHTS}: {len(data):,} bytes, {comparison}")


def train_demo_backbone(train: int, validation: int, epochs: int) -> Backbone:
    """Train a backbone on drawn dogs, and print each epoch's figures.

    Args:
        train: Training pictures of each breed and coat.
        validation: Validation pictures of each breed and coat.
        epochs: Number of passes over the training pictures.

    Returns:
        The trained backbone.
    """

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        figures = "  ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        _say(f"epoch {epoch + 1:2} of {epochs}  {figures}")

    training_pictures, validation_pictures = (
        draw_dogs(BACKBONE_BREEDS, range(train)),
        draw_dogs(BACKBONE_BREEDS, range(train, train + validation)),
    )
    return train_backbone(DEMO_CUT, training_pictures, validation_pictures, epochs, on_epoch)


def draw_dogs(breeds: Iterable[str], seeds: range) -> Pictures:
    """Draw one dog of each breed, coat and seed, as the network sees it.

    Args:
        breeds: The breeds; the index of each is its class.
        seeds: The seeds of the drawings.

    Returns:
        Pixels of shape (n_images, 96, 96, 3) and classes of shape (n_images,).
    """
    dogs = [
        (to_input(Picture(draw(breed, coat, seed), "drawn"), SIZE), index)
        for index, breed in enumerate(breeds)
        for coat in COATS
        for seed in seeds
    ]
    return Pictures(np.stack([pixels for pixels, _ in dogs]), np.array([index for _, index in dogs]))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
