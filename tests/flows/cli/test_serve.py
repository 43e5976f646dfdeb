"""The command ``pedigree serve`` as a process: it needs little, tells its address, and loses no request at its end."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tasks.modeling.backbone.backbone import random_backbone, with_engine
from tests.servers import ROOT, wait_until
from tests.tasks.service.champions import ChampionStore, ask, dogs, ready

# Runs the command line where the modules that are named cannot be imported.
COMMAND = """
import sys
sys.modules.update(dict.fromkeys(("tensorflow", "keras", "h5py", "onnx", "mlflow", "prefect", "sklearn", "cleanlab")))
from flows.cli.app import app
app(sys.argv[1:])
"""


@pytest.fixture
def champions(tmp_path: Path) -> ChampionStore:
    """Store whose features ONNX Runtime computed, with a champion."""
    backbone = with_engine(random_backbone("mixed0", 75), "onnxruntime")
    store = ChampionStore(str(tmp_path / "store"), backbone, dogs(18)).fill()
    store.promote(store.head(1))
    return store


@contextmanager
def service(*arguments: str, home: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Run the command on a free port, with a client of it."""
    command = [sys.executable, "-c", COMMAND, "serve", *arguments, "--port", "0", "--json"]
    environment = {"PATH": "/usr/bin:/bin", "PEDIGREE_HOME": str(home), "HOME": str(home)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        assert process.stdout
        address = json.loads(process.stdout.readline())["address"]
        with httpx.Client(base_url=address, timeout=60) as client:
            wait_until(lambda: ready(client), 60, "a model", pause=0.05)
            yield process, client
    finally:
        process.kill()
        process.wait()


def test_a_champion_of_onnxruntime_needs_neither_tensorflow_nor_mlflow(
    champions: ChampionStore, tmp_path: Path
) -> None:
    """It answers as evaluated where none can be imported; at SIGTERM what was taken on is answered, exit code 0."""
    expected = champions.expected(champions.head(1))
    with service("--store", champions.url, home=tmp_path / "home") as (process, client):
        for data, probabilities in expected.items():
            assert ask(client, data).json()["probabilities"] == probabilities
        address = client.base_url

        def ask_anew(data: bytes) -> int:
            with httpx.Client(base_url=address, timeout=60) as other:
                return ask(other, data).status_code

        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(ask_anew, data) for data in [*champions.files, *champions.files]]
            asked[0].result()
            process.send_signal(signal.SIGTERM)
            assert {future.result() for future in asked} == {200}
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (("--store", "store", "--host", "0.0.0.0"), "PEDIGREE_SERVE_KEY"),  # noqa: S104 - refused
        (("--mlflow", "nonsense"), "http://…"),
    ],
)
def test_what_cannot_be_served_so_is_an_error_of_settings(options: Sequence[str], remedy: str) -> None:
    """An address that others reach without a key, and one that is none of MLflow: exit code 2 and one sentence."""
    command = [sys.executable, "-c", COMMAND, "serve", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 2
    assert remedy in done.stderr
    assert len(done.stderr.splitlines()) == 1
