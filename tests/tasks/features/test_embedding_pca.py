"""Features in fewer directions, read part by part."""

from pathlib import Path

import numpy as np
import pytest

from tasks.features import embedding
from tasks.stores.store import Store


def test_features_read_in_parts_stay_with_their_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever fits into memory at once, each image keeps its own directions, in the order asked."""
    features = Store(str(tmp_path)).features("f" * 64, 8)
    images = [f"{number * 37 % 30:064x}" for number in range(30)]
    features.add(images, np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32))
    monkeypatch.setattr(embedding, "_AT_ONCE", 12)
    reduce = embedding.fit_reduction(features, images)
    forwards, backwards = reduce(images), reduce(images[::-1])
    assert forwards.shape == (30, 8)
    assert len(np.unique(forwards.round(4), axis=0)) == 30
    np.testing.assert_allclose(backwards, forwards[::-1], rtol=1e-5)
