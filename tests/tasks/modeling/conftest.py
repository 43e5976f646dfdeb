"""What the tests of modeling share: a small network, a few photographs, a head, and other processes."""

import io

import numpy as np
import pytest

from tasks.domain.images.preprocessing import Limits
from tasks.domain.synthetic.drawn_dogs import BREEDS, COATS, draw
from tasks.modeling.backbone.backbone import Backbone, random_backbone
from tasks.modeling.head.head import Head


@pytest.fixture(scope="session")
def backbone() -> Backbone:
    """Smallest network that there is, with random weights."""
    return random_backbone("mixed0", 75)


@pytest.fixture(scope="session")
def limits() -> Limits:
    """Limits that every drawn dog keeps."""
    return Limits(max_bytes=10**6, max_pixels=10**6, min_side=32)


@pytest.fixture(scope="session")
def images() -> list[tuple[str, bytes]]:
    """Twelve drawn dogs as files, under their names."""
    return [(f"dog {seed}", _file(BREEDS[seed % len(BREEDS)], COATS[seed % len(COATS)], seed)) for seed in range(12)]


@pytest.fixture(scope="session")
def head(backbone: Backbone) -> Head:
    """Head of three classes that nobody trained."""
    chance = np.random.default_rng(1)
    weights = chance.normal(size=(backbone.width, 3)).astype(np.float32)
    return Head(("corgi", "poodle", "pug"), weights, chance.normal(size=3).astype(np.float32))


def _file(breed: str, coat: str, seed: int) -> bytes:
    sink = io.BytesIO()
    draw(breed, coat, seed, side=96).save(sink, "PNG")
    return sink.getvalue()
