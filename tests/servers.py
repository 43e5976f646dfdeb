"""Real servers for tests: started on free ports of this machine, asked until they answer, and stopped for good."""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

ROOT = Path(__file__).parent.parent
CEPH = ROOT / "infra" / "ceph-s3"
CEPH_PROGRAMS = ("radosgw", "ceph-mon", "ceph-osd", "ceph-mgr", "ceph", "curl")
CHROMIUM = "/usr/bin/chromium"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ceph:
    """An S3 server: how to reach it, and the log in which each request is one line with ``beast:``."""

    endpoint: str
    access_key: str
    secret_key: str
    log: Path


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """A Prefect server: the addresses of its API and of its pages, its own folder, and its log."""

    api_url: str
    url: str
    home: Path
    log: Path


@dataclass(frozen=True, slots=True)
class MlflowServer:
    """An MLflow server: its address, its own folder, and its log."""

    url: str
    folder: Path
    log: Path


def missing_programs(names: Sequence[str]) -> list[str]:
    """Name the programs that this machine lacks."""
    return [name for name in names if not shutil.which(name)]


def free_port(following: int = 0) -> int:
    """Find a port that nobody listens on, with so many free ones after it.

    Ports from 32768 on are what the system gives to whoever connects: one of those may be gone a moment later.
    """
    while True:
        port = random.randrange(15_000, 32_000)  # noqa: S311 - no secret
        if all(_is_free(port + step) for step in range(following + 1)):
            return port


def wait_until(ask: Callable[[], T], seconds: float, expectation: str, pause: float = 0.2) -> T:
    """Ask again and again until the answer is true, and return it; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            message = f"after {seconds:.0f} s still waiting for {expectation}"
            raise TimeoutError(message)
        time.sleep(pause)
    return answer


def answers(url: str) -> bool:
    """Tell whether a web address answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - a server that the tests started
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def running(
    command: Sequence[str], log: Path, environment: Mapping[str, str], folder: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in the background, all it says in a log, and end it with everything that it started."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the tests' own commands
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            cwd=folder,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


@contextmanager
def ceph_server(folder: Path) -> Iterator[Ceph]:
    """Run the S3 server of ``infra/ceph-s3``; one that does not come up is tried once more.

    Raises:
        RuntimeError: It did not come up a second time; what it said is in the error.
    """
    with ExitStack() as stack:
        try:
            server = stack.enter_context(_ceph_server(folder / "first"))
        except RuntimeError as first:
            sys.stderr.write(f"Ceph is tried once more. {first}\n")
            server = stack.enter_context(_ceph_server(folder / "second"))
        yield server


@contextmanager
def _ceph_server(folder: Path) -> Iterator[Ceph]:
    command = ["timeout", "180", "bash", str(CEPH), "start", str(folder), str(free_port(following=1))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            message = f"infra/ceph-s3 start ended with {done.returncode} and said:\n{done.stderr}"
            raise RuntimeError(message)
        words = dict(word.split("=", 1) for word in done.stdout.split())
        yield Ceph(words["endpoint"], words["access_key"], words["secret_key"], folder / "log" / "client.rgw.log")
    finally:
        subprocess.run(["bash", str(CEPH), "stop", str(folder)], check=False, timeout=60)  # noqa: S603, S607


@contextmanager
def prefect_server(folder: Path) -> Iterator[PrefectServer]:
    """Run a Prefect server with its own database; its pages ask this server and no other."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = PrefectServer(f"{url}/api", url, folder, folder / "server.log")
    environment = {"PREFECT_HOME": str(folder), "PREFECT_SERVER_UI_API_URL": server.api_url, "PREFECT_API_URL": ""}
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with running(command, server.log, environment, folder):
        wait_until(lambda: answers(f"{server.api_url}/health"), 120, f"the Prefect server, see {server.log}")
        _forget_prefect_server()
        yield server
        _forget_prefect_server()


def _forget_prefect_server() -> None:
    """End the threads by which Prefect's client goes on asking the server that a process asked first."""
    from prefect.concurrency.services import ConcurrencySlotAcquisitionWithLeaseService

    # All such services are in one list, those that send events among them.
    ConcurrencySlotAcquisitionWithLeaseService.drain_all(timeout=30, at_exit=False)


@contextmanager
def mlflow_server(folder: Path, port: int = 0, database: str = "") -> Iterator[MlflowServer]:
    """Run an MLflow server with its own artifacts, and its own database where none is named."""
    port = port or free_port()
    server = MlflowServer(f"http://127.0.0.1:{port}", folder, folder / "server.log")
    where = [
        "--backend-store-uri",
        database or f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    # Its background jobs start seven helpers, which take two cores for a minute.
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with running([*command, *where], server.log, environment, folder):
        wait_until(lambda: answers(f"{server.url}/health"), 120, f"the MLflow server, see {server.log}")
        yield server


def mlflow_database(folder: Path) -> str:
    """Put an empty database of MLflow into a folder and return its address; a copy, since MLflow takes a second."""
    (folder / "mlflow.db").write_bytes(_empty_database())
    return f"sqlite:///{folder}/mlflow.db"


@cache
def _empty_database() -> bytes:
    from mlflow import MlflowClient

    with TemporaryDirectory(prefix="pedigree-mlflow-") as folder:
        MlflowClient(f"sqlite:///{folder}/mlflow.db").search_experiments()
        return Path(folder, "mlflow.db").read_bytes()


@contextmanager
def postgres_server(password: str = "") -> Iterator[str]:
    """Run PostgreSQL with an empty database, as another user where we are root, and yield its address.

    With a password its user must know that; the address does not hold it.
    """
    with TemporaryDirectory(prefix="pedigree-postgres-") as name:
        folder, port, user = Path(name), free_port(), _postgres_user()
        become = []
        if user:
            os.chown(folder, *user)
            become = ["setpriv", f"--reuid={user[0]}", f"--regid={user[1]}", "--clear-groups", "--"]
        make = [*become, postgres_program("initdb"), "-D", f"{folder}/data", "-U", "pedigree"]
        (folder / "word").write_text(password)
        make += ["-A", "scram-sha-256", "--pwfile", f"{folder}/word"] if password else ["-A", "trust"]
        subprocess.run(make, check=True, capture_output=True, cwd=folder, timeout=120)  # noqa: S603
        serve = [postgres_program("postgres"), "-D", f"{folder}/data", "-p", str(port), "-k", str(folder)]
        ask = [postgres_program("pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
        with running([*become, *serve], folder / "server.log", {}, folder):
            wait_until(lambda: subprocess.run(ask, capture_output=True, check=False).returncode == 0, 60, "PostgreSQL")  # noqa: S603
            yield f"postgresql://pedigree@127.0.0.1:{port}/postgres"


def postgres_program(name: str) -> str:
    """Name one of PostgreSQL's programs, which Debian keeps off the path; nothing where there is none."""
    programs = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(programs[-1]) if programs else "")


def _postgres_user() -> tuple[int, int] | None:
    if os.getuid() != 0:
        return None
    user = pwd.getpwnam("postgres")
    return user.pw_uid, user.pw_gid


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        return listener.connect_ex(("127.0.0.1", port)) != 0


def _end(process: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
