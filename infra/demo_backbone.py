"""Make the demo's backbone again: ``python -m infra.demo_backbone`` draws dogs, trains on them, and writes the weights.

The dogs are of other breeds than the demo's, so what the demo shows is a backbone that meets breeds it never saw.
"""

import sys

import numpy as np

from tasks.domain.drawing import BACKBONE_BREEDS, COATS, draw
from tasks.domain.pixels import Picture, to_input
from tasks.modeling.backbone import DEMO_WEIGHTS, Backbone
from tasks.modeling.finetune import Pictures, train_backbone
from tasks.modeling.weights import to_bytes

_CUT, _SIZE = "mixed2", 96
_TRAIN, _VALIDATION, _EPOCHS = 48, 6, 16


def make() -> Backbone:
    """Draw, train, and print each epoch's figures."""
    train, validation = _pictures(range(_TRAIN)), _pictures(range(_TRAIN, _TRAIN + _VALIDATION))

    def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
        figures = "  ".join(f"{name} {value:.3f}" for name, value in metrics.items())
        sys.stdout.write(f"epoch {epoch + 1:2} of {_EPOCHS}  {figures}\n")
        sys.stdout.flush()

    return train_backbone(_CUT, train, validation, _EPOCHS, on_epoch)


def _pictures(seeds: range) -> Pictures:
    pixels, truth = [], []
    for index, breed in enumerate(BACKBONE_BREEDS):
        for coat in COATS:
            for seed in seeds:
                pixels.append(to_input(Picture(draw(breed, coat, seed), "drawn"), _SIZE))
                truth.append(index)
    return Pictures(np.stack(pixels), np.array(truth))


if __name__ == "__main__":
    DEMO_WEIGHTS.write_bytes(to_bytes(make().model.get_weights(), np.float16))
    sys.stdout.write(f"{DEMO_WEIGHTS}: {DEMO_WEIGHTS.stat().st_size:,} bytes\n")
