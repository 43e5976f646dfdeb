"""A packaged model carries the modules that answer, and no other: it runs where nothing of this project is at hand."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow.models import Model
from PIL import Image

from tasks.domain.images.preprocessing import Limits
from tasks.modeling.backbone.backbone import random_backbone, with_engine
from tasks.modeling.head.head import Head
from tasks.modeling.packaged_model import Package, Predictor
from tasks.serving.carried_code import carried_code
from tasks.serving.model_package import write_mlflow_model
from tests.servers import ROOT

# Takes this project and what is named off its path, loads the model, and prints its answers and our loaded modules.
ELSEWHERE = f"""
import json, sys
sys.modules.update(dict.fromkeys(sys.argv[3:]))
sys.path[:] = [place for place in sys.path if place != {str(ROOT)!r}]
from pathlib import Path
import pandas as pd
from mlflow.pyfunc import load_model
images = [path.read_bytes() for path in sorted(Path(sys.argv[2]).iterdir())]
rows = load_model(sys.argv[1]).predict(pd.DataFrame({{"image": images}})).to_dict("records")
ours = {{"configs", "flows", "infra", "tasks"}}
files = [module.__file__ for name, module in sys.modules.items() if name.split(".")[0] in ours]
print(json.dumps({{"rows": rows, "files": sorted(files)}}))
"""


@pytest.fixture(params=["tensorflow", "onnxruntime"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine that computes features."""
    return str(request.param)


@pytest.fixture
def model(tmp_path: Path, engine: str) -> Path:
    """Package of two breeds with random weights, as MLflow keeps it."""
    backbone = with_engine(random_backbone("mixed0", 75), engine)
    weights = np.random.default_rng(0).normal(size=(backbone.width, 2)).astype(np.float32)
    head = Head(("beagle", "柴犬"), weights, np.zeros(2, np.float32))
    packaged = tmp_path / "packaged"
    packaged.mkdir()
    Package(backbone.to_bytes(), backbone.facts, head.to_bytes(), Limits(50_000_000, 100_000_000, 32)).write(packaged)
    write_mlflow_model(packaged, tmp_path / "model", Model())
    return tmp_path / "model"


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Folder of two pictures, one turned and with colours of its own, and a file that is none."""
    folder = tmp_path / "images"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    picture, exif = Image.fromarray(noise), Image.Exif()
    exif[0x0112] = 6
    picture.save(folder / "1.jpg", exif=exif)
    picture.convert("RGBA").save(folder / "2.png")
    (folder / "3.txt").write_bytes(b"woof")
    return folder


def test_a_package_answers_as_evaluated_with_its_own_modules_alone(
    model: Path, images: Path, engine: str, tmp_path: Path
) -> None:
    """What it lists, carries and loads are the same modules, the other engine is not there, and the bits are equal."""
    absent = ("onnxruntime", "onnx") if engine == "tensorflow" else ("tensorflow", "keras", "h5py", "onnx")
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-I", "-c", ELSEWHERE, str(model), str(images), *absent],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    evaluated = Predictor.load(tmp_path / "packaged").predict([path.read_bytes() for path in sorted(images.iterdir())])
    assert [row["probabilities"] for row in loaded["rows"]] == [answer.probabilities for answer in evaluated]
    assert [row["problem"] for row in loaded["rows"]] == [answer.problem for answer in evaluated]
    code = model / "code"
    carried = {str(path.relative_to(code)) for path in code.rglob("*") if path.suffix != ".pyc" and path.is_file()}
    assert carried == set(carried_code(engine))
    assert loaded["files"] == sorted(str(code / name) for name in carried_code(engine))


def test_a_package_asks_for_its_own_engine_alone(model: Path, engine: str) -> None:
    """Who installs what a model requires gets TensorFlow, or ONNX Runtime, and not the other one."""
    required = {line.partition("==")[0] for line in (model / "requirements.txt").read_text().splitlines()}
    constrained = {line.partition("==")[0] for line in (model / "constraints.txt").read_text().splitlines()}
    networks = {"tensorflow", "tensorflow-cpu", "keras", "h5py", "onnxruntime", "onnx"}
    assert (required | constrained) & networks == (
        {"onnxruntime"} if engine == "onnxruntime" else {"tensorflow-cpu", "keras", "h5py"}
    )
