"""A registered model in the serving probe: what it answers, and what is said where it does not."""

import sys
from functools import partial
from pathlib import Path
from subprocess import PIPE, Popen

import numpy as np
import psutil
import pytest

from configs.errors import PedigreeError
from tasks.domain.evaluation.predictions import Predictions
from tasks.domain.gate.serving_check import NO_PICTURE, check_serving
from tasks.domain.images.preprocessing import Limits
from tasks.modeling.backbone.backbone import random_backbone
from tasks.modeling.head.head import Head
from tasks.modeling.packaged_model import Package, Predictor
from tasks.serving.model_package import write_mlflow_model
from tasks.serving.probe_process import ServingProbe
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.client import check_tracking

PROGRAM = """
import sys
from tasks.serving.probe_process import ServingProbe
with ServingProbe("sqlite:///nowhere.db", "tensorflow"):
    print("started", flush=True)
    sys.stdin.read()
"""


def test_the_probe_gets_the_model_s_own_answers(tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loaded by its address, where this project is not at hand, it answers bit for bit; a damaged one says so."""
    url, packaged = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "packaged"
    check_tracking(url)
    run = runs.start_run(url, "probed", {}, {})
    packaged.mkdir()
    backbone = random_backbone("mixed0", 75)
    weights = np.random.default_rng(0).normal(size=(backbone.width, 2)).astype(np.float32)
    head = Head(("beagle", "柴犬"), weights, np.zeros(2, np.float32))
    Package(backbone.to_bytes(), backbone.facts, head.to_bytes(), Limits(50_000_000, 100_000_000, 32)).write(packaged)
    version = registry.register(url, "dogs", run, {}, partial(write_mlflow_model, packaged))
    images = [path.read_bytes() for path in sorted(photos.glob("*/*.jpg"))[:2]]
    predicted = [answer.probabilities or {} for answer in Predictor.load(packaged).predict(images)]
    expected = Predictions(head.classes, np.array([list(answer.values()) for answer in predicted], np.float32))
    # What the package lacks must not come from here.
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "nowhere"))
    with ServingProbe(url, "tensorflow") as probe:
        check = check_serving(version, expected, probe.ask("dogs", version, [*images, NO_PICTURE]))
        assert (check.wrong, check.widest) == ("", 0.0)
        (packaged / "head.npz").write_bytes(b"no head")
        with pytest.raises(PedigreeError, match="A stored head is damaged"):
            probe.ask("dogs", registry.register(url, "dogs", run, {}, partial(write_mlflow_model, packaged)), images)


def test_a_probe_that_is_not_asked_ends_with_the_run() -> None:
    """The process that waits for a question ends when the run does, also when that is killed without a word."""
    with ServingProbe("sqlite:///nowhere.db", "tensorflow"):
        (process,) = _probes()
    assert not process.is_running()
    with Popen([sys.executable, "-c", PROGRAM], stdin=PIPE, stdout=PIPE) as run:  # noqa: S603 - this very Python
        assert run.stdout
        run.stdout.readline()
        (process,) = _probes(run.pid)
        run.kill()
    process.wait(60)


def _probes(run: int | None = None) -> list[psutil.Process]:
    return [
        child for child in psutil.Process(run).children() if any(word.endswith("probe.py") for word in child.cmdline())
    ]
