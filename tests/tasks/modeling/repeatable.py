"""Everything that must come out the same in any process, on any number of cores, as hashes."""

import hashlib

import numpy as np

from configs.schema import Training
from tasks.domain.images.preprocessing import Limits
from tasks.modeling.backbone.backbone import random_backbone
from tasks.modeling.backbone.embedding import embed_images
from tasks.modeling.head.training import Examples, build_fit_options, calibrate, train_head


def hashes(images: list[tuple[str, bytes]], limits: Limits) -> dict[str, str]:
    """Name a random backbone, the features that it makes of images, and a head that is trained on noise."""
    backbone = random_backbone("mixed0", 75)
    features = np.stack([vector for _, vector in embed_images(backbone, images, limits)])
    return {
        "backbone": backbone.fingerprint,
        "features": hashlib.sha256(features.tobytes()).hexdigest(),
        "head": trained_head(),
        "smoothed": trained_head(balance="none", label_smoothing=0.1),
    }


def trained_head(seed: int = 0, **settings: float | str) -> str:
    """Train and calibrate a head on noise, and name it."""
    chance = np.random.default_rng(3)
    features, truth = chance.normal(size=(1400, 640)).astype(np.float32), chance.integers(0, 4, 1400).tolist()
    chosen = Training.model_validate({"seed": seed, **settings})
    examples = Examples(features, truth, [f"group {index // 2}" for index in range(1400)], 1400)
    head, held = train_head("abcd", examples, build_fit_options(chosen))
    return calibrate(head, held, chosen.sure_precision)[0].name
