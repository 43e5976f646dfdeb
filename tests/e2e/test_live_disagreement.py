"""The gate's rule about live answers, from the run that trains a challenger to the one that lets it serve."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.domain.synthetic.drawn_dogs import BREEDS, draw
from tests.servers import PrefectServer, wait_until
from tests.tasks.service.champions import ask, ready

# Three commands of whole runs, on a machine that may do other work too.
pytestmark = pytest.mark.timeout(600)

_ANSWERS = 6
_SETTINGS = """
source: {{url: "{place}/photos"}}
store: {{url: "{place}/store"}}
dataset: {{min_images_per_class: 5}}
backbone: {{weights: random, cut: mixed0, size: 75, engine: onnxruntime}}
gate: {{rules: [live disagreement at most 1], live_answers: {answers}}}
tracking: {{url: "sqlite:///{place}/mlflow.db"}}
"""
_COMMAND = "from flows.cli.app import main; main()"


@pytest.fixture
def settings(tmp_path: Path, prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write settings whose gate wants to know how champion and challenger answer live photographs."""
    assert prefect_server.api_url
    monkeypatch.setenv("PEDIGREE_HOME", str(tmp_path / "home"))
    file = tmp_path / "settings.yaml"
    file.write_text(_SETTINGS.format(place=tmp_path, answers=_ANSWERS))
    return file


def _retrain(settings: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", _COMMAND, "retrain", "-c", str(settings), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command line
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def _draw(folder: Path, numbers: range) -> None:
    for breed in BREEDS[:2]:
        (folder / breed).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            draw(breed, "brown", number, side=96).save(folder / breed / f"{number}.png")


@contextmanager
def _service(settings: Path) -> Iterator[httpx.Client]:
    """Run the service on a free port, and end it as a service manager does."""
    command = [sys.executable, "-c", _COMMAND, "serve", "-c", str(settings), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own command line
    try:
        assert process.stdout
        with httpx.Client(base_url=json.loads(process.stdout.readline())["address"], timeout=60) as client:
            wait_until(lambda: ready(client), 60, "a model", pause=0.05)
            yield client
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, "it ends as asked"
    finally:
        process.kill()
        process.wait()


def test_a_challenger_serves_once_enough_live_answers_are_known(settings: Path, tmp_path: Path) -> None:
    """It waits, answers in the champion's shadow, and the next run promotes it, though there is nothing new."""
    _draw(tmp_path / "photos", range(16))
    assert _retrain(settings)["status"] == "promoted"
    _draw(tmp_path / "photos", range(16, 22))
    waiting = _retrain(settings)
    assert (waiting["status"], waiting["model_version"]) == ("needs-approval", "2")
    _draw(tmp_path / "live", range(30, 30 + _ANSWERS // 2))
    with _service(settings) as client:
        wait_until(lambda: client.get("/v1/shadow").status_code == 200, 60, "the challenger", pause=0.05)
        for file in sorted((tmp_path / "live").rglob("*.png")):
            assert ask(client, file.read_bytes()).json()["model"]["version"] == "1"
        wait_until(lambda: client.get("/v1/shadow").json()["answers"] >= _ANSWERS, 60, "answers of both", pause=0.05)
    decided = _retrain(settings)
    assert (decided["status"], decided["model_version"]) == ("promoted", "2")
