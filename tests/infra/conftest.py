"""The stack with real servers, started once for a file of tests."""

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, StateType

from configs.credentials import local_login
from configs.load import parse_settings, resolve
from configs.schema import Settings
from infra import stack
from infra.local_stack import servers
from tests.infra.running import RUN_SECONDS, Running, address
from tests.servers import free_port


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a home folder for the stack."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def settings(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Make settings of a run that takes seconds: noise for photographs, a cut near the network's beginning."""
    folder, noise = tmp_path_factory.mktemp("nights"), np.random.default_rng(0)
    for number in range(36):
        class_folder = folder / "photos" / "abc"[number % 3]
        class_folder.mkdir(parents=True, exist_ok=True)
        pixels = noise.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((80, 80), Image.Resampling.NEAREST).save(class_folder / f"{number}.jpg")
    values = {
        "source": {"url": str(folder / "photos")},
        "store": {"url": str(folder / "store")},
        "dataset": {"min_images_per_class": 3},
        "backbone": {"weights": "random", "cut": "mixed0", "size": 75},
        # Every model passes, unless somebody lets silent rules ask: each class has too few test images.
        "gate": {
            "rules": ["accuracy at least 0", "recall of any class at least 0"],
            "needs": "no-harm",
            "serve_check": False,
        },
        # Looks go on, and find that uploads have not settled: they start no retraining that a test would meet.
        "watch": {"settle_minutes": 1440},
        "tracking": {"url": f"sqlite:///{home / 'mlflow.db'}"},
    }
    return resolve(parse_settings(values, "the test's settings"))


@pytest.fixture(scope="module")
def running(home: Path, settings: Settings) -> Iterator[Running]:
    """Start the whole stack once, where somebody already listens on its favourite ports."""
    with pytest.MonkeyPatch.context() as patch, _taken() as prefect, _taken() as mlflow:
        # Ports of its own: another file's stack would come and go on the usual ones.
        patch.setattr(servers, "PREFECT_PORT", prefect.getsockname()[1])
        patch.setattr(servers, "MLFLOW_PORT", mlflow.getsockname()[1])
        patch.setenv("AWS_ACCESS_KEY_ID", "handed down")
        # The worker looks for runs every ten seconds unless it is told otherwise.
        patch.setenv("PREFECT_WORKER_QUERY_SECONDS", "1")
        try:
            status = stack.up(home, settings)
            api = f"{address(status, 'Prefect')}/api"
            with SyncPrefectClient(api, auth_string=local_login(home, api)) as client:
                yield Running(home, settings, status, client)
        finally:
            stack.down(home)


@pytest.fixture(scope="module")
def runs(running: Running) -> tuple[FlowRun, FlowRun]:
    """Start one run by hand, and another one while it runs; wait for both."""
    first = running.begin()
    running.after(first, 60, StateType.RUNNING)
    second = running.after(running.begin(), 60)
    return running.after(first, RUN_SECONDS), second


def _taken() -> socket.socket:
    """Listen on a port that has a free one after it."""
    return socket.create_server(("127.0.0.1", free_port(following=1)))
