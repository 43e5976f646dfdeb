"""A registered model in the hands of a stranger: what it answers, and what is said where it does not."""

from pathlib import Path

import numpy as np
import pytest

from configs.problems import Problem
from tasks.domain.answers import Predictions
from tasks.domain.pixels import Limits
from tasks.domain.serving import NO_PICTURE, served
from tasks.modeling.backbone import random_backbone
from tasks.modeling.head import Head
from tasks.modeling.prediction import Package, Predictor
from tasks.stores import registry, tracking
from tasks.stores.stranger import ask


def test_a_stranger_gets_the_model_s_own_answers(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaded by its address, where this project is not at hand, it answers bit for bit; a damaged one says so."""
    url, packaged = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "packaged"
    tracking.check(url)
    run = tracking.start_run(url, "strangers", {}, {})
    packaged.mkdir()
    backbone = random_backbone("mixed0", 75)
    weights = np.random.default_rng(0).normal(size=(backbone.width, 2)).astype(np.float32)
    head = Head(("beagle", "柴犬"), weights, np.zeros(2, np.float32))
    Package(backbone.to_bytes(), backbone.facts, head.to_bytes(), Limits(50_000_000, 100_000_000, 32)).write(packaged)
    version = registry.register(url, "dogs", run, packaged, {})
    images = [path.read_bytes() for path in sorted(photos.glob("*/*.jpg"))[:2]]
    own = [one.probabilities or {} for one in Predictor.load(packaged).predict(images)]
    expected = Predictions(head.classes, np.array([list(one.values()) for one in own], np.float32))
    # What the package lacks must not come from here.
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "nowhere"))
    found = served(version, expected, ask(url, "dogs", version, [*images, NO_PICTURE]))
    assert (found.wrong, found.widest) == ("", 0.0)
    (packaged / "head.npz").write_bytes(b"no head")
    with pytest.raises(Problem, match="A stored head is damaged"):
        ask(url, "dogs", registry.register(url, "dogs", run, packaged, {}), images)
