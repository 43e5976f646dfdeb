"""The local stack: a Prefect server, an MLflow server and a worker, in the background of this machine."""

import fcntl
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from configs.problems import Problem
from configs.schema import Settings
from infra import deployments, processes, web
from infra.deployments import POOL
from infra.processes import Background

DEPLOYMENT = "retrain/nightly"
_PREFECT, _MLFLOW, _WORKER = "Prefect", "MLflow", "worker"
_PARTS = (_PREFECT, _MLFLOW, _WORKER)
_PATIENCE = 180  # seconds: on a busy machine MLflow alone takes one minute


@dataclass(frozen=True, slots=True)
class Part:
    """One program of the stack."""

    name: str
    state: Literal["running", "stopped"]
    address: str


@dataclass(frozen=True, slots=True)
class Status:
    """What of the stack runs, and where to look at it."""

    parts: tuple[Part, ...]

    def plain(self) -> dict[str, Any]:
        """Turn it into what JSON can hold."""
        return {part.name.lower(): {"state": part.state, "address": part.address} for part in self.parts}


def up(home: Path, settings: Settings | None) -> Status:
    """Start what is not running yet, wait until all of it answers, and deploy the nightly run with these settings."""
    with _alone(home):
        prefect = _ensure(home, _PREFECT, lambda: _start_prefect(home))
        mlflow = _ensure(home, _MLFLOW, lambda: _start_mlflow(home))
        _wait(home, _PREFECT, lambda: web.answers(f"{prefect.address}/api/health"))
        _ensure(home, _WORKER, lambda: _start_worker(home, prefect))
        _wait(home, _MLFLOW, lambda: web.answers(f"{mlflow.address}/health"))
        _wait(home, _WORKER, lambda: web.worker_is_online(prefect.address, POOL))
        if settings:
            deployments.deploy(home, _environment(home) | {"PREFECT_API_URL": f"{prefect.address}/api"}, settings)
        return status(home)


def down(home: Path) -> Status:
    """Stop what ``up`` started, the worker first, so that it can tell the server about its runs."""
    with _alone(home):
        for name in reversed(_PARTS):
            processes.stop(_record(home, name))
        return status(home)


def status(home: Path) -> Status:
    """Tell which programs run and answer."""
    return Status(tuple(_part(home, name) for name in _PARTS))


def prefect_api(home: Path) -> str:
    """Name the API of the stack's Prefect server, or nothing when it does not run."""
    prefect = _part(home, _PREFECT)
    return f"{prefect.address}/api" if prefect.state == "running" else ""


def _part(home: Path, name: str) -> Part:
    background = processes.recorded(_record(home, name))
    if background is None or not background.alive:
        return Part(name, "stopped", "")
    served = name == _WORKER or web.answers(background.address)
    return Part(name, "running" if served else "stopped", background.address)


def _ensure(home: Path, name: str, begin: Callable[[], Background]) -> Background:
    record = _record(home, name)
    background = processes.recorded(record)
    if background and background.alive:
        return background
    processes.stop(record)  # What a program that died left behind would hold its port.
    return begin()


def _start_prefect(home: Path) -> Background:
    port = _free_port(4200)
    url = f"http://127.0.0.1:{port}"
    environment = _environment(home) | {"PREFECT_SERVER_UI_API_URL": f"{url}/api"}
    # A server that starts anew still knows who holds the limit of one retraining, and until when.
    environment["PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE"] = "prefect.server.concurrency.lease_storage.filesystem"
    # A server that finds another server's address in its environment would send its own work there.
    environment.pop("PREFECT_API_URL", None)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    return processes.start(_record(home, _PREFECT), command, environment, url)


def _start_mlflow(home: Path) -> Background:
    port = _free_port(5000)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(home / "mlflow-artifacts")]
    # Its background jobs start seven helpers, and nothing here asks them for anything.
    environment = _environment(home) | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return processes.start(_record(home, _MLFLOW), command, environment, f"http://127.0.0.1:{port}")


def _start_worker(home: Path, prefect: Background) -> Background:
    web.close_left_over_runs(prefect.address, POOL)
    command = [sys.executable, "-m", "prefect", "--no-prompt", "worker", "start"]
    command += ["--pool", POOL, "--type", "process", "--name", POOL]
    environment = _environment(home) | {"PREFECT_API_URL": f"{prefect.address}/api"}
    return processes.start(
        _record(home, _WORKER), command, environment, f"{prefect.address}/work-pools/work-pool/{POOL}"
    )


def _environment(home: Path) -> dict[str, str]:
    """Hand down the environment, so that the worker's runs see the same AWS credentials as this terminal."""
    return {**os.environ, "PEDIGREE_HOME": str(home), "PREFECT_HOME": str(home / "prefect")}


def _record(home: Path, name: str) -> Path:
    return home / "stack" / f"{name.lower()}.json"


def _wait(home: Path, name: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    record = _record(home, name)
    while not ready():
        background = processes.recorded(record)
        if background is None or not background.alive or time.monotonic() > deadline:
            raise Problem(f"{name} did not start; what it said is in {record.with_suffix('.log')}.")
        time.sleep(0.3)


def _free_port(first: int) -> int:
    """Find the first port from here on that nobody listens on."""
    for port in range(first, first + 100):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise Problem(f"All ports from {first} to {first + 99} are taken: end what listens there.")


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Let no second ``up`` or ``down`` of this home run meanwhile."""
    folder = home / "stack"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
