"""Photographs as the service has answered them, without a network."""

import io
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from tasks.domain.images.preprocessing import Limits
from tasks.domain.serving.answers import ModelIdentity, write_id
from tasks.domain.serving.inbox.consent import Consent
from tasks.modeling.packaged_model import Prediction
from tasks.service.models.served_model import Observation, ServedModel, Squares

MODEL = ModelIdentity("dogs", "4", 7, "c473" + "0" * 60, "b" * 64, "d" * 64, "2026-11-28T02:00:00+00:00")
SIDE = 64


@cache
def served() -> ServedModel:
    """Return a model whose network and head nobody asks."""
    nothing: Any = None
    return ServedModel(MODEL, nothing, nothing, Squares(SIDE, Limits(10**7, 10**7, 32), 5))


def observe(
    number: int,
    consent: Consent = Consent.GIVEN,
    *,
    like: int | None = None,
    sure: bool = False,
    unusual: float | None = 0.5,
) -> Observation:
    """Return a photograph that looks like no other, or like one of another number though its bytes differ."""
    look = np.random.default_rng(number if like is None else like)
    square = np.repeat(np.repeat(look.integers(0, 256, (16, 16, 3), np.uint8), 4, axis=0), 4, axis=1)
    # A near duplicate differs in a corner, so that its clean copy has other bytes too.
    square[:4, :4] = number % 256
    sink = io.BytesIO()
    Image.fromarray(square).save(sink, "PNG", compress_level=1)
    # What stands behind a picture's end is no part of what it shows.
    data = sink.getvalue() + str(number).encode()
    probability = 0.9 if sure else 0.4
    prediction = Prediction("beagle", probability, sure, {"beagle": probability, "pug": 1 - probability}, "")
    features = look.random(8, np.float32)
    name = write_id(1_800_000_000_000, number.to_bytes(10))
    return Observation(served(), data, square, features, prediction, unusual, name, consent)
