"""What is measured: the service, MLflow's server of the same model, and the bare work without any server."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from configs.cores import count_cores
from tasks.domain.images.rejections import Rejection
from tasks.modeling.backbone.backbone import random_backbone, with_engine
from tasks.modeling.packaged_model import Package
from tasks.service.models.served_model import Squares
from tasks.serving.model_package import write_mlflow_model
from tests.benchmarks.serving.load import Load
from tests.servers import ROOT, answers, free_port, wait_until
from tests.tasks.service.champions import LIMITS, ChampionStore, dogs

PICTURES, SIDE = 32, 256


@dataclass(frozen=True)
class Served:
    """A server that answers, and its process."""

    address: str
    process: psutil.Process

    def processor_seconds(self) -> float:
        """Return the CPU seconds of the process and of all that it started and that still runs."""
        return sum(times.user + times.system for times in (part.cpu_times() for part in self._parts()))

    def megabytes(self) -> float:
        """Return the memory of all its processes, each shared page divided by those that share it."""
        total = 0
        for part in self._parts():
            with suppress(psutil.Error):
                total += part.memory_full_info().pss
        return total / 2**20

    def _parts(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


def fill_store(folder: Path, engine: str, *, whole: bool) -> ChampionStore:
    """Fill a store with drawn dogs and a champion."""
    backbone = random_backbone(*(("mixed10", 299) if whole else ("mixed2", 96)))
    store = ChampionStore(str(folder), with_engine(backbone, engine), dogs(PICTURES, SIDE)).fill()
    store.promote(store.head(1))
    return store


@contextmanager
def service(store: ChampionStore, home: Path) -> Iterator[Served]:
    """Run the service of a store, and say how much it took to be ready."""
    command = [sys.executable, "-c", "from flows.cli.app import main; main()"]
    command += ["serve", "--store", store.url, "--port", "0", "--json"]
    with _running(command, {"PEDIGREE_HOME": str(home)}) as process:
        assert process.stdout
        started, address = time.monotonic(), json.loads(process.stdout.readline())["address"]
        wait_until(lambda: answers(f"{address}/ready"), 300, "a model", pause=0.02)
        served = Served(address, psutil.Process(process.pid))
        seconds = time.monotonic() - started
        print(f"ready: {seconds:.1f} s, {served.processor_seconds():.2f} s of CPU, {served.megabytes():.0f} MB")
        yield served


@contextmanager
def mlflow_server(store: ChampionStore, folder: Path) -> Iterator[Served]:
    """Run ``mlflow models serve`` with the store's champion."""
    from mlflow.models import Model

    packaged, port = folder / "packaged", free_port()
    packaged.mkdir()
    head = store.head(1)
    Package(store.backbone.to_bytes(), store.backbone.facts, head.to_bytes(), LIMITS).write(packaged)
    write_mlflow_model(packaged, folder / "model", Model())
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / "model"), "--port", str(port)]
    # It starts uvicorn by its name.
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": programs}
    with _running([*command, "--env-manager", "local"], environment, folder) as process:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{address}/ping"), 300, "MLflow's server", pause=0.1)
        served = Served(address, psutil.Process(process.pid))
        print(f"MLflow ready: {served.processor_seconds():.2f} s of CPU, {served.megabytes():.0f} MB")
        yield served


@contextmanager
def _running(
    command: Sequence[str], environment: Mapping[str, str], folder: Path = ROOT
) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(  # noqa: S603 - this very Python
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


class Bare:
    """Decoding and computing as the service does it, in decoding processes and threads, and nothing else."""

    def __init__(self, store: ChampionStore) -> None:
        """Start the decoding processes."""
        self._files, self._network = store.files, store.backbone.network
        self._squares = Squares(store.backbone.size, LIMITS, 5)
        self._squares.warm_up()
        self._work(0)

    def close(self) -> None:
        """End the decoding processes."""
        self._squares.close()

    def measure(self, number: int, threads: int = 0) -> tuple[Load, float]:
        """Work on so many photographs, in one thread a core unless it is said, and return the CPU seconds too."""
        before, started = self._processor_seconds(), time.perf_counter()
        with ThreadPoolExecutor(threads or count_cores()) as pool:
            times = list(pool.map(self._work, range(number)))
        return Load(times, seconds=time.perf_counter() - started), self._processor_seconds() - before

    def _work(self, number: int) -> float:
        started = time.perf_counter()
        square = self._squares.decode(self._files[number % PICTURES])
        assert not isinstance(square, Rejection)
        self._network(square)
        return time.perf_counter() - started

    def _processor_seconds(self) -> float:
        own = time.process_time()
        times = [psutil.Process(number).cpu_times() for number in self._squares.processes]
        return own + sum(part.user + part.system for part in times)
