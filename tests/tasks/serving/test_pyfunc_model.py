"""The model as other people meet it: served by MLflow, in an environment of its own, far from this checkout."""

import base64
import json
import os
import pwd
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

import numpy as np
import pytest
from mlflow.models import Model
from PIL import Image

from tasks.domain.images.preprocessing import Limits
from tasks.modeling.backbone.backbone import random_backbone, with_engine
from tasks.modeling.head.head import Head
from tasks.modeling.packaged_model import Package, Predictor
from tasks.serving.model_package import write_mlflow_model
from tasks.stores.tracking import registry, runs
from tasks.stores.tracking.client import check_tracking
from tests import servers

# An environment with TensorFlow is made first: half a minute, or several on a machine that does other work too.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model of three breeds with random weights, small and fast."""
    return _package("tensorflow", tmp_path_factory.mktemp("packaged"))


def _package(engine: str, folder: Path) -> Path:
    backbone = with_engine(random_backbone("mixed0", 75), engine)
    weights = np.random.default_rng(0).normal(size=(backbone.width, 3)).astype(np.float32)
    head = Head(("beagle", "poodle", "柴犬"), weights, np.zeros(3, np.float32))
    limits = Limits(max_bytes=50_000_000, max_pixels=100_000_000, min_side=32)
    Package(backbone.to_bytes(), backbone.facts, head.to_bytes(), limits).write(folder)
    return folder


@pytest.fixture(scope="module")
def served(
    packaged: Path, mlflow_server: servers.MlflowServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Address of the champion, served as the README says, from a folder that knows nothing of this project."""
    with _serving(
        _champion(packaged, mlflow_server.url), mlflow_server.url, tmp_path_factory.mktemp("there")
    ) as address:
        yield address


def _champion(packaged: Path, url: str) -> str:
    model = f"served {uuid4()}"
    check_tracking(url)
    run_id = runs.start_run(url, "service tests", {}, {})
    version = registry.register(url, model, run_id, {}, partial(write_mlflow_model, packaged))
    registry.set_alias(url, model, "champion", version)
    return f"models:/{model}@champion"


def test_a_served_photograph_gets_the_evaluation_s_probabilities(served: str, packaged: Path, photos: Path) -> None:
    """What people are told is what was measured, to the last bit."""
    images = [path.read_bytes() for path in sorted(photos.glob("*/*.jpg"))[:60:20]]
    expected = Predictor.load(packaged).predict(images)
    answers = _ask(served, {"dataframe_records": [{"image": _text(image)} for image in images]})
    assert [answer["probabilities"] for answer in answers] == [answer.probabilities for answer in expected]
    assert [(answer["label"], answer["probability"]) for answer in answers] == [
        (answer.label, answer.probability) for answer in expected
    ]
    assert [answer["problem"] for answer in answers] == ["", "", ""]


def test_a_model_of_onnx_runtime_is_served_without_tensorflow(
    mlflow_server: servers.MlflowServer, tmp_path: Path, photos: Path
) -> None:
    """The environment that MLflow makes for it holds no TensorFlow, and its answer has the evaluation's bits."""
    (packaged := tmp_path / "packaged").mkdir()
    image = next(photos.glob("*/*.jpg")).read_bytes()
    (expected,) = Predictor.load(_package("onnxruntime", packaged)).predict([image])
    with _serving(_champion(packaged, mlflow_server.url), mlflow_server.url, tmp_path) as address:
        (answer,) = _ask(address, {"dataframe_records": [{"image": _text(image)}]})
    assert answer["probabilities"] == expected.probabilities
    installed = {path.name.partition("-")[0] for path in (tmp_path / "environments").rglob("*.dist-info")}
    assert "onnxruntime" in installed
    assert not installed & {"tensorflow", "tensorflow_cpu", "keras"}


def test_every_form_of_a_request_gets_the_same_answer(served: str, photos: Path) -> None:
    """MLflow takes tables in two forms and lists in two more."""
    image = _text(next(photos.glob("*/*.jpg")).read_bytes())
    first, *other_answers = (
        _ask(served, body)
        for body in (
            {"dataframe_records": [{"image": image}]},
            {"dataframe_split": {"columns": ["image"], "data": [[image]]}},
            {"inputs": [{"image": image}]},
            {"instances": [{"image": image}]},
        )
    )
    assert first[0]["label"]
    assert other_answers == [first, first, first]


def test_a_bad_image_gets_a_reason_and_spoils_nothing(served: str, photos: Path) -> None:
    """A file that is no picture, and half a picture, are answered politely beside a good one."""
    good = next(photos.glob("*/*.jpg")).read_bytes()
    answers = _ask(
        served, {"dataframe_records": [{"image": _text(data)} for data in (b"woof", good, good[: len(good) // 2])]}
    )
    assert [bool(answer["problem"]) for answer in answers] == [True, False, True]
    assert [answer["label"] for answer in answers if answer["problem"]] == [None, None]


def test_a_request_that_asks_too_much_is_refused_and_a_picture_that_does_costs_its_row(served: str) -> None:
    """Rows, pixels in all and bytes are bounded with a sentence; a picture beyond the server's limit has a reason."""
    small, large = _text(_picture(64, 64)), _text(_picture(6000, 5100))
    answers = _ask(served, {"dataframe_records": [{"image": small}, {"image": large}]})
    assert [answer["problem"] for answer in answers] == [
        "",
        "too-many-pixels: 6000 x 5100 pixels, at most 30,000,000 are allowed",
    ]
    many = {"dataframe_records": [{"image": small}] * 65}
    assert _refused(served, json.dumps(many).encode()) == (413, "65 rows, at most 64 are answered in one request")
    all_together = {"dataframe_records": [{"image": _text(_picture(5400, 5400))}] * 11}
    status, message = _refused(served, json.dumps(all_together).encode())
    assert (status, message[:29]) == (413, "320,760,000 pixels in all, at")
    assert _refused(served, bytes(65 * 2**20))[0] == 413


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[" * 200_000, "application/json"),
        (b'{"inputs":' + b"[" * 200_000, "application/json"),
        (b"{", "application/json"),
        (b'{"dataframe_records": 5}', "application/json"),
        (b'{"dataframe_records": [{"image": 5}]}', "application/json"),
        (b'a,b\n1,2\n"', "text/csv"),
        (b"image\nwoof\n", "text/csv"),
        (b"PAR1", "application/vnd.apache.parquet"),
    ],
)
def test_a_request_that_cannot_be_read_tells_nothing_of_the_machine(served: str, body: bytes, kind: str) -> None:
    """It is answered with status 400 and one sentence: neither a traceback nor a path of the machine."""
    status, message = _refused(served, body, kind)
    assert status == 400
    assert not re.search(r"Traceback|\.py|/usr|/root|/home|/tmp|site-packages", message)


def test_a_package_names_no_place_of_the_machine_that_made_it(packaged: Path, tmp_path: Path) -> None:
    """Whoever downloads a model learns nothing of where it was trained."""
    write_mlflow_model(packaged, tmp_path / "model", Model())
    written = (tmp_path / "model" / "MLmodel").read_text()
    assert not re.search(r"\s/\w", written), written
    assert "max_rows: 64" in written


def _picture(width: int, height: int) -> bytes:
    sink = BytesIO()
    Image.new("RGB", (width, height), "red").save(sink, "PNG", compress_level=1)
    return sink.getvalue()


def _refused(address: str, body: bytes, kind: str = "application/json") -> tuple[int, str]:
    request = Request(f"{address}/invocations", body, {"Content-Type": kind})  # noqa: S310
    with pytest.raises(HTTPError) as refusal:
        urlopen(request)  # noqa: S310
    answer = json.load(refusal.value)
    assert set(answer) == {"error_code", "message"}
    return refusal.value.code, answer["message"]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _ask(address: str, body: object) -> list[dict[str, Any]]:
    request = Request(f"{address}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(request) as answer:  # noqa: S310
        predictions: list[dict[str, Any]] = json.load(answer)["predictions"]
        return predictions


@contextmanager
def _serving(model: str, tracking_url: str, folder: Path) -> Iterator[str]:
    programs, port, log = Path(sys.executable).parent, str(servers.free_port()), folder / "serve.log"
    command = [str(programs / "mlflow"), "models", "serve", "-m", model, "--port", port, "--env-manager", "uv"]
    environment = {
        "MLFLOW_ENV_ROOT": str(folder / "environments"),
        "MLFLOW_TRACKING_URI": tracking_url,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": "",
        # The tests' home folder is an empty one, and uv would download there again what this machine has.
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or f"{pwd.getpwuid(os.getuid()).pw_dir}/.cache/uv",
    }
    address = f"http://127.0.0.1:{port}"
    with servers.running(command, log, environment, folder) as process:
        servers.wait_until(lambda: process.poll() is not None or servers.answers(f"{address}/ping"), 540, str(log))
        assert process.poll() is None, log.read_text()[-3000:]
        yield address
