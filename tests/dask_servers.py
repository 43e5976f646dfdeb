"""Real Dask schedulers and workers for tests, each a process of its own that can be killed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from tests.servers import ROOT, wait_until

_QUIET = {"DASK_DISTRIBUTED__ADMIN__LOG_FORMAT": "%(message)s"}


@dataclass
class DaskCluster:
    """A scheduler and its workers of one thread each."""

    folder: Path
    environment: Mapping[str, str]
    options: Sequence[str] = ()
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Return the scheduler's address, as scale.address takes it."""
        return str(json.loads((self.folder / "scheduler.json").read_text())["address"])

    def start_scheduler(self) -> None:
        """Start the scheduler, and wait until it answers."""
        self._start("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-show")
        wait_until((self.folder / "scheduler.json").exists, 120, "the scheduler answers")

    def start_worker(
        self, name: str, preload: str = "", memory: str = "", **environment: str
    ) -> "subprocess.Popen[bytes]":
        """Start a worker, with a nanny where its memory is limited; it works as soon as it has found the scheduler."""
        kept = ["--nanny", "--memory-limit", memory] if memory else ["--no-nanny"]
        loaded = ["--preload", preload] if preload else []
        arguments = ["--nthreads", "1", *kept, "--no-dashboard", "--name", name, "--host", "127.0.0.1"]
        return self._start(name, "worker", *arguments, "--death-timeout", "60", *loaded, **environment)

    def set_workers(self, number: int, preload: str) -> None:
        """Start or kill workers until there are so many, and wait until the scheduler knows."""
        alive = [name for name, process in self.processes.items() if name != "scheduler" and process.poll() is None]
        for name in alive[number:]:
            self.processes[name].kill()
        for _ in range(len(alive), number):
            self.start_worker(f"worker-{len(self.processes)}", preload)
        wait_until(lambda: self.count_workers() == number, 60, f"the cluster has {number} workers")

    def count_workers(self) -> int:
        """Ask the scheduler how many workers it knows."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            return int(client.scheduler_info(n_workers=0)["n_workers"])

    def kill_scheduler_after(self, moment: Callable[[], bool]) -> None:
        """Kill the scheduler in a thread as soon as something has come true."""

        def watch() -> None:
            wait_until(moment, 120, "the moment to kill the scheduler has come", pause=0.01)
            self.processes["scheduler"].kill()

        Thread(target=watch, daemon=True).start()

    def _start(self, name: str, kind: str, *arguments: str, **environment: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "dask", kind, *arguments]
        process = subprocess.Popen(  # noqa: S603 - this very Python
            [*command, "--scheduler-file", str(self.folder / "scheduler.json"), *self.options],
            cwd=self.folder,
            env={**os.environ, **_QUIET, "PYTHONPATH": str(ROOT), **self.environment, **environment},
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"{name}.log").open("wb"),
        )
        self.processes[name] = process
        return process

    def stop(self) -> None:
        """Kill all of them."""
        for process in self.processes.values():
            process.kill()
            process.wait()


@contextmanager
def dask_cluster(folder: Path, *workers: str, options: Sequence[str] = (), **environment: str) -> Iterator[DaskCluster]:
    """Run a scheduler with workers of these names."""
    folder.mkdir(exist_ok=True)
    cluster = DaskCluster(folder, environment, options)
    try:
        cluster.start_scheduler()
        for name in workers:
            cluster.start_worker(name)
        yield cluster
    finally:
        cluster.stop()
