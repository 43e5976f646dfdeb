"""The world of a soak: S3 and MLflow servers whose lines can be cut, Prefect, and a worker that can be killed."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import UUID

import boto3
import psutil
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import TaskRunFilter
from prefect.client.schemas.objects import FlowRun

from configs.load import parse_settings, resolve
from configs.schema import Settings
from infra.local_stack import health
from infra.orchestration import deployments
from infra.orchestration.deployments import POOL
from tests import servers
from tests.servers import ROOT, wait_until

_RUN_SECONDS = 600  # seconds that a run may take, its waits for servers and for other runs included
# Python runs this at its start: our own modules find another time than all others, whose clock nobody may turn back.
_CLOCK = """
import builtins, datetime, os, types
shift = datetime.timedelta(seconds=float(os.environ.get("SOAK_CLOCK", "0")))
if shift:
    class Changed(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime.now(tz) + shift
    ours, usual = types.ModuleType("datetime"), builtins.__import__
    ours.__dict__.update(datetime.__dict__, datetime=Changed)
    def found(name, globals=None, *more, **named):
        asks = str((globals or {}).get("__name__"))
        if name == "datetime" and asks.startswith(("configs.", "flows.", "tasks.")):
            return ours
        return usual(name, globals, *more, **named)
    builtins.__import__ = found
"""


class Line:
    """A way to a server of this machine, by a port of its own, which can be cut and mended."""

    def __init__(self, port: int) -> None:
        """Lead to a server's port; the way is open."""
        self._port, self._cut = port, Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: set[socket.socket] = set()
        Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection, and refuse new ones."""
        self._cut.set()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Let everybody through again."""
        self._cut.clear()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            if self._cut.is_set():
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._port))
            self._open |= {near, far}
            for source, other in ((near, far), (far, near)):
                Thread(target=self._carry, args=(source, other), daemon=True).start()

    def _carry(self, source: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                other.sendall(data)
        for end in (source, other):
            self._open.discard(end)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@dataclass
class World:
    """What the runs of a soak happen in."""

    folder: Path
    s3: Line
    mlflow: Line
    settings: Settings
    prefect: SyncPrefectClient
    environment: Mapping[str, str]
    #: Photographs go here directly, whatever becomes of the worker's line.
    bucket: Any
    _worker: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def begin(self, clock: int = 0) -> FlowRun:
        """Ask for a retraining, whose process finds the clock changed by so many seconds."""
        deployment = self.prefect.read_deployment_by_name("retrain/retrain")
        changed = {"env": {"SOAK_CLOCK": str(clock), "PYTHONPATH": f"{self.folder}:{ROOT}"}} if clock else {}
        return self.prefect.create_flow_run_from_deployment(deployment.id, job_variables=changed)

    def ended(self, run: FlowRun) -> FlowRun:
        """Wait for a run, and return it as Prefect shows it after its end."""

        def over() -> FlowRun | None:
            current = self.prefect.read_flow_run(run.id)
            return current if current.state and current.state.is_final() else None

        run_ = wait_until(over, _RUN_SECONDS, f"a run, see {self.folder / 'worker.log'}")
        assert run_
        return run_

    def reached(self, run: FlowRun, step: str) -> None:
        """Wait until a run has begun this step."""
        chosen = TaskRunFilter.model_validate({"name": {"like_": step}})

        def has_begun() -> bool:
            return any(
                task_run.flow_run_id == run.id for task_run in self.prefect.read_task_runs(task_run_filter=chosen)
            )

        wait_until(has_begun, _RUN_SECONDS, f"the step {step}, see {self.folder / 'worker.log'}")

    def start_worker(self) -> None:
        """Start a worker, as ``pedigree up`` does."""
        command = [sys.executable, "-m", "prefect", "--no-prompt", "worker", "start"]
        command += ["--pool", POOL, "--type", "process", "--name", POOL]
        with (self.folder / "worker.log").open("ab") as log:
            self._worker.append(
                subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, start_new_session=True)  # noqa: S603
            )

    def kill(self, run: UUID | None = None) -> None:
        """Kill the process of a run, or the worker with all that it started."""
        for worker in self._worker:
            with suppress(psutil.NoSuchProcess):
                root = psutil.Process(worker.pid)
                for process in (*root.children(recursive=True), *(() if run else (root,))):
                    if run is None or process.environ().get("PREFECT__FLOW_RUN_ID") == str(run):
                        process.send_signal(signal.SIGKILL)


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Start everything, and deploy what ``infra/prefect.yaml`` says."""
    with ExitStack() as stack:
        places = [folder / name for name in ("ceph", "prefect", "mlflow", "home")]
        for part in places:
            part.mkdir(parents=True)
        ceph = stack.enter_context(servers.ceph_server(places[0]))
        prefect = stack.enter_context(servers.prefect_server(places[1]))
        mlflow = stack.enter_context(servers.mlflow_server(places[2]))
        s3, tracking = (Line(int(address.rpartition(":")[2])) for address in (ceph.endpoint, mlflow.url))
        (folder / "sitecustomize.py").write_text(_CLOCK)
        keys = {"AWS_ACCESS_KEY_ID": ceph.access_key, "AWS_SECRET_ACCESS_KEY": ceph.secret_key}
        environment = {**os.environ, **keys, "AWS_ENDPOINT_URL": s3.url, "AWS_REGION": "us-east-1"}
        environment |= {"PREFECT_API_URL": prefect.api_url, "PREFECT_WORKER_QUERY_SECONDS": "1"}
        environment |= {"PEDIGREE_HOME": str(places[3]), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}
        session = boto3.Session(ceph.access_key, ceph.secret_key, region_name="us-east-1")
        bucket = session.resource("s3", endpoint_url=ceph.endpoint).Bucket("dogs")
        bucket.create()
        settings = _settings(tracking.url)
        client = stack.enter_context(SyncPrefectClient(prefect.api_url))
        created = World(folder, s3, tracking, settings, client, environment, bucket)
        stack.callback(created.kill)
        created.start_worker()
        wait_until(
            lambda: health.worker_is_online(prefect.url, {}, POOL), 120, f"the worker, see {folder / 'worker.log'}"
        )
        deployments.deploy(places[3], environment, settings)
        yield created


def _settings(mlflow: str) -> Settings:
    """Describe small runs: a cut near the network's beginning, and rules that let every model pass."""
    values = {
        "source": {"url": "s3://dogs/photos"},
        "store": {"url": "s3://dogs/store"},
        "dataset": {"min_images_per_class": 3},
        "backbone": {"weights": "random", "cut": "mixed0", "size": 75},
        "gate": {"rules": ["accuracy at least 0"], "needs": "no-harm", "serve_check": False},
        "tracking": {"url": mlflow},
    }
    return resolve(parse_settings(values, "the soak's settings"))
