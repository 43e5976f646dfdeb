"""The model as other people meet it: served by MLflow, in an environment of its own, far from this checkout."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from tasks.stores import registry, tracking


class Server(Protocol):
    """What the fixture ``mlflow_server`` gives."""

    url: str


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Model of three breeds with random weights, small and fast."""
    raise NotImplementedError


@pytest.fixture(scope="module")
def served(packaged: Path, mlflow_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the champion, served as the README says, from a folder that knows nothing of this project."""
    model = f"served {uuid4()}"
    tracking.check(mlflow_server.url)
    run_id = tracking.start_run(mlflow_server.url, "service tests", {}, {})
    version = registry.register(mlflow_server.url, model, run_id, packaged, {})
    registry.point(mlflow_server.url, model, "champion", version)
    with _serving(f"models:/{model}@champion", mlflow_server.url, tmp_path_factory.mktemp("elsewhere")) as address:
        yield address


def test_a_served_photograph_gets_the_evaluation_s_probabilities(served: str, packaged: Path, photos: Path) -> None:
    """What people are told is what was measured, to the last bit."""
    from tasks.modeling.prediction import Predictor  # noqa: PLC0415  - TensorFlow takes seconds to import

    images = [path.read_bytes() for path in sorted(photos.glob("*/*.jpg"))[:60:20]]
    expected = Predictor.load(packaged).predict(images)
    found = _ask(served, {"dataframe_records": [{"image": _text(image)} for image in images]})
    assert [one["probabilities"] for one in found] == [one.probabilities for one in expected]
    assert [(one["label"], one["probability"]) for one in found] == [(one.label, one.probability) for one in expected]
    assert [one["problem"] for one in found] == ["", "", ""]


def test_every_form_of_a_request_gets_the_same_answer(served: str, photos: Path) -> None:
    """MLflow takes tables in two forms and lists in two more."""
    image = _text(next(photos.glob("*/*.jpg")).read_bytes())
    first, *others = (
        _ask(served, body)
        for body in (
            {"dataframe_records": [{"image": image}]},
            {"dataframe_split": {"columns": ["image"], "data": [[image]]}},
            {"inputs": [{"image": image}]},
            {"instances": [{"image": image}]},
        )
    )
    assert first[0]["label"]
    assert others == [first, first, first]


def test_a_bad_image_gets_a_reason_and_spoils_nothing(served: str, photos: Path) -> None:
    """A file that is no picture, and half a picture, are answered politely beside a good one."""
    good = next(photos.glob("*/*.jpg")).read_bytes()
    found = _ask(
        served, {"dataframe_records": [{"image": _text(data)} for data in (b"woof", good, good[: len(good) // 2])]}
    )
    assert [bool(one["problem"]) for one in found] == [True, False, True]
    assert [one["label"] for one in found if one["problem"]] == [None, None]


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _ask(address: str, body: object) -> list[dict[str, Any]]:
    request = Request(f"{address}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(request) as answer:  # noqa: S310
        predictions: list[dict[str, Any]] = json.load(answer)["predictions"]
        return predictions


@contextmanager
def _serving(model: str, tracking_url: str, folder: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    programs = Path(sys.executable).parent
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": tracking_url,
        "MLFLOW_ENV_ROOT": str(folder / "environments"),
    }
    process = subprocess.Popen(  # noqa: S603
        [programs / "mlflow", "models", "serve", "-m", model, "--port", port, "--env-manager", "uv"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield _address(process)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    said = []
    for line in process.stdout or ():
        said.append(line)
        if "Uvicorn running on" in line:
            return line.split("Uvicorn running on ")[1].split()[0]
    pytest.fail("MLflow did not serve the model:\n" + "".join(said[-40:]))
